"""A lawful deployment over the API alone: users, a town's documents, a list, a plan, an authority, a start. Its camera is
the demo's crowd, played at its own pace. Standard library only."""
import base64
import datetime
import http.client
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))
import harness  # noqa: E402

PASSWORD = "correct horse battery"
TOWN = "us-ma-springfield"
PEOPLE = {"alice": "administrator", "jones": "authorising-officer", "miller": "watchlist-manager", "mason": "watchlist-manager",
          "brown": "operator", "green": "operator", "constable": "engagement-officer", "ada": "auditor"}  # fmt: skip


def need():
    if harness.SANITIZED:
        harness.skip("a camera in real time: instrumented kernels are too slow for it")
    harness.need_models()
    crowd, listed = harness.CACHE / "demo" / "crowd.mp4", harness.CACHE / "demo" / "watchlist"
    if not crowd.exists() or not list(listed.glob("*.jpg")):
        harness.skip("no crowd to watch: make demo makes one")
    harness.need_ffmpeg()
    return crowd, sorted(listed.glob("*.jpg"))[0]


def when(seconds):
    t = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=seconds)
    return t.strftime("%Y-%m-%dT%H:%M:%SZ")


class Client:
    def __init__(self, port):
        self.port, self.cookie, self.csrf, self.headers = port, None, None, {}

    def raw(self, method, path, body=None, headers=None):
        c = http.client.HTTPConnection("127.0.0.1", self.port, timeout=300)
        h = {"Cookie": self.cookie, "X-CSRF-Token": self.csrf} if self.cookie else {}
        if body is not None:
            h["Content-Type"] = "application/json"
            body = json.dumps(body)
        c.request(method, "/api/v1/" + path, body, {**h, **(headers or {})})
        return c, c.getresponse()

    def call(self, method, path, body=None, headers=None):
        c, r = self.raw(method, path, body, headers)
        data = r.read()
        c.close()
        self.headers = r.headers
        try:
            return r.status, json.loads(data) if data else None
        except ValueError:
            return r.status, data

    def get(self, path, **kw):
        status, o = self.call("GET", path, **kw)
        assert status == 200, (path, status, o)
        return o

    def post(self, path, body=None, **kw):
        status, o = self.call("POST", path, {} if body is None else body, **kw)
        assert status in (200, 201, 202), (path, status, o)
        return o

    def login(self, name):
        o = self.post("session", {"name": name, "password": PASSWORD})
        self.cookie, self.csrf = self.headers["Set-Cookie"].split(";")[0], o["csrf_token"]
        return self


