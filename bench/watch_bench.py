#!/usr/bin/env python3
"""`vedette watch` on a 1080p H.264 video with about seven faces: speed, latency, memory. Prints JSON.

The video is composed from a group photo with eight faces (enlarged, panned, with sensor noise) in a
temporary folder; one of the faces is the listed person, so alerts are measured, too. Needs ffmpeg
and the evaluation data beside the repository, or any photo with --photo and --listed X0,Y0,X1,Y1.

    python3 bench/watch_bench.py                    # both cores, file as fast as it goes, then real time
    taskset -c 0 python3 bench/watch_bench.py       # one core
"""
import argparse
import json
import os
import pathlib
import platform
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[1]
SHARED = pathlib.Path(os.environ.get("VEDETTE_SHARED", ROOT.parent / "shared"))


def ffmpeg(*args):
    subprocess.run(["ffmpeg", "-v", "error", "-y", "-nostdin", *map(str, args)], check=True)


def compose(photo, out, seconds, fps):
    """A window of 1920x1080 wanders over the photo, 2,300 pixels wide; noise as of a camera indoors."""
    pan = "x='(iw-ow)/2+(iw-ow)/2*sin(2*PI*t/7)':y='(ih-oh)/2+(ih-oh)/2*sin(2*PI*t/5)'"
    ffmpeg("-loop", "1", "-framerate", fps, "-t", seconds, "-i", photo, "-vf",
           f"scale=2300:-2:flags=lanczos,crop=1920:1080:{pan},noise=alls=4:allf=t,format=yuv420p",
           "-c:v", "libx264", "-preset", "fast", "-crf", "26", "-g", "50", out)


def cpu_model():
    for line in open("/proc/cpuinfo"):
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.processor()


def watch(vedette, *args):
    p = subprocess.run([vedette, "watch", *map(str, args), "--json"], cwd=ROOT, stdout=subprocess.PIPE,
                       stderr=subprocess.PIPE)
    if p.returncode:
        sys.exit(f"vedette watch failed ({p.returncode}):\n{p.stderr.decode()}")
    lines = [json.loads(x) for x in p.stdout.decode().splitlines()]
    return lines[-1], [x for x in lines if x["type"] == "alert"]


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--vedette", default=str(ROOT / "build" / "vedette"))
    ap.add_argument("--photo", default=str(SHARED / "data/group_photos/016_8.jpg"))
    ap.add_argument("--listed", default="", help="x0,y0,x1,y1 of the listed face in the photo, with some margin")
    ap.add_argument("--seconds", type=float, default=20)
    ap.add_argument("--fps", type=int, default=25)
    ap.add_argument("--rounds", type=int, default=3)
    ap.add_argument("--keep", help="keep the composed video here")
    ap.add_argument("watch_args", nargs="*", help="further options for vedette watch, after --")
    a = ap.parse_args()
    if not pathlib.Path(a.photo).exists() or not shutil.which("ffmpeg"):
        print("SKIP: needs ffmpeg and a group photo (--photo)")
        sys.exit(77)
    with tempfile.TemporaryDirectory(prefix="vd-bench-") as tmp:
        tmp = pathlib.Path(tmp)
        video, people = tmp / "crowd.mp4", tmp / "people"
        people.mkdir()
        compose(a.photo, video, a.seconds, a.fps)
        if a.keep:
            shutil.copy(video, a.keep)
        box = [float(v) for v in a.listed.split(",")] if a.listed else None
        if not box:  # the face that our own detector likes best
            p = subprocess.run([a.vedette, "detect", a.photo, "--json"], cwd=ROOT, stdout=subprocess.PIPE)
            faces = [f for x in p.stdout.decode().splitlines() for f in json.loads(x).get("faces", [])]
            if not faces:
                sys.exit("no face found in the photo: give --listed")
            b = max(faces, key=lambda f: f["score"])["box"]
            w, h = b["x1"] - b["x0"], b["y1"] - b["y0"]
            box = [b["x0"] - w / 2, b["y0"] - h / 2, b["x1"] + w / 2, b["y1"] + h / 2]
        x0, y0, x1, y1 = [max(0, int(v)) for v in box]
        ffmpeg("-i", a.photo, "-vf", f"crop={x1 - x0}:{y1 - y0}:{x0}:{y0},scale=iw*3:-2:flags=lanczos",
               people / "listed.png")
        fast = [watch(a.vedette, video, "--watchlist", people, *a.watch_args)[0] for _ in range(a.rounds)]
        # Many alerts (one a second) so that the percentiles rest on something.
        real, alerts = watch(a.vedette, video, "--watchlist", people, "--realtime", "--window", "0.5", *a.watch_args)
    best = max(fast, key=lambda s: s["times_real_time"])
    speeds = sorted(s["times_real_time"] for s in fast)
    print(json.dumps({
        "what": "vedette watch, 1080p H.264, group photo with 8 faces panned",
        "cpu": cpu_model(), "cores": len(os.sched_getaffinity(0)), "fps": a.fps, "seconds": a.seconds,
        "options": a.watch_args,
        "faces_per_searched_frame": round(best["faces"] / best["searched"], 2),
        "file": {"times_real_time_best": speeds[-1], "times_real_time_median": speeds[len(speeds) // 2],
                 "frames_per_second_best": best["frames_per_second"], "comparisons": best["comparisons"],
                 "tracks": best["tracks"], "alerts": best["alerts"],
                 "peak_rss_bytes": max(s["peak_rss_bytes"] for s in fast)},
        "realtime": {"frames": real["frames"], "dropped_late": real["dropped"]["late"], "alert_lines": len(alerts),
                     "latency_ms": real["latency_ms"], "decision_ms": real["decision_ms"],
                     "comparisons": real["comparisons"], "peak_rss_bytes": real["peak_rss_bytes"]},
    }, indent=1))


if __name__ == "__main__":
    main()
