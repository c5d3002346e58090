#!/usr/bin/env python3
"""vedette model quantise, from pictures to a detector in eight bits, and the ways in which it must refuse.

usage: quantise.py VEDETTE

Needs the detector's weights and ../shared/data/crowd_boxes; exit 77 without, aloud.
"""
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CACHE = Path(os.environ.get("VEDETTE_CACHE", ROOT / ".cache"))
SHARED = Path(os.environ.get("VEDETTE_SHARED", ROOT.parent / "shared"))
WEIGHTS = "face_detection_yunet_2023mar_int8bq.onnx"
failures = []


def check(name, fine, more=""):
    print(f"{'ok  ' if fine else 'FAIL'} {name}{'' if fine else ': ' + str(more)[:400]}")
    if not fine:
        failures.append(name)


def main():
    program, pictures = sys.argv[1], sorted((SHARED / "data" / "crowd_boxes").glob("*.jpg"))[:100:4]
    if not (CACHE / "models" / WEIGHTS).exists() or len(pictures) < 24:
        print(f"SKIP: no {CACHE / 'models' / WEIGHTS} (make setup) or no pictures in {SHARED / 'data' / 'crowd_boxes'}")
        return 77
    with tempfile.TemporaryDirectory() as tmp:
        weights, faces = Path(tmp) / "weights", Path(tmp) / "faces"
        weights.mkdir()
        faces.mkdir()
        (weights / WEIGHTS).symlink_to(CACHE / "models" / WEIGHTS)
        for p in pictures:
            (faces / p.name).symlink_to(p)
        side = weights / (WEIGHTS + ".q8")

        def run(*args):
            return subprocess.run([program, *args, "--weights", str(weights), "--models", str(ROOT / "models")], capture_output=True, text=True, timeout=200)

        def found(precision):
            r = run("detect", str(pictures[1]), "--json", "--refiner", "none", "--precision", precision)
            return r.returncode, r.stdout, r.stderr

        before = found("auto")
        r = run("model", "quantise", "yunet", "--calibrate", str(faces), "--count", "12", "--json")
        check("it ends well", r.returncode == 0, r.stderr)
        said = json.loads(r.stdout or "{}")
        check("nearly every layer is in eight bits", said.get("layers_in_eight_bits", 0) >= 30 and said["layers"] - said["layers_in_eight_bits"] <= 2, said)
        check("too few faces to accept it", said.get("accepted") is False and "too few faces" in said.get("because", ""), said)
        manifest = (weights / (WEIGHTS + ".q8.yaml")).read_text() if side.exists() else ""
        check("the manifest states before and after", all(f"\n{k}: " in manifest for k in ("faces_before", "faces_after", "faces_in_both", "box_iou_mean", "accepted")), manifest)
        check("the boxes agree", said.get("box_iou_mean", 0) > 0.93 and said.get("faces_in_both", 0) >= 0.93 * said.get("faces_before", 1), said)
        auto, eight, float_ = found("auto"), found("int8"), found("fp32")
        check("what was not accepted is not used by itself", auto == before and float_ == before, auto)
        check("it is used when asked for", eight[0] == before[0] and eight[1] != before[1], eight)
        text = side.read_text()
        side.write_text(text.replace("fact accepted 0", "fact accepted 1"))
        check("what was accepted is used by itself", found("auto") == eight)
        for name, bad in (("of other weights", text.replace("fact model 4", "fact model 5")), ("cut", text[:len(text) // 2].replace("accepted 0", "accepted 1")), ("empty", "\n")):
            side.write_text(bad)
            r = run("detect", str(pictures[0]), "--json", "--refiner", "none")
            check(f"a side file {name} is refused with a reason", r.returncode == 1 and ".q8" in r.stderr, (r.returncode, r.stderr))
            check(f"and --precision fp32 does without it: {name}", found("fp32") == before)
        side.unlink()
        r = run("detect", str(pictures[0]), "--refiner", "none", "--precision", "int9")
        check("an unknown type is refused", r.returncode != 0 and "int9" in r.stderr, r.stderr)
        r = run("model", "quantise", "yunet", "--calibrate", str(weights))
        check("too few pictures", r.returncode == 1 and "at least 20" in r.stderr and not side.exists(), r.stderr)
        r = run("model", "quantise", "mtcnn-onet", "--calibrate", str(faces))
        check("a refiner is refused", r.returncode == 1 and "float" in r.stderr, (r.returncode, r.stderr))
        r = run("model", "quantise", "nobody", "--calibrate", str(faces))
        check("an unknown model is refused", r.returncode == 1 and "nobody" in r.stderr, r.stderr)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
