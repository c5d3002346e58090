#!/usr/bin/env python3
"""From the frame's capture to the alert on the page: the daemon with four RTSP cameras, one console in Chromium on the
alerts page with the live wall open in a second tab, and 49 light viewers that do over sockets what a console does: an
event stream, moving pictures of one camera, an alert asked for when an event names it.
    .cache/venv/bin/python bench/console_latency.py [--alerts 100] [--viewers 50] [--cameras 4]     one line of JSON
People come from ../shared/data/people_lfw_grey: one photograph of each is listed, another walks past a camera."""
import argparse
import datetime
import json
import pathlib
import queue
import re
import selectors
import shutil
import socket
import statistics
import sys
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "tests" / d) for d in ("server", "camera", "console")]
import rig  # noqa: E402
import stage  # noqa: E402
import world  # noqa: E402

SEEN_S, FPS = 2, 25  # how long somebody is in the picture


def people(n):
    """Pairs of photographs of n people."""
    mated = ROOT.parent / "shared" / "data" / "people_lfw_grey" / "mated"
    if not mated.is_dir():
        world.harness.skip("no ../shared/data/people_lfw_grey")
    by = {}
    for p in sorted(mated.rglob("*.jpg")):
        by.setdefault(re.sub(r"_\d+$", "", p.stem), []).append(p)
    return [(name, *files[:2]) for name, files in by.items() if len(files) > 1][:n]


def walk(folder, crowd, walkers):
    """The demo's crowd, and before it one walker after the other."""
    path, slides = folder / "walk.h264", folder / "slides.txt"
    slides.write_text("".join(f"file '{w[2]}'\nduration {SEEN_S}\n" for w in walkers))
    seconds = len(walkers) * SEEN_S
    world.harness.ffmpeg(
        "-stream_loop", "-1", "-i", crowd, "-f", "concat", "-safe", "0", "-i", slides, "-filter_complex",
        f"[0:v]scale=960:540,fps={FPS}[b];[1:v]fps={FPS},scale=230:230[p];"
        f"[b][p]overlay=x='60+mod(t,{SEEN_S})*60':y=160:enable='gt(mod(t,{SEEN_S}),0.3)':shortest=0[o]",
        "-map", "[o]", "-t", f"{seconds:.1f}", "-an", "-c:v", "libx264", "-pix_fmt", "yuv420p", "-preset", "veryfast", "-b:v", "420k",
        "-maxrate", "450k", "-bufsize", "450k", "-bf", "0", "-g", str(FPS), "-x264-params", "aud=1:scenecut=0", "-f", "h264", path)  # fmt: skip
    return path


