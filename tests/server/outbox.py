#!/usr/bin/env python3
"""What leaves the machine: webhooks against a receiver that is away, fails, redirects, lies inside; MQTT against Debian's
broker, which is restarted. Every message against the JSON Schema that the daemon serves."""
import base64
import hashlib
import hmac
import http.server
import json
import pathlib
import shutil
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
import unittest

import world
from world import harness

try:
    import jsonschema_rs
except ImportError:
    harness.skip("no jsonschema_rs: run tools/setup --test, then .cache/venv/bin/python")
BROKER = shutil.which("mosquitto") or shutil.which("/usr/sbin/mosquitto")
if not BROKER:
    harness.skip("no mosquitto: run tools/setup --test")
SECRET = "a secret of more than 24 characters"


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Receiver:
    """answers: what to say, in turn; the last stays."""

    def __init__(self, port, answers=(204,)):
        self.got, self.answers = [], list(answers)
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                code = outer.answers.pop(0) if len(outer.answers) > 1 else outer.answers[0]
                outer.got.append((code, dict(self.headers), body))
                self.send_response(code)
                if code == 302:
                    self.send_header("Location", f"http://127.0.0.1:{port}/elsewhere")
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *a):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def good(self):
        return [json.loads(b) for c, _, b in self.got if c < 300]

    def close(self):
        self.server.shutdown()
        self.server.server_close()


def varint(n):
    out = b""
    while True:
        out += bytes([n % 128 | (128 if n > 127 else 0)])
        n //= 128
        if not n:
            return out


class Subscriber(threading.Thread):
    """MQTT 5, QoS 1, everything: (topic, payload, retained, qos, seconds until it expires)."""

    def __init__(self, port):
        super().__init__(daemon=True)
        self.port, self.got, self.up, self.s = port, [], False, None
        self.start()

    def run(self):
        while True:
            try:
                self.session()
            except OSError:
                self.up = False
                if self.s:
                    self.s.close()
                time.sleep(0.2)

    def packet(self):
        head, n, k = self.exact(1)[0], 0, 0
        while True:
            b = self.exact(1)[0]
            n |= (b & 127) << k
            k += 7
            if b < 128:
                return head, self.exact(n)

    def exact(self, n):
        out = b""
        while len(out) < n:
            more = self.s.recv(n - len(out))
            if not more:
                raise OSError("closed")
            out += more
        return out

    def session(self):
        self.s = socket.create_connection(("127.0.0.1", self.port), timeout=60)
        name = b"test-subscriber"
        body = b"\0\4MQTT\5\2\0\x3c\0" + struct.pack(">H", len(name)) + name
        self.s.sendall(b"\x10" + varint(len(body)) + body)
        self.packet()
        body = b"\0\1\0\0\1#\1"
        self.s.sendall(b"\x82" + varint(len(body)) + body)
        while True:
            head, p = self.packet()
            if head >> 4 == 9:
                self.up = True
            if head >> 4 != 3:
                continue
            n, qos = struct.unpack(">H", p[:2])[0], head >> 1 & 3
            topic, at = p[2:2 + n].decode(), 2 + n
            if qos:
                self.s.sendall(b"\x40\x02" + p[at:at + 2])
                at += 2
            props_n = p[at]  # short ones only
            props, at = p[at + 1:at + 1 + props_n], at + 1 + props_n
            expiry, k = None, 0
            while k < len(props):
                if props[k] == 2:
                    expiry, k = struct.unpack(">I", props[k + 1:k + 5])[0], k + 5
                elif props[k] == 3:
                    k += 3 + struct.unpack(">H", props[k + 1:k + 3])[0]
                else:
                    k += 2
            self.got.append((topic, p[at:].decode(), head & 1, qos, expiry))

    def of(self, topic):
        return [x for x in self.got if x[0] == topic]


