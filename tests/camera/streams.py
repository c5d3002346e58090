"""Mutated RTSP sessions: answers and packets with changed bytes, each session through a decoder of its own.
Whatever becomes of the decoder, its parent goes on, and says what it was.

    streams.py [--sessions N] [--seed N]          default 24; the full number is 1,000"""
import argparse
import concurrent.futures
import subprocess
import sys
import tempfile

import rig
from faulty_proxy import Proxy


def session(port, seed, codec):
    proxy = Proxy(("127.0.0.1", port), seed)
    proxy.set("mutate")
    try:
        p = subprocess.run([rig.LOOK, f"rtsp://127.0.0.1:{proxy.port}/live", "2", "reconnects=1", "quiet=1",
                            "open_ms=2000", "stall_ms=1000"], capture_output=True, text=True, errors="strict", timeout=60)  # fmt: skip
        return seed, codec, p.returncode, p.stdout
    finally:
        proxy.close()


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--sessions", type=int, default=24)
    p.add_argument("--seed", type=int, default=1)
    a = p.parse_args()
    bad, frames, opened, crashes, violations = 0, 0, 0, 0, 0
    with tempfile.TemporaryDirectory() as tmp:
        try:
            cameras = [(rig.Camera([rig.clip(tmp, "a.h264", "320x240")]).port, "h264"),
                       (rig.Camera([rig.clip(tmp, "b.h265", "320x240", "libx265")], codec="h265").port, "h265")]
            with concurrent.futures.ThreadPoolExecutor(4) as pool:
                jobs = [pool.submit(session, *(cameras[i % 2][0], a.seed + i, cameras[i % 2][1]))
                        for i in range(a.sessions)]  # fmt: skip
                for job in jobs:
                    seed, codec, rc, out = job.result()
                    last = [x for x in out.splitlines() if x.startswith("figures")][-1:]
                    f = dict(x.split("=") for x in last[0].split()[2:]) if last else {}
                    frames += int(f.get("frames", 0))
                    opened += bool(int(f.get("frames", 0)))
                    crashes += int(f.get("crashes", 0)) or "crashed" in out
                    violations += int(f.get("violations", 0)) or "forbids" in out or "was ended:" in out
                    if rc not in (0, 1) or not ("closed" in out or "failed" in out):
                        bad += 1
                        print(f"PROBLEM: seed {seed}, {codec}: exit {rc}: {out[-300:]}")
                    elif "forbids" in out or "was ended:" in out:
                        print(f"seed {seed}, {codec}: {out[-400:]}")
        finally:
            rig.end_all()
    print(f"{a.sessions} sessions: {opened} with pictures ({frames}), {crashes} decoders crashed, {violations} "
          f"ended by the sandbox or for what they said; {bad} times the parent did not go on")
    sys.exit(1 if bad or violations or not opened else 0)


if __name__ == "__main__":
    main()
