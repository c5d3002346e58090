#!/usr/bin/env python3
"""The real daemon on loopback, spoken to as clients, browsers and attackers would."""
import base64, hashlib, hmac, http.client, json, os, re, select, signal, socket, struct, subprocess, sys, tempfile, time, unittest  # noqa: E401

BIN = sys.argv.pop(1)
PASSWORD = "correct horse battery"


class Daemon:
    def __init__(self, extra=""):
        self.dir = tempfile.TemporaryDirectory()
        self.config = os.path.join(self.dir.name, "vedette.yaml")
        with open(self.config, "w") as f:
            f.write("listen:\n  port: 0\n" + extra)
        self.start()

    def start(self):
        note = os.path.join(self.dir.name, "notify")
        if os.path.exists(note):
            os.unlink(note)
        self.notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.notify.bind(note)
        self.notify.settimeout(10)
        env = dict(os.environ, NOTIFY_SOCKET=note, WATCHDOG_USEC="600000")
        env.pop("WATCHDOG_PID", None)
        self.p = subprocess.Popen([BIN, "serve", "-c", self.config, "--state", self.dir.name + "/state"],
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env)  # fmt: skip
        line = self.p.stdout.readline()
        if not line:
            raise RuntimeError(self.p.stderr.read())
        self.port = int(re.search(r":(\d+)$", line.strip()).group(1))
        self.p.stdout.readline()
        self.token = None

    def setup_token(self):
        return self.p.stdout.readline().split()[-1]

    def stop(self):
        began = time.monotonic()
        self.p.send_signal(signal.SIGTERM)
        rc = self.p.wait(20)
        took = time.monotonic() - began
        err = self.p.stderr.read()
        self.p.stdout.close()
        self.p.stderr.close()
        self.notify.close()
        return rc, took, err


class Client:
    def __init__(self, d):
        self.d, self.cookie, self.csrf = d, None, None

    def call(self, method, path, body=None, headers=None, raw=None):
        c = http.client.HTTPConnection("127.0.0.1", self.d.port, timeout=30)
        h = dict(headers or {})
        if self.cookie:
            h.setdefault("Cookie", self.cookie)
        if self.csrf:
            h.setdefault("X-CSRF-Token", self.csrf)
        if body is not None:
            raw = json.dumps(body).encode()
            h.setdefault("Content-Type", "application/json")
        c.request(method, path, raw, h)
        r = c.getresponse()
        data = r.read()
        c.close()
        self.headers = r.headers
        try:
            return r.status, json.loads(data) if data else None
        except ValueError:
            return r.status, data

    def login(self, name="admin", password=PASSWORD, code=None):
        body = {"name": name, "password": password}
        if code:
            body["code"] = code
        status, o = self.call("POST", "/api/v1/session", body)
        if status == 201:
            self.cookie = self.headers["Set-Cookie"].split(";")[0]
            self.csrf = o["csrf_token"]
        return status, o