def turned(path, part):
    """The same, begun elsewhere at a key frame: cameras do not see one person at one time."""
    data, mark = path.read_bytes(), b"\0\0\0\1\x09"
    at = [m.start() for m in re.finditer(re.escape(mark), data)]
    k = at[int(len(at) * part) // FPS * FPS]
    out = path.with_name(f"walk-{part}.h264")
    out.write_bytes(data[k:] + data[:k])
    return out


class Light:
    """A viewer: its event stream, one camera's pictures, and the alert that an event names."""

    def __init__(self, port, cookie, camera, sel, jobs):
        self.ask = f"Host: localhost\r\nCookie: {cookie}\r\n\r\n"
        self.buf, self.jobs, self.pictures, self.sel = b"", jobs, 0, sel
        for path, what in (("events", self.event), (f"cameras/{camera}/preview.mjpeg", self.picture)):
            s = socket.create_connection(("127.0.0.1", port))
            s.sendall(f"GET /api/v1/{path} HTTP/1.1\r\n{self.ask}".encode())
            sel.register(s, selectors.EVENT_READ, what)

    def event(self, data):
        self.buf += data
        *whole, self.buf = self.buf.split(b"\n\n")
        for e in whole:
            if b"event: alert.raised" in e:
                self.jobs.put((time.time(), json.loads(re.search(rb"data: (.*)", e).group(1))))

    def picture(self, data):
        self.pictures += data.count(b"Content-Type: image/jpeg")


def asker(port, cookie, jobs, took):
    s, head = socket.create_connection(("127.0.0.1", port)), f"Host: localhost\r\nCookie: {cookie}\r\n\r\n"
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    while True:
        job = jobs.get()
        if job is None:
            return
        at, e = job
        s.sendall(f"GET /api/v1/alerts?ids={e['alert']} HTTP/1.1\r\n{head}".encode())
        got = b""
        while b"\r\n\r\n" not in got:
            got += s.recv(1 << 16)
        top, body = got.split(b"\r\n\r\n", 1)
        n = int(re.search(rb"(?i)content-length: (\d+)", top).group(1))
        while len(body) < n:
            body += s.recv(1 << 16)
        took.append((time.time() - at) * 1000 if b" 200 " in top[:20] else -1)


def read(sel, over):
    while not over.is_set():
        for key, _ in sel.select(0.2):
            try:
                data = key.fileobj.recv(1 << 18)
            except OSError:
                data = b""
            if data:
                key.data(data)
            else:
                sel.unregister(key.fileobj)


WATCH = """() => {
  window.seen = {};
  const look = () => { for (const a of document.querySelectorAll('.queue a[href^="#/alerts/"]')) {
    const id = a.getAttribute('href').slice(9);
    if (!(id in window.seen)) window.seen[id] = performance.timeOrigin + performance.now(); } };
  look();
  new MutationObserver(look).observe(document.body, {subtree: true, childList: true, attributes: true, attributeFilter: ['href']});
}"""


def ms(iso):
    return datetime.datetime.fromisoformat(iso.replace("Z", "+00:00")).timestamp() * 1000


def figures(values):
    v = sorted(values)
    return {"p50": round(statistics.median(v)), "p95": round(v[int(0.95 * (len(v) - 1))]), "p99": round(v[int(0.99 * (len(v) - 1))]),
            "max": round(v[-1])} if v else None  # fmt: skip


def enlist(w, walkers, deployment="main-street"):
    """Those whose photograph is good enough; a list of its own."""
    import base64

    miller, kept = w.people["miller"], []
    w.list = miller.post("watchlists", {"jurisdiction": world.TOWN, "purpose": "wanted-person", "name": "wanted"})["id"]
    for name, listed, other in walkers:
        status, o = miller.call("POST", f"watchlists/{w.list}/entries", {
            "name": name, "category": "court-warrant", "reason": "warrant 12/2026", "legal_basis": "warrant of the district court",
            "source": "police-record", "holding": "records office", "expires": world.when(86400 * 30),
            "image_date": world.when(-86400 * 30), "image": base64.b64encode(listed.read_bytes()).decode()})  # fmt: skip
        if status == 201:
            w.people["mason"].post(f"entries/{o['id']}/approve")
            miller.post(f"entries/{o['id']}/confirm", {"text": deployment})
            kept.append((name, listed, other))
    return kept


def main():
    a = argparse.ArgumentParser()
    a.add_argument("--alerts", type=int, default=100)
    a.add_argument("--viewers", type=int, default=50)
    a.add_argument("--cameras", type=int, default=4)
    a.add_argument("--seconds", type=float, default=150, help="at most")
    a = a.parse_args()
    crowd, _ = stage.need()
    from playwright.sync_api import sync_playwright

    with world.scratch() as t, sync_playwright() as play:
        w = world.World(t, crowd)
        w.config.write_text(f"listen:\n  port: 0\nconsole: {stage.CONSOLE}\n")
        w.start().set_up().town()
        walkers = enlist(w, people(32))
        clip = walk(w.folder, crowd, walkers)
        cameras = [rig.Camera([turned(clip, i / a.cameras)]) for i in range(a.cameras)]
        w.stop()
        ids = [f"van-{i + 1}" for i in range(a.cameras)]
        w.config.write_text(f"listen:\n  port: 0\nconsole: {stage.CONSOLE}\ncameras:\n" + "".join(
            f'  - {{id: {i}, url: "rtsp://127.0.0.1:{c.port}/live"}}\n' for i, c in zip(ids, cameras)))
        w.start().log_in().authorise(w.plan(camera=ids))
        brown = w.people["brown"]
        over, jobs, took, sel = threading.Event(), queue.Queue(), [], selectors.DefaultSelector()
        s = stage.Stage(play, f"http://127.0.0.1:{w.port}", w.folder / "screens")
        page = s.sign_in("green", world.PASSWORD)
        w.run()
        world.wait_for("live cameras", 60, lambda: all(c["state"] == "live" for c in brown.get("cameras")["items"]))
        s.go(page, "Alerts")
        page.evaluate(WATCH)
        page.evaluate(f"""() => {{ for (const c of {json.dumps(ids)}) {{ const i = document.createElement('img'); i.height = 90;
            i.src = '/api/v1/cameras/' + c + '/preview.mjpeg?turn=0'; document.body.append(i); }} }}""")
        viewers = [Light(w.port, brown.cookie, ids[i % a.cameras], sel, jobs) for i in range(a.viewers - 1)]
        threads = [threading.Thread(target=asker, args=(w.port, brown.cookie, jobs, took)) for _ in range(8)]
        threads.append(threading.Thread(target=read, args=(sel, over)))
        for x in threads:
            x.start()
        began, frames = time.monotonic(), brown.get("system")["running"][0]["frames"]
        since = time.time() * 1000
        while time.monotonic() - began < a.seconds and page.evaluate("Object.keys(window.seen).length") < a.alerts + 5:
            page.wait_for_timeout(1000)
        seconds = time.monotonic() - began
        frames = brown.get("system")["running"][0]["frames"] - frames
        pictures = sum(v.pictures for v in viewers)
        page.wait_for_timeout(500)
        seen = page.evaluate("window.seen")
        alerts = []
        at = ""
        while True:
            o = brown.get("alerts?limit=100" + at)
            alerts += o["items"]
            if not o["next"]:
                break
            at = "&after=" + o["next"]
        rows = [(x, seen[x["id"]]) for x in alerts if x["id"] in seen and ms(x["raised_at"]) > since]
        over.set()
        for _ in range(8):
            jobs.put(None)
        for x in threads:
            x.join()
        print(json.dumps({
            "alerts": len(rows), "raised": len([x for x in alerts if ms(x["raised_at"]) > since]),
            "ms_best_frame_to_page": figures([at - ms(x["captured_at"]) for x, at in rows]),
            "ms_newest_frame_to_page": figures([at - ms(x["raised_at"]) + x["detail"]["latency_ms"] for x, at in rows]),
            "ms_newest_frame_to_decision": figures([x["detail"]["latency_ms"] for x, _ in rows]),
            "ms_decision_to_page": figures([at - ms(x["raised_at"]) for x, at in rows]),
            "ms_event_to_alert_read": figures([x for x in took if x >= 0]), "refused": sum(x < 0 for x in took),
            "viewers": a.viewers, "cameras": a.cameras, "fps_analysed": round(frames / seconds / a.cameras, 1),
            "pictures_per_viewer_s": round(pictures / max(1, len(viewers)) / seconds, 1), "seconds": round(seconds)}))  # fmt: skip
        s.browser.close()
        w.stop()
        for c in cameras:
            rig.end(c.process)
        shutil.rmtree(w.folder / "screens", ignore_errors=True)


try:
    main()
finally:
    rig.end_all()
