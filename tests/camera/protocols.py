"""Every way in which a camera may speak, and what it may not talk us into: RTSP over TCP and UDP, MJPEG, HLS
and TLS; redirects and playlists to others; passwords right and wrong; what others can see of a decoder."""
import functools
import http.server
import pathlib
import shutil
import ssl
import subprocess
import sys
import tempfile
import threading
import time

import rig
from faulty_proxy import Proxy

problems = []


def check(ok, what, w=None):
    print(("ok      " if ok else "PROBLEM ") + what, flush=True)
    if not ok:
        problems.append(what)
        if w:
            print(w.output()[-800:])


class Pages(http.server.SimpleHTTPRequestHandler):
    victim = None  # nobody may be led there

    def log_message(self, *_):
        pass

    def text(self, body):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(body.encode())

    def do_GET(self):
        away = f"http://127.0.0.2:{self.victim}"
        if self.path == "/mjpeg":
            pictures = sorted(pathlib.Path(self.directory).glob("m*.jpg"))
            self.send_response(200)
            self.send_header("Content-Type", "multipart/x-mixed-replace;boundary=b")
            self.end_headers()
            try:
                for i in range(100):
                    p = pictures[i % len(pictures)].read_bytes()
                    self.wfile.write(b"--b\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n" % len(p))
                    self.wfile.write(p + b"\r\n")
                    time.sleep(0.05)
            except OSError:
                pass
        elif self.path == "/redirect":
            self.send_response(302)
            self.send_header("Location", away + "/v.m3u8")
            self.end_headers()
        elif self.path == "/away.m3u8":
            self.text(f"#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\n{away}/s.ts\n#EXT-X-ENDLIST\n")
        elif self.path == "/file.m3u8":
            clip = pathlib.Path(self.directory) / "v0.ts"
            self.text(f"#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\nfile://{clip}\n#EXT-X-ENDLIST\n")
        else:
            super().do_GET()


class Victim(http.server.BaseHTTPRequestHandler):
    led = []

    def handle(self):
        self.led.append(self.client_address)


def serve(folder, certificate=None):
    s = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Pages, directory=str(folder)))
    if certificate:
        c = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        c.load_cert_chain(certificate)
        s.socket = c.wrap_socket(s.socket, server_side=True)
    threading.Thread(target=s.serve_forever, daemon=True).start()
    return s.server_port


def look(url, seconds, *options):
    w = rig.Watcher(url, seconds, *options)
    w.process.wait(60)
    w.thread.join(5)
    return w


def runs(pid):
    """A zombie does not: whoever inherits it may take its time."""
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def seen_by_others(pid):
    text = b""
    for name in ("cmdline", "environ"):
        try:
            text += pathlib.Path(f"/proc/{pid}/{name}").read_bytes()
        except OSError:
            pass
    return text