def totp(secret):
    mac = hmac.new(base64.b32decode(secret), struct.pack(">Q", int(time.time()) // 30), hashlib.sha1).digest()
    at = mac[19] & 15
    return "%06d" % ((struct.unpack(">I", mac[at:at + 4])[0] & 0x7FFFFFFF) % 1000000)


class Server(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.d = Daemon("cameras:\n  - id: north\n    url: rtsp://127.0.0.1:1/x\n")
        cls.assertIn(cls("runTest"), "READY=1", cls.d.notify.recv(100).decode())
        cls.admin = Client(cls.d)
        token = cls.d.setup_token()
        assert cls.admin.call("POST", "/api/v1/setup", {"token": "0" * 64, "name": "admin", "password": PASSWORD})[0] == 403
        status, o = cls.admin.call("POST", "/api/v1/setup", {"token": token, "name": "admin", "password": PASSWORD})
        assert status == 201, o
        assert cls.admin.call("POST", "/api/v1/setup", {"token": token, "name": "b", "password": PASSWORD})[0] == 403
        assert cls.admin.login()[0] == 201

    @classmethod
    def tearDownClass(cls):
        rc, took, err = cls.d.stop()
        assert rc == 0, (rc, err)
        assert took < 20, f"SIGTERM took {took:.1f} s"
        assert "Sanitizer" not in err, err

    def runTest(self):
        pass

    def test_open_pages(self):
        c = Client(self.d)
        for path, kind in (("/", "text/html"), ("/public", "text/html"), ("/health", "application/json"),
                           ("/ready", "application/json"), ("/metrics", "text/plain"),
                           ("/api/v1/openapi.json", "application/json"), ("/api/v1/config/schema", "application/schema+json")):  # fmt: skip
            status, _ = c.call("GET", path)
            self.assertEqual(status, 200, path)
            self.assertTrue(c.headers["Content-Type"].startswith(kind), path)
            self.assertIn("default-src 'none'", c.headers["Content-Security-Policy"])
            self.assertNotIn("unsafe", c.headers["Content-Security-Policy"])
            self.assertEqual(c.headers["X-Content-Type-Options"], "nosniff")
            self.assertRegex(c.headers["X-Request-Id"], r"^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab]")

    def test_console_files(self):
        with tempfile.TemporaryDirectory() as t:
            os.mkdir(t + "/console")
            for name, text in (("index.html", "<!doctype html><title>c</title>"), ("app.js", "1;"), ("app.js.gz", "packed"),
                               ("secret.key", "k"), (".hidden.js", "h")):
                with open(f"{t}/console/{name}", "w") as f:
                    f.write(text)
            with open(t + "/outside.js", "w") as f:
                f.write("o")
            d = Daemon(f"console: {t}/console\n")
            try:
                c = Client(d)
                self.assertEqual(c.call("GET", "/"), (200, b"<!doctype html><title>c</title>"))
                self.assertEqual(c.call("GET", "/assets/app.js")[1], b"1;")
                tag = c.headers["ETag"]
                self.assertEqual(c.call("GET", "/assets/app.js", headers={"If-None-Match": tag})[0], 304)
                self.assertEqual(c.call("GET", "/assets/app.js", headers={"Accept-Encoding": "gzip"})[1], b"packed")
                self.assertEqual(c.headers["Content-Encoding"], "gzip")
                self.assertEqual(c.headers["Vary"], "Accept-Encoding")
                for bad in ("secret.key", ".hidden.js", "..%2foutside.js", "%2e%2e/outside.js", "nothing.js"):
                    self.assertEqual(c.call("GET", "/assets/" + bad)[0], 404, bad)
                self.assertEqual(c.call("GET", "/api/v1/setup"), (200, {"needed": True}))
            finally:
                d.stop()
        self.assertEqual(Client(self.d).call("GET", "/api/v1/setup"), (200, {"needed": False}))
        status, o = Client(self.d).call("GET", "/api/v1/public")
        self.assertEqual((status, o["deployments"]), (200, []))

    def test_metrics_well_formed(self):
        _, text = Client(self.d).call("GET", "/metrics")
        typed = set()
        for line in text.decode().splitlines():
            if line.startswith("# TYPE "):
                typed.add(line.split()[2])
                continue
            m = re.fullmatch(r'([a-z0-9_]+)(\{[a-z]+="[^"]*"\})? [0-9.e+-]+', line)
            self.assertTrue(m, line)
            self.assertIn(re.sub("_(bucket|sum|count)$", "", m.group(1)) if "latency_seconds_" in line else m.group(1), typed)
        counts = [int(n) for n in re.findall(r'vedette_alert_latency_seconds_bucket\{le="[^"]+"\} (\d+)', text.decode())]
        self.assertEqual((len(counts), counts), (14, sorted(counts)))  # cumulative, +Inf the last
        self.assertIn("vedette_audit_entries_total", typed)

    def test_everything_else_needs_a_login(self):
        _, doc = Client(self.d).call("GET", "/api/v1/openapi.json")
        n = 0
        for path, item in doc["paths"].items():
            for method, op in item.items():
                if op["security"] == []:
                    continue
                n += 1
                status, o = Client(self.d).call(method.upper(), re.sub(r"\{\w+\}", "0" * 32, path), {} if method != "get" else None)
                self.assertEqual(status, 401, (method, path, o))
                self.assertEqual(o["error"]["code"], "unauthenticated")
        self.assertGreater(n, 35)

    def test_every_answer_is_described(self):
        _, doc = Client(self.d).call("GET", "/api/v1/openapi.json")
        n = 0
        for path, item in doc["paths"].items():
            for method, op in item.items():
                for code, answer in op["responses"].items():
                    schema = answer.get("content", {}).get("application/json", {}).get("schema")
                    if schema:
                        n += 1
                        self.assertTrue("$ref" in schema or schema.get("properties") or schema.get("items") or schema.get("additionalProperties"), (method, path, code))
        self.assertGreater(n, 100)

    def test_cookie_and_csrf(self):
        c = Client(self.d)
        c.login()
        attributes = c.headers["Set-Cookie"]
        for part in ("__Host-vedette=", "Secure", "HttpOnly", "SameSite=Strict", "Path=/"):
            self.assertIn(part, attributes)
        self.assertNotIn("Domain", attributes)
        good, c.csrf = c.csrf, None
        self.assertEqual(c.call("DELETE", "/api/v1/session")[1]["error"]["code"], "csrf")
        self.assertEqual(c.call("DELETE", "/api/v1/session", headers={"X-CSRF-Token": "0" * 64})[0], 403)
        self.assertEqual(c.call("DELETE", "/api/v1/session", headers={"X-CSRF-Token": good, "Origin": "https://evil.example"})[0], 403)
        c.csrf = good
        self.assertEqual(c.call("DELETE", "/api/v1/session")[0], 204)
        self.assertEqual(c.call("GET", "/api/v1/session")[0], 401)

    def test_again_and_elsewhere(self):
        """The password again: a new secret, the old one is void; other sessions are seen and ended."""
        a, b = Client(self.d), Client(self.d)
        self.admin.call("PUT", "/api/v1/users/sess", {"roles": "operator", "password": PASSWORD})
        a.login("sess")
        b.login("sess")
        old = a.cookie
        status, o = a.call("POST", "/api/v1/session/reauthenticate", {"password": PASSWORD})
        self.assertEqual(status, 200, o)
        a.cookie = a.headers["Set-Cookie"].split(";")[0]
        self.assertNotEqual(a.cookie, old)
        self.assertEqual(o["csrf_token"], a.csrf, "other tabs go on")
        self.assertEqual(Client(self.d).call("GET", "/api/v1/session", headers={"Cookie": old})[0], 401)
        self.assertEqual([x["this"] for x in a.call("GET", "/api/v1/sessions")[1]["items"]].count(True), 1)
        self.assertEqual(len(a.call("GET", "/api/v1/sessions")[1]["items"]), 2)
        self.assertEqual(a.call("DELETE", "/api/v1/sessions")[0], 204)
        self.assertEqual((a.call("GET", "/api/v1/session")[0], b.call("GET", "/api/v1/session")[0]), (200, 401))

    def test_rebinding(self):
        status, o = Client(self.d).call("GET", "/health", headers={"Host": "evil.example"})
        self.assertEqual((status, o["error"]["code"]), (421, "unknown_host"))

    def test_throttle(self):
        c = Client(self.d)
        got = [c.login("mallory", "wrong password %d" % i)[0] for i in range(7)]
        self.assertEqual(got[:4], [401] * 4)
        self.assertIn(429, got)
        self.assertEqual(self.admin.call("GET", "/api/v1/session")[0], 200)

    def test_bearer(self):
        status, o = self.admin.call("POST", "/api/v1/tokens", {"name": "probe", "days": 1})
        self.assertEqual(status, 201)
        h = {"Authorization": "Bearer " + o["token"]}
        c = Client(self.d)
        self.assertEqual(c.call("GET", "/api/v1/system", headers=h)[0], 200)
        self.assertEqual(c.call("POST", "/api/v1/watchlists", {}, headers=h)[1]["error"]["code"], "scope")
        self.assertEqual(c.call("POST", "/api/v1/tokens", {"name": "x"}, headers=h)[0], 403)
        self.assertEqual(c.call("GET", "/api/v1/system", headers={"Authorization": "Bearer vdt_" + "0" * 64})[0], 401)
        with open(self.d.dir.name + "/state/store/vedette.db-wal", "rb") as f:
            self.assertNotIn(o["token"][4:].encode(), f.read())
        self.assertEqual(self.admin.call("DELETE", "/api/v1/tokens/" + o["id"])[0], 204)
        self.assertEqual(c.call("GET", "/api/v1/system", headers=h)[0], 401)

    def test_raw_entries_are_the_hashed_ones(self):
        self.assertEqual(self.admin.call("PUT", "/api/v1/users/ada", {"roles": "auditor", "password": PASSWORD})[0], 200)
        c = Client(self.d)
        self.assertEqual(c.login("ada")[0], 201)
        _, text = c.call("GET", "/api/v1/audit/entries?raw=true&limit=50")
        self.assertEqual(c.headers["Content-Type"], "application/x-ndjson")
        prev = "0" * 64
        for i, line in enumerate(text.splitlines()):
            o = json.loads(line)
            self.assertEqual((o["seq"], o["prev"]), (i, prev))
            prev = hashlib.sha256(line).hexdigest()
        self.assertGreater(i, 3)

    def test_users_and_second_factor(self):
        status, o = self.admin.call("PUT", "/api/v1/users/olga", {"roles": "operator", "password": PASSWORD})
        self.assertEqual(status, 200, o)
        c = Client(self.d)
        self.assertEqual(c.login("olga")[0], 201)
        self.assertEqual(c.call("GET", "/api/v1/users")[0], 403)
        self.assertEqual(c.call("PUT", "/api/v1/users/eve", {"roles": "administrator", "password": PASSWORD})[0], 403)
        self.assertEqual(c.call("GET", "/api/v1/audit/entries")[0], 403)
        _, o = c.call("POST", "/api/v1/session/totp")
        self.assertEqual(c.call("POST", "/api/v1/session/totp/confirm", {"code": "12345"})[0], 403)
        self.assertEqual(c.call("POST", "/api/v1/session/totp/confirm", {"code": totp(o["secret"])})[0], 200)
        self.assertEqual(Client(self.d).login("olga")[1]["error"]["code"], "second_factor")
        self.assertEqual(Client(self.d).login("olga", code=totp(o["secret"]))[0], 401, "a code works once")
        self.assertEqual(self.admin.call("PUT", "/api/v1/users/olga", {"roles": "operator", "disabled": True})[0], 200)
        self.assertEqual(c.call("GET", "/api/v1/session")[0], 401, "a disabled account ends at once")

    def test_own_password(self):
        """The old one and the new; others of this person's sessions end; what is tried first is refused."""
        other, new = "seven green bicycles", "/api/v1/session/password"
        self.assertEqual(self.admin.call("PUT", "/api/v1/users/pam", {"roles": "operator", "password": PASSWORD})[0], 200)
        c, elsewhere = Client(self.d), Client(self.d)
        self.assertEqual((c.login("pam")[0], elsewhere.login("pam")[0]), (201, 201))
        for bad in ("short", "password123", "1234567890", "iloveyou2024", "Princess!!", "so pam is my name", "my vedette words"):
            status, o = c.call("POST", new, {"password": PASSWORD, "new": bad})
            self.assertEqual((status, o["error"]["code"]), (422, "invalid"), bad)
            self.assertNotIn(bad, o["error"]["message"])
        self.assertEqual(c.call("POST", new, {"password": PASSWORD, "new": PASSWORD})[0], 422, "the old one")
        self.assertEqual(c.call("POST", new, {"password": "not this one", "new": other})[0], 401)
        self.assertEqual(c.call("POST", new, {"password": PASSWORD, "new": other})[0], 204)
        self.assertEqual(c.call("GET", "/api/v1/session")[0], 200)
        self.assertEqual(elsewhere.call("GET", "/api/v1/session")[0], 401)
        self.assertEqual((Client(self.d).login("pam")[0], Client(self.d).login("pam", other)[0]), (401, 201))
        status, o = self.admin.call("PUT", "/api/v1/users/quinn", {"roles": "operator", "password": "football99"})
        self.assertEqual(status, 422, "an administrator gives no such password either")

    def test_second_factor_required(self):
        """By configuration, or behind a proxy: nobody does anything but set one up."""
        for text, needed in (("second_factor: required\n", True), ("hosts: [vedette.example.org]\n", True),
                             ("hosts: [vedette.example.org]\nsecond_factor: optional\n", False)):
            d = Daemon(text)
            c = Client(d)
            self.assertEqual(c.call("POST", "/api/v1/setup", {"token": d.setup_token(), "name": "admin", "password": PASSWORD})[0], 201)
            status, me = c.login()
            self.assertEqual((status, me.get("second_factor_setup", False)), (201, needed))
            status, o = c.call("GET", "/api/v1/users")
            self.assertEqual(status, 403 if needed else 200, o)
            if needed:
                self.assertEqual(o["error"]["code"], "second_factor_setup")
                self.assertEqual(c.call("GET", "/api/v1/session")[1]["second_factor_setup"], True)
                _, o = c.call("POST", "/api/v1/session/totp")
                self.assertEqual(c.call("GET", "/api/v1/users")[0], 403, "not before it is confirmed")
                self.assertEqual(c.call("POST", "/api/v1/session/totp/confirm", {"code": totp(o["secret"])})[0], 200)
                self.assertEqual(c.call("GET", "/api/v1/users")[0], 200)
                self.assertNotIn("second_factor_setup", c.call("GET", "/api/v1/session")[1])
            rc, _, err = d.stop()
            self.assertEqual(rc, 0, err)

    def test_etag_and_pages(self):
        status, o = self.admin.call("GET", "/api/v1/policies")
        self.assertEqual((status, o["next"]), (200, None))
        etag = self.admin.headers["ETag"]
        self.assertEqual(self.admin.call("GET", "/api/v1/policies", headers={"If-None-Match": etag})[0], 304)
        self.assertEqual(self.admin.call("GET", "/api/v1/watchlists?limit=101")[0], 400)
        self.assertEqual(self.admin.call("GET", "/api/v1/watchlists?after=zz")[0], 400)
        items = self.admin.call("GET", "/api/v1/cameras")[1]["items"]
        self.assertIn({"id": "north", "added": False, "state": "idle", "preview": False}, items)

    def test_cameras_added(self):
        """Added, kept sealed, tested, removed; paths and odd addresses are refused."""
        secret = "hunter2-camera"
        body = {"id": "west", "url": f"rtsp://u:{secret}@127.0.0.1:1/x"}
        self.assertEqual(self.admin.call("POST", "/api/v1/cameras", body)[0], 201)
        self.assertEqual(self.admin.call("POST", "/api/v1/cameras", body)[0], 409)
        for bad in ("/etc/passwd", "file:///etc/passwd", "rtsp://", "concat:a|b", "rtsp://a b", "http://a\n", 7):
            self.assertEqual(self.admin.call("POST", "/api/v1/cameras", {"id": "x", "url": bad})[0], 422, bad)
        self.assertEqual(self.admin.call("POST", "/api/v1/cameras", {"id": "../x", "url": "rtsp://a/"})[0], 422)
        status, text = self.admin.call("GET", "/api/v1/cameras")
        self.assertIn({"id": "west", "added": True, "state": "idle", "preview": False}, text["items"])
        self.assertNotIn(secret, json.dumps(text))
        status, o = self.admin.call("POST", "/api/v1/cameras/west/test")
        self.assertEqual((status, o["ok"]), (200, False))
        self.assertTrue(o["troubles"])
        self.assertNotIn(secret, json.dumps(o))
        for name in os.listdir(self.d.dir.name + "/state/store"):
            with open(self.d.dir.name + "/state/store/" + name, "rb") as f:
                self.assertNotIn(secret.encode(), f.read(), name)
        self.assertEqual(self.admin.call("DELETE", "/api/v1/cameras/west")[0], 204)
        self.assertEqual(self.admin.call("DELETE", "/api/v1/cameras/north")[0], 404, "the configuration's stays")

    def test_idempotency(self):
        """A watchlist cannot be made here (no right): a camera's test can be asked for again."""
        c, h = self.admin, {"Idempotency-Key": "k-1"}
        self.assertEqual(c.call("POST", "/api/v1/cameras/north/test", headers=h)[0], 200)
        first = c.headers["X-Request-Id"]
        status, again = c.call("POST", "/api/v1/cameras/north/test", headers=h)
        self.assertEqual((status, c.headers["Idempotent-Replayed"]), (200, "true"))
        self.assertNotEqual(c.headers["X-Request-Id"], first)
        status, o = c.call("POST", "/api/v1/cameras/north/test", {"x": 1}, headers=h)
        self.assertEqual((status, o["error"]["code"]), (422, "idempotency_key_reused"))
        self.assertEqual(c.call("POST", "/api/v1/cameras/north/test", headers={"Idempotency-Key": "x" * 129})[0], 400)
        body = {"jurisdiction": "nowhere", "purpose": "x", "name": "y"}  # a failure is not kept
        for _ in range(2):
            self.assertGreaterEqual(c.call("POST", "/api/v1/watchlists", body, headers={"Idempotency-Key": "k-2"})[0], 400)
            self.assertNotIn("Idempotent-Replayed", c.headers)

    def test_if_match(self):
        c = self.admin
        self.assertEqual(c.call("PUT", "/api/v1/users/ifm", {"roles": "operator", "password": PASSWORD})[0], 200)
        self.assertEqual(c.call("GET", "/api/v1/users/ifm")[1]["roles"], "operator")
        tag = c.headers["ETag"]
        self.assertEqual(c.call("PUT", "/api/v1/users/ifm", {"roles": "watchlist-manager"}, headers={"If-Match": tag})[0], 200)
        status, o = c.call("PUT", "/api/v1/users/ifm", {"roles": "operator"}, headers={"If-Match": tag})
        self.assertEqual((status, o["error"]["code"]), (412, "changed"))
        self.assertEqual(c.call("GET", "/api/v1/users/ifm")[1]["roles"], "watchlist-manager")
        self.assertEqual(c.call("PUT", "/api/v1/users/ifm", {"roles": "operator"}, headers={"If-Match": "x"})[0], 400)
        self.assertEqual(c.call("GET", "/api/v1/users/nobody-here")[0], 404)
        self.assertEqual(c.call("POST", "/api/v1/policies/trust", {"jurisdiction": "a\r\nb", "anchor": "0" * 64})[0], 422)

    def test_strict_json(self):
        for raw, code in ((b"{", "invalid_json"), (b"[]", "invalid_json"), (b'{"name":1,"name":2}', "invalid_json"),
                          (b"[" * 60000, "invalid_json"), (b"\xff\xfe", "invalid_json"), (b'{"a":"\\u0000"}', "invalid_json"),
                          (b'{"name":"a","password":"b","x":1}', "unknown_field"), (b'{"name":"a"}', "missing_field"),
                          (b'{"name":1,"password":[]}', "invalid")):  # fmt: skip
            status, o = Client(self.d).call("POST", "/api/v1/session", raw=raw, headers={"Content-Type": "application/json"})
            self.assertEqual(o["error"]["code"], code, raw[:40])
        self.assertEqual(Client(self.d).call("POST", "/api/v1/session", raw=b"a=b")[0], 415)

    def test_methods_and_paths(self):
        c = Client(self.d)
        self.assertEqual(c.call("DELETE", "/health")[0], 405)
        self.assertEqual(c.headers["Allow"], "GET")
        for path in ("/nothing", "/api/v1/alerts/%2e%2e/x", "/assets/..%2f..%2fetc%2fpasswd", "/assets/%00", "//", "/api/v2/session"):
            self.assertEqual(c.call("GET", path)[0], 404, path)
        self.assertEqual(self.admin.call("GET", "/api/v1/alerts/xyz")[0], 404)
        self.assertIn(self.admin.call("GET", "/api/v1/deployments/" + "0" * 32)[0], (403, 404))

    def test_nothing_is_cached(self):
        for path in ("/api/v1/session", "/api/v1/users", "/api/v1/nothing", "/health"):
            self.admin.call("GET", path)
            self.assertIn(self.admin.headers["Cache-Control"], ("no-store", "no-cache, private"), path)
        for method in ("TRACE", "CONNECT", "PATCH"):
            self.assertIn(Client(self.d).call(method, "/health")[0], (400, 405, 501), method)

    def test_too_much(self):
        self.assertEqual(Client(self.d).call("POST", "/api/v1/session", raw=b"x" * 70000, headers={"Content-Type": "application/json"})[0], 413)
        s = self.raw(b"POST /api/v1/session HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n" + b"10000\r\n" + b"x" * 65536 + b"\r\n10\r\n" + b"x" * 16 + b"\r\n0\r\n\r\n")
        self.assertIn(b" 413 ", s[:20])
        s = self.raw(b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"y" * 200000 + b"\r\n\r\n")
        self.assertTrue(s == b"" or s[9:12] in (b"413", b"431", b"414"), s[:40])

    def raw(self, data):
        s = socket.create_connection(("127.0.0.1", self.d.port), timeout=10)
        try:
            s.sendall(data)
            return s.recv(4096)
        except OSError:
            return b""
        finally:
            s.close()

    def test_malformed(self):
        rows = [b"\r\n\r\n", b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n", b"\x00" * 100, os.urandom(2000),
                b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
                b"POST /api/v1/session HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999999999999999\r\n\r\n",
                b"POST /api/v1/session HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"]  # fmt: skip
        for row in rows:
            s = socket.create_connection(("127.0.0.1", self.d.port), timeout=5)
            try:
                s.sendall(row)
                s.shutdown(socket.SHUT_WR)
                answer = s.recv(4096)
                self.assertFalse(answer.startswith(b"HTTP/1.1 2"), row[:60])
            except OSError:
                pass
            s.close()
        self.assertEqual(Client(self.d).call("GET", "/health")[0], 200)

    def test_slow_clients_stall_nobody(self):
        slow = []
        for _ in range(60):
            s = socket.create_connection(("127.0.0.1", self.d.port))
            s.sendall(b"GET /health HTTP/1.1\r\nHost: loc")
            slow.append(s)
        took = []
        for _ in range(50):
            began = time.monotonic()
            self.assertEqual(Client(self.d).call("GET", "/health")[0], 200)
            took.append(time.monotonic() - began)
        self.assertLess(sorted(took)[45], 5, "nobody waits until the slow ones are given up")
        for s in slow:
            s.close()

    def events(self, last=None):
        s = socket.create_connection(("127.0.0.1", self.d.port), timeout=10)
        h = f"Last-Event-ID: {last}\r\n" if last is not None else ""
        s.sendall(f"GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\nCookie: {self.admin.cookie}\r\n{h}\r\n".encode())
        return s

    @staticmethod
    def read_until(s, want, seconds=5):
        got, end = b"", time.monotonic() + seconds
        while time.monotonic() < end and not want(got):
            if select.select([s], [], [], 0.1)[0]:
                more = s.recv(65536)
                if not more:
                    break
                got += more
        return got

    def test_events(self):
        """50 streams, some not read: each reader gets every event once; who was away gets what it missed."""
        n = 50
        streams = [self.events() for _ in range(n)]
        for s in streams:
            self.assertIn(b"retry:", self.read_until(s, lambda g: b"retry:" in g))
        os.kill(self.d.p.pid, signal.SIGHUP)  # config.changed is an event
        began, worst = time.monotonic(), 0.0
        for s in streams[:-5]:
            got = self.read_until(s, lambda g: b"config.changed" in g and g.endswith(b"\r\n"), 20)
            worst = max(worst, time.monotonic() - began)
            self.assertEqual(got.count(b"event: config.changed"), 1)
        print(f"50 event streams: the last has it after {worst * 1000:.0f} ms", file=sys.stderr)
        last = int(re.findall(rb"id: (\d+)", got)[-1])
        for s in streams:
            s.close()
        for _ in range(3):
            os.kill(self.d.p.pid, signal.SIGHUP)
            time.sleep(0.2)
        s = self.events(last)
        got = self.read_until(s, lambda g: g.count(b"event: config.changed") == 3)
        self.assertEqual(got.count(b"event: config.changed"), 3)
        ids = [int(x) for x in re.findall(rb"id: (\d+)", got)]
        self.assertEqual(ids, sorted(set(ids)))
        self.assertGreater(ids[0], last)
        s.close()
        self.assertEqual(self.admin.call("GET", "/api/v1/events", headers={"Last-Event-ID": "99999999"})[0], 400)
        self.assertEqual(self.admin.call("GET", "/api/v1/events", headers={"Last-Event-ID": "x"})[0], 400)

    def test_watchdog(self):
        got = {self.d.notify.recv(100) for _ in range(3)}
        self.assertIn(b"WATCHDOG=1", got)

    def test_rate(self):
        c = http.client.HTTPConnection("127.0.0.1", self.d.port)
        began, n = time.monotonic(), 1000
        for _ in range(n):
            c.request("GET", "/api/v1/session", headers={"Cookie": self.admin.cookie})
            self.assertEqual(c.getresponse().read()[:1], b"{")
        print(f"one keep-alive client: {n / (time.monotonic() - began):.0f} requests/s", file=sys.stderr)
        c.close()


class Restart(unittest.TestCase):
    def test_state_survives(self):
        d = Daemon()
        self.assertEqual(Client(d).call("POST", "/api/v1/setup", {"token": d.setup_token(), "name": "admin", "password": PASSWORD})[0], 201)
        other = subprocess.run([BIN, "serve", "-c", d.config, "--state", d.dir.name + "/state"], capture_output=True, text=True)
        self.assertEqual(other.returncode, 1, "two daemons on one state")
        self.assertEqual(d.stop()[0], 0)
        d.start()
        c = Client(d)
        self.assertEqual(c.login()[0], 201)
        d.p.kill()
        d.stop()
        d.start()
        self.assertEqual(c.call("GET", "/api/v1/session")[0], 401, "sessions end with the process")
        self.assertEqual(c.login()[0], 201)
        self.assertEqual(d.stop()[0], 0)

    def test_refused_addresses_and_configurations(self):
        with tempfile.TemporaryDirectory() as t:
            for text, word in (("listen:\n  address: 0.0.0.0\n", "loopback"), ("listn: {}\n", ":1"), ("hosts: &a [b]\n", ":1")):
                with open(t + "/c.yaml", "w") as f:
                    f.write(text)
                r = subprocess.run([BIN, "serve", "-c", t + "/c.yaml", "--state", t + "/s"], capture_output=True, text=True, timeout=20)
                self.assertNotEqual(r.returncode, 0)
                self.assertIn(word, r.stderr)
            with open(t + "/c.yaml", "w") as f:
                f.write("cameras:\n  - id: a\n    url: rtsp://u:hunter2@x/\n")
            for verb in (["config", "check", t + "/c.yaml"], ["config", "effective", t + "/c.yaml"]):
                r = subprocess.run([BIN, *verb], capture_output=True, text=True)
                self.assertNotEqual(r.returncode, 0)
                self.assertNotIn("hunter2", r.stdout + r.stderr)

    def test_unix_socket(self):
        with tempfile.TemporaryDirectory() as t:
            with open(t + "/c.yaml", "w") as f:
                f.write(f"listen:\n  unix: {t}/http.sock\n")
            p = subprocess.Popen([BIN, "serve", "-c", t + "/c.yaml", "--state", t + "/s"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            p.stdout.readline()
            s = socket.socket(socket.AF_UNIX)
            s.connect(t + "/http.sock")
            s.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
            self.assertIn(b" 200 ", s.recv(100))
            s.close()
            p.terminate()
            self.assertEqual(p.wait(10), 0)
            self.assertFalse(os.path.exists(t + "/http.sock"))
            p.stdout.close()
            p.stderr.close()


if __name__ == "__main__":
    unittest.main()
