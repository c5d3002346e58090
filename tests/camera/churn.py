"""A camera that is away most of the time: memory, descriptors, threads and processes stay where they are.

    churn.py [--cycles N] [--kind reset|refuse|stall|blackhole]

Each cycle is a lost connection and a new one, with pictures between them. After a tenth of the cycles as
warm-up: written private memory grows by less than 1 MiB, descriptors, threads and children are the same, no
zombie; another camera, watched by the same program's sister, loses under 1 % of its pictures."""
import argparse
import sys
import tempfile
import time

import rig
from faulty_proxy import Proxy


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--cycles", type=int, default=20)
    p.add_argument("--kind", default="reset", choices=["reset", "refuse", "stall", "blackhole"])
    a = p.parse_args()
    problems = []
    with tempfile.TemporaryDirectory() as tmp:
        small = rig.clip(tmp, "a.h264", "320x240")
        try:
            camera, steady = rig.Camera([small]), rig.Camera([small])
            proxy = Proxy(("127.0.0.1", camera.port))
            seconds = a.cycles * 6 + 60
            w = rig.Watcher(f"rtsp://127.0.0.1:{proxy.port}/live", seconds, "figures_ms=200", "quiet=1")
            other = rig.Watcher(f"rtsp://127.0.0.1:{steady.port}/live", seconds, "figures_ms=1000", "quiet=1")
            if not w.wait("state", 0, 15, "streaming") or not other.wait("state", 0, 15, "streaming"):
                print(w.output()[-500:])
                sys.exit("no pictures to begin with")
            began, at = time.monotonic(), []
            for i in range(a.cycles):
                t = time.monotonic()
                proxy.set(a.kind)
                lost = w.wait("state", t, 8, "waiting")
                proxy.set(None)
                back = lost and w.wait("state", lost + 0.001, 10, "streaming")
                if not back:
                    problems.append(f"cycle {i}: " + ("not found" if not lost else "no pictures again"))
                    break
                time.sleep(0.5)
                at.append(w.figures()[-1])
                del w.lines[:-50]
                del other.lines[:-50]
            took = time.monotonic() - began
            first, last = at[len(at) // 10], at[-1]
            still = other.figures()
            share = still[-1]["missing"] / max(still[-1]["frames"], 1)
            growth = last["private_kib"] - first["private_kib"]
            print(f"{len(at)} cycles ({a.kind}) in {took:.0f} s, {last['reconnects']} reconnects, "
                  f"{last['crashes']} crashes: "
                  f"private memory {first['private_kib']} -> {last['private_kib']} KiB ({growth:+d}), "
                  f"descriptors {first['fds']} -> {last['fds']}, threads {first['threads']} -> "
                  f"{last['threads']}, children {last['children']}, zombies {max(x['zombies'] for x in at)}; "
                  f"the other camera: {still[-1]['frames']} pictures, {still[-1]['missing']} missing, "
                  f"{still[-1]['reconnects']} reconnects")
            if growth >= 1024:
                problems.append(f"memory grew by {growth} KiB")
            for what in ("fds", "threads", "children"):
                # One more at times: the figures may be of the moment before the probe's socket closed.
                seen = [x[what] for x in at[len(at) // 10:]]
                if max(seen) > min(seen) + 1 or at[-1][what] > first[what]:
                    problems.append(f"{what}: {sorted({x[what] for x in at})}")
            if any(x["zombies"] for x in at):
                problems.append("zombies")
            if still[-1]["reconnects"] or share > 0.01 * rig.SLACK:
                problems.append(f"the other camera lost {100 * share:.1f} % of its pictures")
        finally:
            rig.end_all()
    for x in problems:
        print("PROBLEM:", x)
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()