class Outbox(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        crowd, picture = world.need()
        cls.dir = world.scratch()
        f = pathlib.Path(cls.dir.name)
        (f / "hook.secret").write_text(SECRET + "\n")
        cls.away, cls.turning, cls.broker_port = free_port(), free_port(), free_port()
        (f / "broker.conf").write_text(f"listener {cls.broker_port} 127.0.0.1\nallow_anonymous true\npersistence false\n")
        cls.start_broker()
        cls.sub = Subscriber(cls.broker_port)
        hook = lambda name, url, more="": f'  - {{name: {name}, url: "{url}", secret_file: {f}/hook.secret{more}}}\n'  # noqa: E731
        cls.elsewhere = Receiver(cls.turning, (302, 204))
        cls.w = world.World(f, crowd, "public_url: https://vedette.example.org\nwebhooks:\n"
                            + hook("desk", f"http://127.0.0.1:{cls.away}/hook", ", internal: true")
                            + hook("turning", f"http://127.0.0.1:{cls.turning}/hook", ", internal: true")
                            + hook("inside", f"https://localhost:{cls.turning}/hook")
                            + f"mqtt: {{host: 127.0.0.1, port: {cls.broker_port}, site: main, discovery: true}}\n")  # fmt: skip
        cls.w.lawful(picture)
        cls.back = Receiver(cls.away, (500, 503, 204))  # it was away until now
        world.wait_for("an alert", 40, lambda: cls.w.people["brown"].get("alerts")["items"])
        cls.schema = jsonschema_rs.validator_for(cls.w.people["brown"].get("events/schema"))

    @classmethod
    def start_broker(cls):
        cls.broker = subprocess.Popen([BROKER, "-c", cls.dir.name + "/broker.conf"], stderr=subprocess.DEVNULL)
        world.wait_for("the broker", 10, lambda: socket.socket().connect_ex(("127.0.0.1", cls.broker_port)) == 0)

    @classmethod
    def tearDownClass(cls):
        try:
            rc = cls.w.stop()
            assert rc == 0, rc
            assert "Sanitizer" not in cls.w.logs()
            assert SECRET not in cls.w.logs()
        finally:
            cls.broker.terminate()
            cls.broker.wait()
            cls.dir.cleanup()

    def test_1_nothing_is_lost_while_it_is_away(self):
        brown = self.w.people["brown"]
        alert = brown.get("alerts")["items"][0]
        brown.post(f"alerts/{alert['id']}/decision", {"verdict": "match"})
        r = self.back
        try:
            world.wait_for("the decision", 60, lambda: any(m["type"] == "alert.adjudicated" for m in r.good()))
            got = r.good()
            self.assertEqual([m["type"] for m in got][:2], ["deployment.authorised", "deployment.started"])
            seqs = [m["seq"] for m in got]
            self.assertEqual(seqs, sorted(set(seqs)), "in order, each once")
            tries = [h["Idempotency-Key"] for _, h, _ in r.got[:3]]
            self.assertEqual(len(set(tries)), 1, "one event, one key, however often it is tried")
            raised = next(m for m in got if m["type"] == "alert.raised")
            self.assertEqual((raised["alert"], raised["camera"], raised["person_ref"]), (alert["id"], "van-1", self.w.entry))
            self.assertEqual(raised["expires_at"][:19], alert["expires_at"][:19])
            self.assertTrue(raised["review_url"].startswith("https://vedette.example.org/"))
            for code, h, body in r.got:
                self.schema.validate(json.loads(body))
                self.assertNotIn(b"Walker", body, "no name leaves")
                self.assertNotIn(b"brown", body, "nor who judged")
                self.assertNotIn(b"match", body, "nor how (R31)")
                want = hmac.new(SECRET.encode(), b".".join([h["webhook-id"].encode(), h["webhook-timestamp"].encode(), body]), hashlib.sha256)
                self.assertEqual(h["webhook-signature"], "v1," + base64.b64encode(want.digest()).decode())
                self.assertLess(abs(int(h["webhook-timestamp"]) - time.time()), 30)
        finally:
            r.close()

    def test_2_restart_and_away_again(self):
        brown = self.w.people["brown"]
        brown.post(f"deployments/{self.w.deployment}/stop", {"reason": "test"})
        time.sleep(0.5)
        self.w.stop(signal.SIGKILL)
        self.w.start().log_in()
        r = Receiver(self.away)
        try:
            world.wait_for("the stop", 30, lambda: any(m["type"] == "deployment.stopped" for m in r.good()))
            self.assertNotIn("deployment.authorised", [m["type"] for m in r.good()], "it goes on where it was")
        finally:
            r.close()

    def test_3_no_redirect_and_not_inside(self):
        paths = [json.loads(b)["type"] for c, _, b in self.elsewhere.got if c == 302]
        self.assertEqual(len(paths), 1)
        self.assertNotIn("/elsewhere", self.w.logs())
        world.wait_for("tried again at the same place", 20, lambda: len(self.elsewhere.good()) > 2)
        self.assertIn("webhook inside leads to this machine or a private network", self.w.logs())
        text = Client_metrics(self.w.port)
        self.assertRegex(text, r'vedette_outbox_sent_total\{receiver="inside"\} 0')

    def test_4_mqtt(self):
        raised = world.wait_for("an alert by MQTT", 10, lambda: [x for x in self.sub.of("vedette/main/alert") if "alert.raised" in x[1]])[0]
        m = json.loads(raised[1])
        self.schema.validate(m)
        self.assertEqual((raised[2], raised[3]), (0, 1), "never retained, QoS 1")
        self.assertTrue(0 < raised[4] <= 600, "it expires with the alert")
        self.assertEqual(m["event_type"], "raised")
        self.assertNotIn("Walker", raised[1])
        config = json.loads(self.sub.of("homeassistant/event/vedette_main/alert/config")[0][1])
        self.assertEqual((config["state_topic"], config["qos"]), ("vedette/main/alert", 1))
        self.assertIn("raised", config["event_types"])
        self.assertTrue(self.sub.of("homeassistant/binary_sensor/vedette_main/camera_van-1/config"))
        self.assertIn("online", [x[1] for x in self.sub.of("vedette/main/camera/van-1/status")])
        self.broker.terminate()
        self.broker.wait()
        self.sub.got.clear()
        self.start_broker()
        world.wait_for("a birth at the new broker", 40, lambda: [x for x in self.sub.of("vedette/main/status") if x[1] == "online"])
        late = Subscriber(self.broker_port)
        world.wait_for("subscribed", 10, lambda: late.up)
        time.sleep(1.5)
        kept = {x[0] for x in late.got if x[2]}
        self.assertIn("vedette/main/status", kept)
        self.assertFalse([t for t in kept if t.endswith(("/alert", "/deployment"))], "what happened is not retained")
        self.w.stop(signal.SIGKILL)
        world.wait_for("the will", 30, lambda: [x for x in self.sub.of("vedette/main/status") if x[1] == "offline"])
        self.w.start().log_in()


def Client_metrics(port):
    import urllib.request
    return urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics").read().decode()


if __name__ == "__main__":
    unittest.main()
