#!/usr/bin/env python3
"""Verification on ../shared/data/people_lfw_grey: our engine against the same model under ONNX Runtime.

The same pictures, the same five points (ours), so the same crops and pairs; the other side is plain
Python: OpenCV reads the picture, warpAffine makes the crop, ONNX Runtime makes the template. All pairs
count: genuine within a person, impostor across. Prints TMR at FMR 1e-3 and 1e-4 and the difference.

usage: .cache/venv/bin/python bench/verify_lfw.py [--limit N] [--json FILE]
"""
import argparse
import csv
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import cv2
import numpy as np
import onnx
import onnxruntime as ort

ROOT = Path(__file__).resolve().parent.parent
SHARED = Path(os.environ.get("VEDETTE_SHARED", ROOT.parent / "shared"))
TEMPLATE = np.array([[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]])


def similarity(src, dst):
    """Least squares, no reflection: rows [a, -b, tx], [b, a, ty]."""
    s, d = src.mean(0), dst.mean(0)
    x, u = src - s, dst - d
    var = (x ** 2).sum()
    a, b = (x * u).sum() / var, (x[:, 0] * u[:, 1] - x[:, 1] * u[:, 0]).sum() / var
    r = np.array([[a, -b], [b, a]])
    return np.hstack([r, (d - r @ s)[:, None]])


def tmr(scores, same, fmr):
    imp = np.sort(scores[~same])[::-1]
    k = int(fmr * imp.size)
    t = imp[k]
    return float((scores[same] > t).mean() * 100), float(t)


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--limit", type=int, default=0, help="only so many pictures of each role")
    ap.add_argument("--json")
    a = ap.parse_args()
    top = SHARED / "data" / "people_lfw_grey"
    if not top.exists():
        print(f"SKIP: no {top}")
        return 77
    rows = list(csv.DictReader(open(top / "meta.csv")))
    roles = {}
    for r in rows:
        roles.setdefault(r["role"], []).append(r)
    rows = [r for v in roles.values() for r in (v[:a.limit] if a.limit else v)]
    files = [top / r["role"] / r["file"] for r in rows]
    if not files[0].exists():
        files = [next(p for p in (top / r["role"] / r["person"] / r["file"], top / r["file"]) if p.exists()) for r in rows]
    with tempfile.TemporaryDirectory() as tmp:
        (Path(tmp) / "list").write_text("\n".join(map(str, files)) + "\n")
        subprocess.run([str(ROOT / "build" / "eval_embed"), f"{tmp}/list", f"{tmp}/out"], check=True)
        data = np.fromfile(f"{tmp}/out", np.float32).reshape(-1, 138)
    ok = ~np.isnan(data[:, 0])
    sys.path.insert(0, str(ROOT / "tools"))
    import plain_onnx
    weights = ROOT / ".cache" / "models" / "face_recognition_sface_2021dec_int8bq.onnx"
    o = ort.SessionOptions()
    o.log_severity_level = 4
    s = ort.InferenceSession(plain_onnx.plain(onnx.load(str(weights))).SerializeToString(), o, providers=["CPUExecutionProvider"])
    theirs = np.zeros((len(files), 128), np.float32)
    for i, f in enumerate(files):
        if not ok[i]:
            continue
        m = similarity(data[i, :10].reshape(5, 2).astype(np.float64), TEMPLATE)
        img = cv2.imread(str(f))
        crop = cv2.warpAffine(img, m, (112, 112), flags=cv2.INTER_LINEAR, borderValue=0)
        x = crop[:, :, ::-1].transpose(2, 0, 1)[None].astype(np.float32)
        v = s.run(None, {"data": np.ascontiguousarray(x)})[0].ravel()
        theirs[i] = v / np.linalg.norm(v)
        if i % 500 == 499:
            print(f"verify_lfw: {i + 1} of {len(files)}", file=sys.stderr, flush=True)
    people = np.array([r["person"] for r in rows])[ok]
    i, j = np.triu_indices(people.size, 1)
    same = people[i] == people[j]
    res = {"pictures": len(files), "faces": int(ok.sum()), "genuine": int(same.sum()), "impostor": int((~same).sum()),
           "template_cosine_min": float((data[ok, 10:] * theirs[ok]).sum(1).min())}
    for name, t in (("ours", data[ok, 10:]), ("onnxruntime", theirs[ok])):
        g = t @ t.T
        sc = g[i, j]
        for fmr in (1e-3, 1e-4):
            res[f"{name} TMR at {fmr:.0e}"], res[f"{name} threshold at {fmr:.0e}"] = tmr(sc, same, fmr)
    for fmr in ("1e-03", "1e-04"):
        res[f"difference at {fmr}"] = res[f"ours TMR at {fmr}"] - res[f"onnxruntime TMR at {fmr}"]
    print(json.dumps(res, indent=1))
    if a.json:
        Path(a.json).write_text(json.dumps(res, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
