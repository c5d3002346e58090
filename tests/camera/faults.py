"""Fault after fault against a live camera: when is it found, when are there pictures again?

    faults.py [KIND ...] [--hold SECONDS]

Promised: found within 5 s; pictures within 2 s of the fault's end; the password in nothing that is printed.
Each kind has its own line to one camera, and its own watcher; a few run at a time."""
import argparse
import base64
import concurrent.futures
import json
import pathlib
import sys
import tempfile
import time

import rig
from faulty_proxy import Proxy

USER, WORD = "ada", "hunter2%2Fsecret"  # the password is hunter2/secret
SECRETS = ["hunter2", base64.b64encode(b"ada:hunter2/secret").decode(), "ada:"]
FOUND_MAX, BACK_MAX = 5.0, 2.0
# Faults that end pictures. `while`: how long they last.
BREAKS = ["refuse", "reset", "blackhole", "stall", "truncate", "garbage", "noise", "slow", "unauthorised",
          "notfound", "flap", "codec"]  # fmt: skip
# Changes that a stream survives: pictures go on, without a new connection.
SURVIVES = ["loss", "jitter", "leap", "back", "wrap", "size"]


def gap(frames, a, b):
    """Longest time without a picture between a and b."""
    t = [a] + [f[0] for f in frames if a < f[0] < b] + [b]
    return max(y - x for x, y in zip(t, t[1:]))


def one(kind, clips, hold, trace):
    """A camera, a line and a watcher of its own for each kind: none disturbs another."""
    login = {"user": USER, "password": "hunter2/secret"}
    camera = rig.Camera(clips[:2], **login)
    other = rig.Camera(clips[2:], codec="h265", **login) if kind == "codec" else None
    try:
        return measure(kind, camera, other, hold, trace)
    finally:
        for c in (camera, other):
            if c:
                rig.end(c.process)


def measure(kind, camera, other, hold, trace):
    t0 = 0.0
    proxy = Proxy(("127.0.0.1", camera.port))
    w = rig.Watcher(f"rtsp://{USER}:{WORD}@127.0.0.1:{proxy.port}/live", 90)
    row = {"kind": kind, "found_s": None, "back_s": None, "problem": ""}
    try:
        if not w.wait("frame", 0, 15):
            row["problem"] = "no picture before the fault: " + w.output()[-300:]
            return row
        time.sleep(2)
        t0 = time.monotonic()
        if kind == "codec":
            proxy.upstream = ("127.0.0.1", other.port)
            proxy.cut()
        elif kind == "size":
            camera.say("clip 1")
        else:
            proxy.set(kind)
        if kind in SURVIVES:
            time.sleep(hold)
            f = [x for x in w.frames() if x[0] >= t0]
            row["back_s"] = round(gap(f, t0, time.monotonic()), 2)
            pts = [x[4] for x in f if x[1] == f[-1][1]] if f else []
            if w.wait("state", t0, 0, "waiting"):
                row["problem"] = "the connection was given up"
            elif any(b <= a for a, b in zip(pts, pts[1:])):
                row["problem"] = "times go back"
            elif any(b - a > 10000 for a, b in zip(pts, pts[1:])):
                row["problem"] = "times leap"
            elif kind == "size" and (not f or f[-1][2] == 320 or f[-1][1] < 2):
                row["problem"] = "no pictures of the other size"
            elif kind == "loss" and not any(x["damaged"] for x in w.figures()):
                row["note"] = "no damage reported"
            return row
        found = w.wait("state", t0, FOUND_MAX * rig.SLACK + 3, "waiting")
        row["found_s"] = round(found - t0, 2) if found else None
        if kind not in ("reset", "codec"):
            left = t0 + hold - time.monotonic()
            time.sleep(max(left, 0))
            t1 = time.monotonic()
            proxy.set(None)
        else:
            t1 = t0  # over as soon as it began
        back = w.wait("frame", max(t1, (found or 0) + 0.002), 40)
        row["back_s"] = round(back - t1, 2) if back else None
        if back:
            time.sleep(1.5)
            if gap(w.frames(), back, back + 1.5) > 1.0:
                row["problem"] = "pictures, but not steadily"
        return row
    finally:
        w.end()
        text = w.output()
        if trace:
            pathlib.Path(trace, kind + ".txt").write_text(f"fault {t0:.3f}\n{text}")
        for s in SECRETS:
            if s in text:
                row["problem"] += f" the secret {s!r} was printed"
        last = (w.figures() or [{}])[-1]
        row["reconnects"], row["stalls"] = last.get("reconnects"), last.get("stalls")
        if last.get("crashes") or last.get("violations"):
            row["problem"] += " a decoder crashed"
        proxy.close()


def verdict(row):
    if row["problem"]:
        return row["problem"].strip()
    if row["kind"] in SURVIVES:
        return "" if row["back_s"] <= BACK_MAX * rig.SLACK else "pictures stopped"
    if row["found_s"] is None or row["found_s"] > FOUND_MAX * rig.SLACK:
        return "found too late"
    if row["back_s"] is None or row["back_s"] > BACK_MAX * rig.SLACK:
        return "back too late"
    return ""


def main():
    p = argparse.ArgumentParser()
    p.add_argument("kind", nargs="*", default=BREAKS + SURVIVES)
    p.add_argument("--hold", type=float, default=6.5)
    p.add_argument("--json")
    p.add_argument("--trace", help="folder for everything that the watchers print")
    a = p.parse_args()
    bad = 0
    with tempfile.TemporaryDirectory() as tmp:
        small, large = rig.clip(tmp, "a.h264", "320x240"), rig.clip(tmp, "b.h264", "640x360")
        hevc = rig.clip(tmp, "c.h265", "320x240", "libx265")
        try:
            rows = []
            with concurrent.futures.ThreadPoolExecutor(6) as pool:
                jobs = [pool.submit(one, k, [small, large, hevc], a.hold, a.trace) for k in a.kind]
                for job in jobs:
                    row = job.result()
                    row["verdict"] = verdict(row) or "ok"
                    bad += row["verdict"] != "ok"
                    rows.append(row)
                    print(f"{row['kind']:13} found {row['found_s'] or '-':>5}  back {row['back_s'] or '-':>5}  "
                          f"reconnects {row.get('reconnects')}  stalls {row.get('stalls')}  "
                          f"{row.get('note', '')} {row['verdict']}", flush=True)  # fmt: skip
        finally:
            rig.end_all()
    if a.json:
        pathlib.Path(a.json).write_text(json.dumps(rows, indent=1))
    print(f"{len(rows)} kinds, {bad} not as promised")
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
