#!/usr/bin/env python3
"""The daemon with a camera that runs: previews, camera states, claims, papers, proofs; a stop of the service suspends."""
import base64
import hashlib
import re
import signal
import sys
import time
import unittest

import world


class Live(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.crowd, cls.picture = world.need()
        cls.dir = world.scratch()
        cls.w = world.World(cls.dir.name, cls.crowd).lawful(cls.picture)

    @classmethod
    def tearDownClass(cls):
        rc = cls.w.stop()
        cls.dir.cleanup()
        assert rc == 0, rc

    def camera(self):
        return next(c for c in self.w.people["brown"].get("cameras")["items"] if c["id"] == "van-1")

    def snapshot(self):
        def ask():
            status, jpeg = self.w.people["brown"].call("GET", "cameras/van-1/snapshot.jpg")
            self.assertIn(status, (200, 503))  # 503: no picture yet
            return status == 200 and jpeg
        return world.wait_for("a picture of the camera", 90, ask)

    def test_1_camera_state_and_pictures(self):
        brown = self.w.people["brown"]
        c = world.wait_for("a live camera", 20, lambda: (c := self.camera())["state"] == "live" and c)
        self.assertEqual((c["preview"], c["deployment"]), (True, "main-street"))
        jpeg = self.snapshot()
        self.assertEqual((jpeg[:2], jpeg[-2:]), (b"\xff\xd8", b"\xff\xd9"))
        self.assertEqual(self.w.people["alice"].call("GET", "cameras/van-1/snapshot.jpg")[0], 403, "an administrator sees no faces")
        self.assertEqual(brown.call("GET", "cameras/other/snapshot.jpg")[0], 404)
        n, began = 0, time.monotonic()
        while n < 4 and time.monotonic() - began < 120:  # a stream ends when no picture comes: one asks again
            conn, r = brown.raw("GET", "cameras/van-1/preview.mjpeg")
            self.assertEqual(r.getheader("Content-Type"), "multipart/x-mixed-replace; boundary=vedette-picture")
            got = b""
            while (more := r.read1(65536)) and time.monotonic() - began < 120 and got.count(b"--vedette-picture\r\n") < 6:
                got += more
            conn.sock and conn.sock.close()
            conn.close()
            parts = got.split(b"--vedette-picture\r\n")
            for p in parts[1:-1]:
                m = re.fullmatch(rb"Content-Type: image/jpeg\r\nContent-Length: (\d+)\r\n\r\n(.*)\r\n", p, re.S)
                self.assertTrue(m, p[:80])
                self.assertEqual(int(m.group(1)), len(m.group(2)))
                n += 1
        took = time.monotonic() - began
        print(f"a preview shows {n / took:.1f} pictures a second", file=sys.stderr)
        self.assertGreaterEqual(n, 4)
        self.assertLessEqual(n, 12 * (took + 1), "a preview is no video")
        rows = [e for e in self.w.people["ada"].get("audit/entries?limit=100")["items"]]
        more = self.w.people["ada"].get(f"audit/entries?limit=100&after={rows[-1]['seq']}")["items"] if len(rows) == 100 else []
        looks = [e for e in rows + more if e["kind"] == "record.read" and "pictures of camera van-1" in str(e)]
        self.assertEqual(len(looks), 1, "a look is in the record once in ten minutes")

    def test_2_slow_viewers_stall_nobody(self):
        brown = self.w.people["brown"]

        def rate():
            before, began = self.camera()["frames"], time.monotonic()
            world.wait_for("ten more frames", 90, lambda: self.camera()["frames"] - before >= 10)
            return (self.camera()["frames"] - before) / (time.monotonic() - began)

        alone = rate()
        open_ = [brown.raw("GET", "cameras/van-1/preview.mjpeg") for _ in range(60)]  # never read
        try:
            beside = rate()
            print(f"frames a second: {alone:.1f} alone, {beside:.1f} with 60 viewers that do not read", file=sys.stderr)
            self.snapshot()
            more = [brown.raw("GET", "cameras/van-1/preview.mjpeg") for _ in range(8)]
            self.assertIn(503, [r.status for _, r in more], "streams are bounded")
            open_ += more
        finally:
            for c, _ in open_:
                c.close()

    def test_3_alert_and_claim(self):
        brown, green, ada = (self.w.people[n] for n in ("brown", "green", "ada"))
        a = world.wait_for("an alert", 30, lambda: brown.get("alerts")["items"])[0]
        self.assertIsNone(a["claimed_by"])
        models = {m["role"]: m for m in brown.get("system")["models"]}
        self.assertEqual(sorted(models), ["detector", "recogniser", "refiner"])
        self.assertAlmostEqual(models["recogniser"]["threshold"], 0.447, 3)
        named = brown.get(f"alerts?ids={'0' * 32},{a['id']}")
        self.assertEqual(([x["id"] for x in named["items"]], named["next"]), ([a["id"]], None))
        for bad in ("", "x" * 32, a["id"] + ",", a["id"] + "0", ",".join([a["id"]] * 51), a["id"] + "&after=1-" + "0" * 32):
            self.assertEqual(brown.call("GET", f"alerts?ids={bad}")[0], 400, bad)
        self.assertEqual(brown.post(f"alerts/{a['id']}/claim")["claimed_by"], "brown")
        self.assertEqual(green.get(f"alerts/{a['id']}")["claimed_by"], "brown")
        status, o = green.call("POST", f"alerts/{a['id']}/claim", {})
        self.assertEqual((status, o["error"]["code"]), (409, "mismatch"))
        self.assertEqual(green.call("POST", f"alerts/{a['id']}/decision", {"verdict": "match"})[0], 409)
        self.assertEqual(ada.call("POST", f"alerts/{a['id']}/claim", {})[0], 403)
        brown.post(f"alerts/{a['id']}/decision", {"verdict": "match"})
        self.assertIsNone(green.get(f"alerts/{a['id']}")["claimed_by"], "the second is not told who was first (R31)")
        self.assertEqual(green.get(f"alerts/{a['id']}")["reviews"], [])
        for part in ("probe", "reference"):
            status, jpeg = green.call("GET", f"alerts/{a['id']}/pictures/{part}")
            self.assertEqual((status, jpeg[:2]), (200, b"\xff\xd8"))

    def test_4_proof(self):
        ada = self.w.people["ada"]
        o = ada.get("audit/entries/5/proof")
        lines = o["proof"].split("\n")
        at = lines.index("")
        hashes = [base64.b64decode(x) for x in lines[:at] if re.fullmatch(r"[A-Za-z0-9+/]{43}=", x)]
        note = lines[at + 1:]
        size, root = int(note[1]), base64.b64decode(note[2])
        h, i, n = hashlib.sha256(b"\0" + o["entry"].encode()).digest(), 5, size - 1
        for p in hashes:  # RFC 9162, 2.1.3.2
            if i & 1 or i == n:
                h = hashlib.sha256(b"\1" + p + h).digest()
                while not i & 1 and i:
                    i, n = i >> 1, n >> 1
            else:
                h = hashlib.sha256(b"\1" + h + p).digest()
            i, n = i >> 1, n >> 1
        self.assertEqual(h, root)
        self.assertEqual(ada.call("GET", "audit/entries/99999999/proof")[0], 404)
        self.assertEqual(self.w.people["brown"].call("GET", "audit/entries/5/proof")[0], 403)

    def test_5_papers(self):
        ada, today = self.w.people["ada"], world.when(0)[:10]
        o = ada.get(f"reports/changes?from={today}&to={world.when(86400)[:10]}")
        self.assertIsInstance(o, dict)
        status, page = ada.call("GET", f"reports/changes?from={today}&to={world.when(86400)[:10]}&format=html")
        self.assertEqual((status, page[:9].lower()), (200, b"<!doctype"))
        self.assertEqual(ada.call("GET", f"reports/attestation?from={today}&to={world.when(86400)[:10]}")[0], 422, "the period is not over")
        self.assertEqual(ada.call("GET", "reports/changes?from=yesterday")[0], 400)
        self.assertEqual(ada.call("GET", "reports/nonsense")[0], 404)
        self.assertEqual(ada.call("GET", f"deployments/{self.w.deployment}/record")[0], 404, "it has not ended")

    def test_5b_an_independent_test(self):
        """R53: pictures of one's own against the model that is deployed; no watchlist."""
        ada, c = self.w.people["ada"], self.w.people
        model = ada.get("evaluation/model")
        self.assertEqual(c["brown"].call("GET", "evaluation/model")[0], 403)
        one = ada.post("evaluation/sets")["id"]
        pictures = sorted(self.picture.parent.glob("*.jpg"))[:3] + [self.picture]
        for p in pictures:
            o = ada.post(f"evaluation/sets/{one}/images", {"name": p.name, "image": base64.b64encode(p.read_bytes()).decode()})
            self.assertIsNotNone(o["index"], o)
        o = ada.post(f"evaluation/sets/{one}/images", {"name": "none", "image": base64.b64encode(b"no picture").decode()})
        self.assertEqual((o["index"], o["usable"]), (None, False))
        rows = ada.get(f"evaluation/sets/{one}/scores")["items"]
        self.assertEqual([len(r["similarity"]) for r in rows], list(range(len(pictures))))
        same = [(i, j) for i, a in enumerate(pictures) for j in range(i) if pictures[j] == a]
        for i, r in enumerate(rows):
            for j, v in enumerate(r["similarity"]):
                (self.assertGreater if (i, j) in same else self.assertLess)(v, 0.999 if (i, j) in same else model["threshold"])
        page = ada.get(f"evaluation/sets/{one}/scores?limit=1")
        self.assertEqual((len(page["items"]), page["next"]), (1, "0"))
        self.assertEqual(ada.call("DELETE", f"evaluation/sets/{one}")[0], 204)
        self.assertEqual(ada.call("GET", f"evaluation/sets/{one}/scores")[0], 404)
        self.assertRegex(model["model"], "^[0-9a-f]{64}$")

    def test_6_a_stop_of_the_service_suspends(self):
        w = self.w
        self.assertEqual(w.stop(), 0)
        w.start().log_in()
        brown = w.people["brown"]
        world.wait_for("the deployment goes on", 20, lambda: any(r["watching"] for r in brown.get("system")["running"]))
        self.assertEqual(brown.get(f"deployments/{w.deployment}")["state"], "running")
        kinds = [(e["kind"], e.get("deployment")) for e in self.entries()]
        self.assertIn(("service.stopped", "main-street"), kinds)
        self.assertNotIn("deployment.cancelled", [k for k, _ in kinds])
        w.stop(signal.SIGKILL)
        w.start().log_in()
        time.sleep(2)
        self.assertEqual(w.people["brown"].get("system")["running"], [], "after a crash a person starts it again")
        w.run()
        w.people["brown"].post(f"deployments/{w.deployment}/stop", {"reason": "enough"})
        w.stop()
        w.start().log_in()
        time.sleep(2)
        self.assertEqual(w.people["brown"].get("system")["running"], [], "what a person stopped does not start by itself (R6)")
        self.assertEqual(w.people["brown"].get(f"deployments/{w.deployment}")["state"], "ended")
        self.assertEqual(w.people["ada"].get(f"deployments/{w.deployment}/record")["deployment"], "main-street")

    def entries(self):
        after, out = -1, []
        while True:
            o = self.w.people["ada"].get(f"audit/entries?limit=100" + (f"&after={after}" if after >= 0 else ""))
            out += o["items"]
            if not o["next"]:
                return out
            after = int(o["next"])


if __name__ == "__main__":
    unittest.main()
