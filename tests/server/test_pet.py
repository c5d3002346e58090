#!/usr/bin/env python3
"""The shelter's daemon, as a phone's browser speaks to it: forms, links, limits. No account, no script.

usage: test_pet.py VEDETTE       Exit 77: the pet models are not there.
"""
import html
import http.client
import json
import os
import re
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

PROGRAM = sys.argv.pop(1) if len(sys.argv) > 1 else "build/vedette"
ROOT = Path(__file__).resolve().parents[2]
CACHE = Path(os.environ.get("VEDETTE_CACHE", ROOT / ".cache"))


class Daemon:
    def __init__(self, config=None):
        self.dir = tempfile.TemporaryDirectory()
        self.config = Path(self.dir.name) / "c.yaml"
        args = [PROGRAM, "serve", "--profile", "pet", "--port", "0", "--json", "--state", self.dir.name + "/s"]
        if config:
            self.config.write_text(config)
            args += ["--config", str(self.config)]
        self.p = subprocess.Popen(args, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        line = self.p.stdout.readline()
        self.port = json.loads(line).get("port", 0) if line else 0

    def stop(self):
        self.p.terminate()
        out = self.p.communicate(timeout=30)
        self.dir.cleanup()
        return self.p.returncode, out


def call(port, method, path, fields=None, files=(), address="203.0.113.1", raw=None, kind=None):
    c = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    head, body = {"X-Forwarded-For": address}, None
    if raw is not None:
        body, head["Content-Type"] = raw, kind
    elif fields is not None:
        mark = "----vedette7"
        body = b""
        for k, v in fields.items():
            body += f'--{mark}\r\nContent-Disposition: form-data; name="{k}"\r\n\r\n{v}\r\n'.encode()
        for k, data in files:
            body += f'--{mark}\r\nContent-Disposition: form-data; name="{k}"; filename="x.jpg"\r\nContent-Type: image/jpeg\r\n\r\n'.encode()
            body += data + b"\r\n"
        body += f"--{mark}--\r\n".encode()
        head["Content-Type"] = f"multipart/form-data; boundary={mark}"
    c.request(method, path, body, head)
    r = c.getresponse()
    data = r.read()
    c.close()
    return r.status, data.decode("utf-8", "replace"), r


def chipped(kind, chip, **more):
    return {"kind": kind, "species": "cat", "chip": chip, **more}


class Shelter(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.d = Daemon()
        cls.n = 0

    @classmethod
    def tearDownClass(cls):
        rc, (out, err) = cls.d.stop()
        assert rc == 0, err

    def visitor(self):
        type(self).n += 1
        return f"198.51.100.{type(self).n}"

    def report(self, fields, files=(), address=None):
        status, text, r = call(self.d.port, "POST", "/pets/report", fields, files, address or self.visitor())
        return status, text, r.headers.get("Location", "")

    def test_pages_for_a_phone(self):
        for path in ("/", "/pets/lost", "/pets/found"):
            status, text, r = call(self.d.port, "GET", path)
            self.assertEqual(status, 200, path)
            self.assertIn('name="viewport"', text)
            self.assertNotIn("<script", text)
            self.assertIn("default-src 'none'", r.headers["Content-Security-Policy"])
            self.assertLess(len(text), 20000)
        self.assertIn("multipart/form-data", text)
        self.assertEqual(call(self.d.port, "GET", "/pets.css")[0], 200)

    def test_journey_by_chip(self):
        a = self.visitor()
        status, _, mine = self.report(chipped("lost", "981 000 000 000 001", name="<b>Mina</b>", contact="anna 0170",
                                              at="51.5, -0.12", place="Elm Street", about='"tabby" & shy'), address=a)
        self.assertEqual(status, 303)
        self.assertRegex(mine, r"^/pets/[0-9a-f]{32}\?key=[0-9a-f]{32}$")
        status, _, other = self.report(chipped("found", "981000000000001", place="Oak Road", at="51.501,-0.12"))
        self.assertEqual(status, 303)
        status, text, _ = call(self.d.port, "GET", mine)
        self.assertEqual(status, 200)
        self.assertIn("Same microchip number", text)
        self.assertIn("0.1 km away", text)
        self.assertIn(html.escape("<b>Mina</b>"), text)
        self.assertNotIn("<b>Mina", text)
        public = mine.split("?")[0]
        status, text, _ = call(self.d.port, "GET", public)
        self.assertNotIn("0170", text)  # never shown
        self.assertNotIn("981000000000001", text)
        self.assertNotIn(mine.split("key=")[1], text)
        # a finder writes; only the holder reads
        self.assertEqual(call(self.d.port, "POST", public + "/message", {"text": "she is in our shed <i>"})[0], 200)
        self.assertNotIn("in our shed", call(self.d.port, "GET", public)[1])
        self.assertIn("in our shed &lt;i&gt;", call(self.d.port, "GET", mine)[1])
        # not mine: gone from the list
        found = other.split("?")[0].split("/")[-1]
        key = mine.split("key=")[1]
        self.assertEqual(call(self.d.port, "POST", public + "/act", {"key": key, "what": "refuse", "other": found})[0], 303)
        self.assertNotIn("Same microchip", call(self.d.port, "GET", mine)[1])
        # a poster with a code, and nothing of the contact
        status, text, _ = call(self.d.port, "GET", public + "/poster")
        self.assertIn("<svg", text)
        self.assertNotIn("0170", text)
        # home again
        self.assertEqual(call(self.d.port, "POST", public + "/act", {"key": key, "what": "reunited"})[0], 303)
        self.assertIn("home again", call(self.d.port, "GET", public)[1])

    def test_no_key_no_deed(self):
        _, _, mine = self.report(chipped("lost", "981000000000002"))
        _, _, other = self.report(chipped("lost", "981000000000003"))
        public, wrong = mine.split("?")[0], other.split("key=")[1]
        self.assertEqual(call(self.d.port, "GET", f"{public}?key={wrong}")[0], 403)
        self.assertEqual(call(self.d.port, "GET", f"{public}?key=")[0], 403)
        for key in (wrong, "", "x" * 32):
            self.assertEqual(call(self.d.port, "POST", public + "/act", {"key": key, "what": "reunited"})[0], 403)
        self.assertNotIn("home again", call(self.d.port, "GET", public)[1])
        self.assertEqual(call(self.d.port, "GET", "/pets/" + "0" * 32)[0], 404)
        self.assertEqual(call(self.d.port, "GET", "/pets/zz")[0], 404)

    def test_what_is_missing_is_said(self):
        for fields, words in ((chipped("lost", ""), "picture or a microchip"), (chipped("lost", "12"), "15 digits"),
                              (chipped("lost", "981000000000004", at="here"), "Coordinates"),
                              (chipped("lost", "981000000000004", date="yesterday"), "day looks like"),
                              (chipped("lost", "981000000000004", name="x" * 200), "too long"),
                              (chipped("stolen", "981000000000004"), "lost or of a found"),
                              ({"kind": "lost", "chip": "981000000000004"}, "cat or a dog")):
            status, text, _ = self.report(fields)
            self.assertEqual(status, 422, fields)
            self.assertIn(words, html.unescape(text))
        self.assertEqual(self.report(chipped("lost", "981000000000004", website="spam"))[0], 400)

    def test_pictures(self):
        status, text, _ = self.report(chipped("lost", ""), [("photo", b"this is no picture")])
        self.assertIn(status, (422, 500))
        status, text, _ = self.report(chipped("lost", "981000000000005"), [("photo", b"x")] * 7)
        self.assertEqual(status, 422)
        photos = os.environ.get("VEDETTE_PET_PHOTOS") or ROOT / ".." / "shared" / "data" / "pets_cats" / "photos"
        cats = sorted(Path(photos).glob("*/*.jpg"))
        if not cats:
            print("SKIP: no photographs of cats here")
            return
        began = time.monotonic()
        mina = [p for p in cats if "mina" in str(p)]
        status, text, mine = self.report({"kind": "lost", "species": "cat", "at": "51.5,-0.1"}, [("photo", mina[0].read_bytes()), ("photo", mina[1].read_bytes())])
        self.assertEqual(status, 303, text)
        for p in (mina[4], cats[0], cats[20]):
            self.assertEqual(self.report({"kind": "found", "species": "cat", "at": "51.5,-0.1"}, [("photo", p.read_bytes())])[0], 303)
        status, text, _ = call(self.d.port, "GET", mine)
        self.assertGreaterEqual(text.count("Not mine"), 3)
        print(f"four cards with {5} photographs and a search: {time.monotonic() - began:.1f} s")
        status, data, r = call(self.d.port, "GET", mine.split("?")[0] + "/photo/0")
        self.assertEqual((status, r.headers["Content-Type"]), (200, "image/jpeg"))
        self.assertNotIn("Exif", data)
        for bad in ("9", "x", "-1", "00"):
            self.assertEqual(call(self.d.port, "GET", mine.split("?")[0] + "/photo/" + bad)[0], 404)

    def test_limits(self):
        who = self.visitor()
        codes = [self.report(chipped("lost", f"98200000000{i:04d}"), address=who)[0] for i in range(8)]
        self.assertEqual(codes, [303] * 6 + [429] * 2)
        status, text, r = call(self.d.port, "POST", "/pets/report", chipped("lost", "982000000001111"), address=who)
        self.assertEqual(r.headers["Retry-After"], "3600")
        # whoever makes up hops before the proxy's stays who they are
        self.assertEqual(self.report(chipped("lost", "982000000001112"), address="1.2.3.4, " + who)[0], 429)
        self.assertEqual(self.report(chipped("lost", "982000000001113"))[0], 303)  # others are not hit
        public = self.report(chipped("lost", "982000000001114"))[2].split("?")[0]
        who = self.visitor()
        codes = [call(self.d.port, "POST", public + "/message", {"text": "hello"}, address=who)[0] for _ in range(12)]
        self.assertEqual(codes, [200] * 10 + [429] * 2)

    def test_broken_forms(self):
        mark = "multipart/form-data; boundary=X"
        for raw, kind in ((b"", mark), (b"--X", mark), (b"--X\r\n\r\n", mark), (b"--X\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nb", mark),
                          (b"--X\r\nA: b\r\n\r\nc\r\n--X--", mark), (b"a" * 5000, mark), (b"{}", "application/json"), (b"x", "multipart/form-data"),
                          (b"--X\r\nContent-Disposition: form-data; name=\"" + b"n" * 100 + b"\"\r\n\r\nb\r\n--X--", mark),
                          (b"a&b&c", "application/x-www-form-urlencoded"),
                          (b"".join(b"--X\r\nContent-Disposition: form-data; name=\"k%d\"\r\n\r\nb\r\n" % i for i in range(99)) + b"--X--", mark)):
            self.assertIn(call(self.d.port, "POST", "/pets/report", raw=raw, kind=kind)[0], (400, 422), raw[:60])
        ok = b"kind=lost&species=cat&chip=98%31000000000099&about=a+b%26c"
        status, _, r = call(self.d.port, "POST", "/pets/report", raw=ok, kind="application/x-www-form-urlencoded", address=self.visitor())
        self.assertEqual(status, 303)
        self.assertIn("a b&amp;c", call(self.d.port, "GET", r.headers["Location"].split("?")[0])[1])

    def test_too_large(self):
        c = http.client.HTTPConnection("127.0.0.1", self.d.port, timeout=20)
        c.putrequest("POST", "/pets/report")
        c.putheader("Content-Type", "multipart/form-data; boundary=X")
        c.putheader("Content-Length", str(25 << 20))
        c.endheaders()
        self.assertEqual(c.getresponse().status, 413)
        c.close()

    def test_no_people(self):
        for method in ("GET", "POST"):
            for path in ("watchlists", "deployments", "alerts", "session", "setup", "plans", "policies"):
                status, text, _ = call(self.d.port, method, "/api/v1/" + path, raw=b"{}" if method == "POST" else None, kind="application/json")
                self.assertEqual(status, 403, path)
                self.assertEqual(json.loads(text)["error"]["code"], "profile")


class Refusals(unittest.TestCase):
    def test_cameras_are_refused(self):
        d = Daemon("cameras:\n  - id: gate\n    url: rtsp://127.0.0.1/x\n")
        rc, (_, err) = d.stop()
        self.assertNotEqual(rc, 0)
        self.assertIn("profile pet takes none", err)

    def test_other_profiles(self):
        p = subprocess.run([PROGRAM, "serve", "--profile", "wolf"], capture_output=True, text=True)
        self.assertEqual(p.returncode, 2)


if __name__ == "__main__":
    if not (CACHE / "models" / "nanodet.onnx").exists():
        print("SKIP: the pet models are not here (tools/setup --pets)")
        sys.exit(77)
    unittest.main()
