#!/usr/bin/env python3
"""From frame to alert with live cameras: RTSP servers (GStreamer) play the demo's crowd at 25 frames a second, a daemon with a
lawful deployment watches them all on two cores. What is printed is what the product itself says in /metrics. JSON.

    python3 bench/cameras_latency.py [--cameras 4] [--seconds 60] [--cores 0,1] [--width 1280]

Latency counts from the moment that a frame leaves the decoder. decision: every comparison of a face, from the capture of the shot
to the answer; alert: to the moment it was recorded, sealed, and told. Needs make demo and tools/setup --test."""
import argparse
import json
import os
import pathlib
import re
import sys
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "tests" / "server"), str(ROOT / "tests" / "camera")]
os.environ.setdefault("VEDETTE_DECODER", str(ROOT / "build" / "vedette-decoder"))
import rig  # noqa: E402
import world  # noqa: E402


class Town(world.World):
    """As a world of tests, with many cameras in one deployment."""

    def plan(self, deployment="main-street", seconds=3600, cameras=()):
        post, people = world.Client.post, self.people["miller"]

        def more(client, path, body=None, **kw):
            if path == "plans":
                body["cameras"] = [{**body["cameras"][0], "id": c} for c in cameras]
            return post(client, path, body, **kw)

        people.post = lambda path, body=None, **kw: more(people, path, body, **kw)
        try:
            return super().plan(deployment, seconds)
        finally:
            del people.post


def metrics(w):
    with urllib.request.urlopen(f"http://127.0.0.1:{w.port}/metrics", timeout=60) as r:
        text = r.read().decode()
    return {m[0]: float(m[1]) for m in re.findall(r"^([a-z_0-9]+(?:\{[^}]*\})?) ([-0-9.e+]+)$", text, re.M)}


def latency(before, after, name):
    """Of what came between: count, and in which bucket (ms) the shares fall."""
    rows = [(re.search(r'le="([^"]+)"', k)[1], after[k] - before.get(k, 0)) for k in after if k.startswith(name + "_bucket")]
    n = int(rows[-1][1]) if rows else 0
    out = {"n": n, "mean_ms": round(1000 * (after[name + "_sum"] - before.get(name + "_sum", 0)) / n, 1) if n else None}
    for share in (0.5, 0.95, 0.99):
        edge = next((le for le, c in rows if n and c >= share * n), None)
        out[f"p{share * 100:.0f}_at_most_ms"] = None if edge is None else edge if edge == "+Inf" else round(1000 * float(edge))
    return out


def play(folder, crowd, width, cameras):
    """Each camera begins elsewhere in the crowd."""
    out = []
    for i in range(cameras):
        path = pathlib.Path(folder) / f"crowd{i}.h264"
        world.harness.ffmpeg("-stream_loop", 1, "-ss", 2.4 * i, "-i", crowd, "-t", 12, "-an", "-vf", f"scale={width}:-2", "-c:v", "libx264",
                             "-preset", "veryfast", "-b:v", "2200k", "-maxrate", "2400k", "-bufsize", "2400k", "-bf", 0, "-g", 25,
                             "-x264-params", "aud=1:scenecut=0", "-f", "h264", path)  # fmt: skip
        out.append(rig.Camera([path]))
    return out


def town(folder, crowd, picture, cameras, cores=None):
    """A daemon that watches them all. @return the world."""
    names = [f"van-{i + 1}" for i in range(len(cameras))]
    w = Town(folder, crowd)
    w.config.write_text("listen:\n  port: 0\ncameras:\n" +
                        "".join(f'  - {{id: {n}, url: "rtsp://127.0.0.1:{c.port}/live"}}\n' for n, c in zip(names, cameras)))  # fmt: skip
    before = os.sched_getaffinity(0)
    if cores:
        os.sched_setaffinity(0, cores)
    w.start()
    rig.children.append(w.process)  # ended with the cameras, whatever happens
    os.sched_setaffinity(0, before)
    w.set_up().town().enlist(picture).authorise(w.plan(cameras=names)).run()
    return w


def live(w, n):
    return sum(c["state"] == "live" for c in w.people["brown"].get("cameras")["items"]) == n


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--cameras", type=int, default=4)
    p.add_argument("--seconds", type=float, default=60)
    p.add_argument("--width", type=int, default=1280)
    p.add_argument("--cores", default="0,1")
    a = p.parse_args()
    crowd, picture = world.need()
    with world.scratch() as t:
        try:
            cameras = play(t, crowd, a.width, a.cameras)
            w = town(t, crowd, picture, cameras, {int(c) for c in a.cores.split(",")})
            world.wait_for("all cameras live", 60, lambda: live(w, a.cameras))
            time.sleep(5)
            before, began = metrics(w), time.monotonic()
            time.sleep(a.seconds)
            after, seconds = metrics(w), time.monotonic() - began
            gone = {k: round(after[k] - before.get(k, 0)) for k in after if k.startswith("vedette_camera_frames")}
            print(json.dumps({
                "cameras": a.cameras, "width": a.width, "cores": a.cores, "seconds": round(seconds, 1), "load_average": os.getloadavg(),
                "since_start": {"alert": latency({}, after, "vedette_alert_latency_seconds")},
                "alert": latency(before, after, "vedette_alert_latency_seconds"),
                "decision": latency(before, after, "vedette_decision_latency_seconds"),
                "load_level": after["vedette_load_level"], "frames": gone}, indent=1))  # fmt: skip
            w.stop()
        finally:
            rig.end_all()


if __name__ == "__main__":
    main()
