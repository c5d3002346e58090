"""What a decoder process costs: the same 1080p file decoded in one process and in two, alternating; and the
memory of live 1080p cameras.

    cost.py [--clip FILE] [--runs N] [--cameras N]"""
import argparse
import os
import pathlib
import statistics
import subprocess
import tempfile
import time

import rig


def run(*args):
    began = time.monotonic()
    p = subprocess.Popen([rig.LOOK, *args, "quiet=1", "figures_ms=100000"], stdout=subprocess.PIPE,
                         stderr=subprocess.DEVNULL, text=True)  # fmt: skip
    out = p.stdout.read()
    _, _, usage = os.wait4(p.pid, 0)  # with the children that it waited for
    p.returncode = 0
    wall = time.monotonic() - began
    frames = int(out.rsplit("frames=", 1)[1].split()[0])
    return usage.ru_utime + usage.ru_stime, wall, frames


def pss(pid):
    text = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
    return int(next(x.split()[1] for x in text.splitlines() if x.startswith("Pss:")))


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--clip")
    p.add_argument("--runs", type=int, default=5)
    p.add_argument("--cameras", type=int, default=3)
    a = p.parse_args()
    with tempfile.TemporaryDirectory() as tmp:
        live = rig.clip(tmp, "a.h264", "1920x1080", seconds=4)
        clip = a.clip or str(rig.clip(tmp, "b.h264", "1920x1080", seconds=12))
        rows = {0: [], 1: []}
        for _ in range(a.runs):
            for isolate in (0, 1):
                rows[isolate].append(run(clip, "60", f"isolate={isolate}"))
        for isolate, name in ((0, "one process"), (1, "two processes")):
            cpu, wall, n = [x[0] for x in rows[isolate]], [x[1] for x in rows[isolate]], rows[isolate][0][2]
            print(f"{name}: {n} pictures of 1080p, processor {1e3 * min(cpu) / n:.2f} ms a picture (median "
                  f"{1e3 * statistics.median(cpu) / n:.2f}), wall {1e3 * min(wall) / n:.2f} ms")
        print(f"ratio of processor time: {min(x[0] for x in rows[1]) / min(x[0] for x in rows[0]):.3f}")
        try:
            camera = rig.Camera([live])
            watchers = [rig.Watcher(f"rtsp://127.0.0.1:{camera.port}/live", 30) for _ in range(a.cameras)]
            for w in watchers:
                w.wait("frame", 0, 15)
            time.sleep(6)
            ages = sorted(f[5] for w in watchers for f in w.frames()[25:])
            pids = [w.figures()[-1]["pid"] for w in watchers]
            sizes = [(pss(w.process.pid), pss(pid)) for w, pid in zip(watchers, pids)]
            print("a live 1080p camera (shares of shared pages): reader", [x[0] // 1024 for x in sizes],
                  "MiB, decoder", [x[1] // 1024 for x in sizes], "MiB")
            print(f"from the decoder to the reader: p50 {ages[len(ages) // 2]:.2f} ms, "
                  f"p99 {ages[len(ages) * 99 // 100]:.2f} ms of {len(ages)} pictures")
        finally:
            rig.end_all()


if __name__ == "__main__":
    main()
