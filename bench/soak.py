#!/usr/bin/env python3
"""Many cameras for hours, and what a camera costs in memory. RTSP servers (GStreamer) play the demo's crowd; a daemon watches.

    python3 bench/soak.py [--hours 2] [--cameras 8] [--width 640]     one line of JSON a minute, then the slope after warm-up
    python3 bench/soak.py --hours 72
    python3 bench/soak.py --memory 1,2,4,8 --width 1920               no soak: memory with so many cameras

Memory is PSS (shared pages by share) of the daemon and its decoders. Exit 1: memory grows by 1 MiB an hour or more, a camera is not
live at the end, descriptors, threads or children grew, or an alert was refused."""
import argparse
import json
import pathlib
import sys
import time

import cameras_latency as cl

WARM_S = 600  # at most a third of the whole


def pss_kib(pid):
    try:
        text = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return int(next(x.split()[1] for x in text.splitlines() if x.startswith("Pss:")))


def children(pid):
    return [int(c) for t in pathlib.Path(f"/proc/{pid}/task").iterdir() for c in (t / "children").read_text().split()]


def look(w):
    pid = w.process.pid
    kids = children(pid)
    return {"daemon_kib": pss_kib(pid), "decoders_kib": sum(map(pss_kib, kids)), "decoders": len(kids),
            "fds": len(list(pathlib.Path(f"/proc/{pid}/fd").iterdir())), "threads": len(list(pathlib.Path(f"/proc/{pid}/task").iterdir()))}  # fmt: skip


def slope(rows):
    """KiB an hour, by least squares over (hours, KiB)."""
    n, sx, sy = len(rows), sum(x for x, _ in rows), sum(y for _, y in rows)
    d = n * sum(x * x for x, _ in rows) - sx * sx
    return (n * sum(x * y for x, y in rows) - sx * sy) / d if d else 0.0


def settle(t, crowd, picture, n, width):
    cameras = cl.play(t, crowd, width, n)
    w = cl.town(t, crowd, picture, cameras)
    cl.world.wait_for("all cameras live", 90, lambda: cl.live(w, n))
    return w


def memory(a, crowd, picture):
    rows = []
    for n in map(int, a.memory.split(",")):
        with cl.world.scratch() as t:
            try:
                w = settle(t, crowd, picture, n, a.width)
                time.sleep(a.settle)
                rows.append({"cameras": n, "width": a.width, **look(w)})
                print(json.dumps(rows[-1]), flush=True)
                w.stop()
            finally:
                cl.rig.end_all()
    first, last = rows[0], rows[-1]
    total = [r["daemon_kib"] + r["decoders_kib"] for r in (first, last)]
    if last["cameras"] > first["cameras"]:
        print(json.dumps({"mib_a_further_camera": round((total[1] - total[0]) / 1024 / (last["cameras"] - first["cameras"]), 1)}))


def soak(a, crowd, picture):
    with cl.world.scratch() as t:
        try:
            w = settle(t, crowd, picture, a.cameras, a.width)
            began, rows, last = time.monotonic(), [], {}
            while (hours := (time.monotonic() - began) / 3600) < a.hours:
                last = {"hours": round(hours, 4), **look(w)}
                m = cl.metrics(w)
                last.update(frames=round(m["vedette_camera_frames_decoded_total"]), alerts=round(m["vedette_alerts_total"]),
                            refused=round(m["vedette_alerts_refused_total"]), reconnects=round(m["vedette_camera_reconnects_total"]))  # fmt: skip
                if hours * 3600 > min(WARM_S, a.hours * 1200):
                    rows.append((hours, last))
                print(json.dumps(last), flush=True)
                time.sleep(min(60, a.hours * 3600 / 30))
            grown = slope([(h, r["daemon_kib"] + r["decoders_kib"]) for h, r in rows])
            flat = all(last[k] <= rows[0][1][k] for k in ("decoders", "fds", "threads")) if rows else False
            alive = cl.live(w, a.cameras)
            print(json.dumps({"hours": a.hours, "cameras": a.cameras, "width": a.width, "kib_an_hour": round(grown), "flat": flat,
                              "all_live": alive, "alerts": last["alerts"], "alerts_refused": last["refused"]}))  # fmt: skip
            w.stop()
            return 0 if grown < 1024 and flat and alive and not last["refused"] else 1
        finally:
            cl.rig.end_all()


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--hours", type=float, default=2)
    p.add_argument("--cameras", type=int, default=8)
    p.add_argument("--width", type=int, default=640)
    p.add_argument("--memory")
    p.add_argument("--settle", type=float, default=10)
    a = p.parse_args()
    crowd, picture = cl.world.need()
    sys.exit(memory(a, crowd, picture) if a.memory else soak(a, crowd, picture))


if __name__ == "__main__":
    main()