def main():
    with tempfile.TemporaryDirectory() as tmp:
        tmp = pathlib.Path(tmp)
        clip = rig.clip(tmp, "a.h264", "320x240")
        hevc = rig.clip(tmp, "b.h265", "320x240", "libx265")
        www = tmp / "www"
        www.mkdir()
        ff = ["ffmpeg", "-hide_banner", "-loglevel", "error", "-y", "-f", "lavfi", "-i"]
        subprocess.run([*ff, "testsrc2=size=320x240:rate=25:duration=6", "-c:v", "libx264", "-g", "25", "-f",
                        "hls", "-hls_time", "2", "-hls_list_size", "0", str(www / "v.m3u8")], check=True)  # fmt: skip
        subprocess.run([*ff, "testsrc2=size=320x240:rate=5:duration=1", str(www / "m%d.jpg")], check=True)
        victim = http.server.ThreadingHTTPServer(("127.0.0.2", 0), Victim)
        led = Victim.led
        threading.Thread(target=victim.serve_forever, daemon=True).start()
        Pages.victim = victim.server_port
        try:
            port = serve(www)
            camera = rig.Camera([clip], user="ada", password="hunter2/secret")
            other = rig.Camera([hevc], codec="h265")
            url = f"rtsp://ada:hunter2%2Fsecret@127.0.0.1:{camera.port}/live"
            for name, u, options in (
                ("RTSP over TCP, H.264", url, ()),
                ("RTSP over UDP, H.264", url, ("udp=1",)),
                ("RTSP over TCP, H.265", f"rtsp://127.0.0.1:{other.port}/live", ()),
                ("MJPEG over HTTP", f"http://127.0.0.1:{port}/mjpeg", ()),
                ("HLS", f"http://127.0.0.1:{port}/v.m3u8", ("reconnects=1",)),
                ("a name that has two addresses", f"http://localhost:{port}/v.m3u8", ("reconnects=1",)),
            ):
                w = look(u, 3, *options)
                n, last = len(w.frames()), (w.figures() or [{"crashes": 1}])[-1]
                check(n >= 25 and not last["crashes"] and not last["refused"], f"{name}: {n} pictures", w)
            if shutil.which("openssl"):
                subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", tmp / "k.pem",
                                "-out", tmp / "c.pem", "-days", "2", "-subj", "/CN=localhost"],
                               check=True, capture_output=True)  # fmt: skip
                (tmp / "both.pem").write_bytes((tmp / "k.pem").read_bytes() + (tmp / "c.pem").read_bytes())
                w = look(f"https://127.0.0.1:{serve(www, tmp / 'both.pem')}/v.m3u8", 3, "reconnects=1")
                check(len(w.frames()) == 150, f"HLS over TLS: {len(w.frames())} pictures", w)
            else:
                print("SKIPPED: no openssl command for a certificate")
            for page in ("redirect", "away.m3u8", "file.m3u8"):
                w = look(f"http://127.0.0.1:{port}/{page}", 2, "reconnects=1")
                check(not w.frames() and not led, f"{page}: nobody was led there", w)
            # Passwords.
            (tmp / "cred").write_text("ada:hunter2/secret\n")
            (tmp / "bad").write_text("ada:hunter3\n")
            plain = f"rtsp://127.0.0.1:{camera.port}/live"
            w = rig.Watcher(plain, 6, f"credentials={tmp / 'cred'}")
            check(w.wait("frame", 0, 8) is not None, "user name and password from a file", w)
            pid = next((f["pid"] for f in w.figures() if f["pid"]), 0)
            seen = seen_by_others(pid)
            check(pid and b"vedette-decoder" in seen and b"hunter2" not in seen and b"127.0.0.1" not in seen,
                  "arguments and environment of the decoder say nothing")  # fmt: skip
            w.end()
            check("hunter2" not in w.output() and "ada" not in w.output(), "nothing printed has them")
            proxy = Proxy(("127.0.0.1", camera.port))
            w = look(f"rtsp://127.0.0.1:{proxy.port}/live", 9, "later=1", f"credentials={tmp / 'bad'}")
            tries = w.figures()[-1]["reconnects"] + 1
            check(2 <= tries <= 4, f"a wrong password: {tries} attempts in 9 s, at most 4 before a long wait", w)
            check("refused the user name or password" in w.output(), "and it says so", w)
            check("hunter3" not in w.output(), "without the password", w)
            w = look(f"rtsp://ada:wrong-one@127.0.0.1:{camera.port}/live", 3)
            check("the camera refused" in w.output() and "wrong-one" not in w.output(),
                  "a wrong password, opened at once", w)  # fmt: skip
            w = look("rtsp://ada:hunter2@no-such-host.invalid/live", 3)
            check("unknown" in w.output() and "hunter2" not in w.output(), "an unknown host", w)
            # A camera that is not there yet.
            proxy.set("refuse")
            w = rig.Watcher(f"rtsp://ada:hunter2%2Fsecret@127.0.0.1:{proxy.port}/live", 20, "later=1")
            time.sleep(4)
            check(w.process.poll() is None and not w.frames(), "a camera that is not there is waited for", w)
            t = time.monotonic()
            proxy.set(None)
            first = w.wait("frame", t, 10)
            check(first is not None and first - t < 2 * rig.SLACK, "and seen within 2 s of its coming", w)
            # Decoders end with their parent, however that ends.
            w.wait("figures", (first or t) + 0.001, 5)
            pid = next((f["pid"] for f in reversed(w.figures()) if f["pid"]), 0)
            w.process.kill()
            w.process.wait()
            until = time.monotonic() + 3 * rig.SLACK
            while runs(pid) and time.monotonic() < until:
                time.sleep(0.05)
            check(pid and not runs(pid), "a decoder ends when its parent is killed")
        finally:
            rig.end_all()
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()