class World:
    """folder/state, the daemon on it, and everybody logged in."""

    def __init__(self, folder, crowd, extra=""):
        self.folder, self.people = pathlib.Path(folder), {}
        self.crowd = self.folder / "crowd.mp4"
        harness.ffmpeg("-i", crowd, "-an", "-vf", "scale=1280:-2", "-c:v", "libx264", "-preset", "ultrafast", "-crf", "24", self.crowd)
        self.config = self.folder / "vedette.yaml"
        self.config.write_text(f'listen:\n  port: 0\ncameras:\n  - {{id: van-1, url: "{self.crowd}"}}\n' + extra)
        self.process = None

    def start(self):
        self.log = open(self.folder / "daemon.log", "ab")
        self.process = subprocess.Popen([str(harness.VEDETTE), "serve", "--json", "-c", str(self.config), "--state",
                                         str(self.folder / "state")], stdout=subprocess.PIPE, stderr=self.log, text=True)  # fmt: skip
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError((self.folder / "daemon.log").read_text())
        self.hello = json.loads(line)
        self.port = self.hello["port"]
        return self

    def stop(self, how=signal.SIGTERM):
        if self.process:
            self.process.send_signal(how)
            rc = self.process.wait(30)
            self.process.stdout.close()
            self.log.close()
            self.process = None
            return rc
        return 0

    def logs(self):
        return (self.folder / "daemon.log").read_text(errors="replace")

    def log_in(self):
        for name in self.people or PEOPLE:
            self.people[name] = Client(self.port).login(name)
        return self

    def set_up(self):
        c = Client(self.port)
        c.post("setup", {"token": self.hello["setup_token"], "name": "alice", "password": PASSWORD})
        alice = c.login("alice")
        for name, roles in PEOPLE.items():
            if name != "alice":
                status, o = alice.call("PUT", f"users/{name}", {"roles": roles, "password": PASSWORD, "training_until": when(86400 * 300)})
                assert status == 200, o
        return self.log_in()

    def cli(self, *args):
        word = self.folder / "password"
        word.write_text(PASSWORD + "\n")
        word.chmod(0o600)
        return harness.vedette(*args, "--json", env={"VEDETTE_PASSWORD_FILE": str(word)}).lines[0]

    def town(self):
        """What the council does, elsewhere: keys, pack, lease, approval."""
        f = self.folder
        keys = {c: self.cli("key", "new", f / f"{c}.key")["ed25519"] for c in ("clerk-1", "clerk-2", "clerk-3")}
        keys["officer"] = self.people["jones"].post("session/key", {"password": PASSWORD})["public_key"]
        pack = (harness.ROOT / "policies" / f"{TOWN}.yaml").read_text()
        named = "".join(f"  - {{id: {k}, role: {'authorising-officer' if k == 'officer' else 'legislator'}, ed25519: {v}}}\n"
                        for k, v in keys.items())  # fmt: skip
        pack = pack.replace("keys: []", "keys:\n" + named.rstrip())
        pack = pack.replace("evaluation_needed: true", "evaluation_needed: false").replace("fpir_max: 0.000001", "fpir_max: 0.001")
        (f / "pack.yaml").write_text(pack)
        (f / "rules.txt").write_text("the rules that the council approved\n")
        first = None
        for i, (kind, extra, signers) in enumerate((("pack", (), 3), ("lease", (), 1), ("approval", ("--rules", f / "rules.txt"), 3))):
            before = ("--after", f / f"{i - 1}.doc") if i else ("--jurisdiction", TOWN)
            doc = self.cli("policy", "sign", kind, *before, "--pack", f / "pack.yaml", *extra, "--key", f / "clerk-1.key",
                           "--id", "clerk-1", "--out", f / f"{i}.doc")  # fmt: skip
            for k in range(2, signers + 1):
                doc = self.cli("policy", "cosign", f / f"{i}.doc", "--key", f / f"clerk-{k}.key", "--id", f"clerk-{k}", "--out", f / f"{i}.doc")
            if not first:
                first = self.people["alice"].post("policies/trust", {"jurisdiction": TOWN, "anchor": doc["digest"]})
            body = {"document": (f / f"{i}.doc").read_text()}
            self.people["alice"].post("policies/documents", {**body, "pack": pack} if i == 0 else body)
        return self

    def enlist(self, picture, deployment="main-street"):
        miller = self.people["miller"]
        self.list = miller.post("watchlists", {"jurisdiction": TOWN, "purpose": "wanted-person", "name": "wanted"})["id"]
        o = miller.post(f"watchlists/{self.list}/entries", {
            "name": "Walker", "category": "court-warrant", "reason": "warrant 12/2026", "legal_basis": "warrant of the district court",
            "source": "police-record", "holding": "records office", "expires": when(86400 * 30), "image_date": when(-86400 * 30),
            "image": base64.b64encode(picture.read_bytes()).decode()})  # fmt: skip
        self.entry = o["id"]
        self.people["mason"].post(f"entries/{self.entry}/approve")
        miller.post(f"entries/{self.entry}/confirm", {"text": deployment})
        return self

    def plan(self, deployment="main-street", seconds=600, camera="van-1"):
        agency = {"agency": "springfield-ma-police", "jurisdiction": TOWN}
        square = [{"lat": a, "lon": b} for a, b in ((42.09, -72.60), (42.11, -72.60), (42.11, -72.58), (42.09, -72.58))]
        return self.people["miller"].post("plans", {
            "watchlist": self.list, "deployment": deployment, "purpose": "wanted-person", "legal_basis": "warrants of the district court",
            "start": when(-30), "end": when(seconds), "area": square,
            "cameras": [{"id": c, **agency, "lat": 42.1015, "lon": -72.5898} for c in ([camera] if isinstance(camera, str) else camera)],
            "controller": {"agency": "city-of-springfield-ma", "jurisdiction": TOWN}, "operator": agency, "recipients": [agency],
            "references": [{"kind": k, "ref": "2027/1", "until": when(86400 * 60)}
                           for k in ("council-approval", "dpia", "equality", "community-impact", "evaluation")],
            "notice": {"published": when(-72 * 3600), "waived": "none"}})["id"]  # fmt: skip

    def authorise(self, plan):
        o = self.people["jones"].post(f"plans/{plan}/authorise", {"password": PASSWORD})
        assert o["missing"] == 0, o
        self.deployment = o["deployment"]
        return self

    def run(self):
        self.people["brown"].post(f"deployments/{self.deployment}/start")
        return self

    def lawful(self, picture):
        """From nothing to a deployment that runs."""
        return self.start().set_up().town().enlist(picture).authorise(self.plan()).run()


def wait_for(what, seconds, fn, every=0.1):
    until = time.monotonic() + max(seconds, 90)  # a slow machine under a sanitizer is no failure
    while time.monotonic() < until:
        got = fn()
        if got:
            return got
        time.sleep(every)
    raise AssertionError(f"{what}: not within {max(seconds, 90)} s")


def scratch():
    return tempfile.TemporaryDirectory(prefix="vd-world-", ignore_cleanup_errors=True)


os.environ.setdefault("VEDETTE_BIN", str(harness.VEDETTE))
