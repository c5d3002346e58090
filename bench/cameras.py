#!/usr/bin/env python3
"""Processor time a camera costs: vedette watch beside an OpenCV pipeline (VideoCapture, FaceDetectorYN, FaceRecognizerSF on every
face of every frame), the same weights, the same 1080p25 H.264 file, one thread, pinned to one core, runs alternating. JSON.

    .cache/venv-bench/bin/python bench/cameras.py --clip CROWD.mp4 --watchlist FOLDER [--rounds 3] [--seconds 4] [--core 0]

Processor seconds, user and system, children included, start and enrolment taken off by a run on a tenth of the clip. Waiting for
others does not count; their share of caches does. Recall: the listed person is found or not; faces a frame beside it. (A pipeline put
together from the best engine for each network is not here yet.)"""
import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[1]
MODELS = ROOT / ".cache" / "models"


def cost(args):
    """Processor seconds and standard output."""
    with tempfile.TemporaryFile("w+") as out:
        p = subprocess.Popen([str(a) for a in args], stdout=out, stderr=subprocess.DEVNULL, cwd=ROOT)
        _, status, usage = os.wait4(p.pid, 0)
        p.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        text = out.read()
    if p.returncode:
        sys.exit(f"{args[0]} failed ({p.returncode}): {text[-500:]}")
    return usage.ru_utime + usage.ru_stime, text


def ours(clip, a):
    cpu, text = cost([a.vedette, "watch", clip, "--watchlist", a.watchlist, "--threads", 1, "--json"])
    s = json.loads(text.splitlines()[-1])
    return cpu, {"frames": s["frames"], "searched": s["searched"], "faces_a_searched_frame": s["faces"] / max(1, s["searched"]),
                 "comparisons": s["comparisons"], "found": s["alerts"] > 0}  # fmt: skip


def opencv(clip, a):
    cpu, text = cost([sys.executable, __file__, "--inside", "--clip", clip, "--watchlist", a.watchlist])
    return cpu, json.loads(text.splitlines()[-1])


def plain(file, height, width):
    """An ordinary fp32 copy: OpenCV does not read the block-quantised recogniser."""
    import onnx

    sys.path.insert(0, str(ROOT / "tools"))
    import plain_onnx

    out = ROOT / "build" / "bench" / f"{file}_{height}x{width}.onnx"
    if not out.exists():
        model = plain_onnx.plain(onnx.load(str(MODELS / f"{file}.onnx")), height=height, width=width)
        del model.graph.value_info[:]  # some without a shape
        for o in model.graph.output:
            o.type.tensor_type.ClearField("shape")
        onnx.save(onnx.shape_inference.infer_shapes(model), str(out))
    return str(out)


def inside(a):
    import cv2

    cv2.setNumThreads(1)
    det = cv2.FaceDetectorYN.create(str(MODELS / "face_detection_yunet_2023mar_int8bq.onnx"), "", (320, 320), 0.6, 0.3, 500)
    rec = cv2.FaceRecognizerSF.create(plain("face_recognition_sface_2021dec_int8bq", 112, 112), "")

    def faces(img):
        k = min(1.0, 960 / max(img.shape[:2]))
        small = cv2.resize(img, None, fx=k, fy=k, interpolation=cv2.INTER_AREA) if k < 1 else img
        det.setInputSize((small.shape[1], small.shape[0]))
        _, found = det.detect(small)
        found = [] if found is None else found
        for f in found:
            f[:14] /= k
        return found

    refs = []
    for p in sorted(pathlib.Path(a.watchlist).glob("*.jpg")):
        img = cv2.imread(str(p))
        f = faces(img)
        if len(f):
            refs.append(rec.feature(rec.alignCrop(img, max(f, key=lambda r: r[2] * r[3]))))
    cap, n, total, hits = cv2.VideoCapture(str(a.clip), cv2.CAP_FFMPEG, [cv2.CAP_PROP_N_THREADS, 1]), 0, 0, 0
    while True:
        ok, img = cap.read()
        if not ok:
            break
        found = faces(img)
        for f in found:
            e = rec.feature(rec.alignCrop(img, f))
            hits += any(rec.match(e, r) >= 0.447 for r in refs)
        n, total = n + 1, total + len(found)
    print(json.dumps({"frames": n, "searched": n, "faces_a_searched_frame": total / max(1, n), "comparisons": total, "found": hits > 1}))


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--vedette", default=str(ROOT / "build" / "vedette"))
    p.add_argument("--clip", default=str(ROOT / ".cache/demo/crowd.mp4"))
    p.add_argument("--watchlist", default=str(ROOT / ".cache/demo/watchlist"))
    p.add_argument("--rounds", type=int, default=3)
    p.add_argument("--seconds", type=float, default=4)
    p.add_argument("--core", type=int, default=0)
    p.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    a = p.parse_args()
    if a.inside:
        return inside(a)
    os.sched_setaffinity(0, {a.core})
    with tempfile.TemporaryDirectory() as t:
        clips = []
        for name, s in (("long", a.seconds), ("short", a.seconds / 10)):
            clips.append(f"{t}/{name}.mp4")
            subprocess.run(["ffmpeg", "-v", "error", "-nostdin", "-i", a.clip, "-t", str(s), "-an", "-vf", "scale=1920:1080", "-r", "25", "-c:v",
                            "libx264", "-preset", "veryfast", "-crf", "23", clips[-1]], check=True)  # fmt: skip
        rows, what = {"vedette": [], "opencv": []}, {}
        for _ in range(a.rounds):
            for name, fn in (("vedette", ours), ("opencv", opencv)):
                (long, w), (short, w0) = fn(clips[0], a), fn(clips[1], a)
                rows[name].append(1000 * (long - short) / (w["frames"] - w0["frames"]))
                what[name] = w
    out = {n: {"ms_a_frame_min": round(min(r), 2), "ms_a_frame_median": round(statistics.median(r), 2),
               "cameras_a_core": round(40 / min(r), 2), **what[n]} for n, r in rows.items()}  # fmt: skip
    out["ratio_of_minima"] = round(min(rows["opencv"]) / min(rows["vedette"]), 2)
    print(json.dumps(out, indent=1))


if __name__ == "__main__":
    main()
