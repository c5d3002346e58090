#!/usr/bin/env python3
"""../shared/data/group_photos: is every annotated nose inside exactly one detected box?

Prints each photograph that is not perfect with its misses, boxes without a nose, and the totals.
usage: python3 bench/group_photos.py [--detector NAME]
"""
import csv
import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SHARED = Path(os.environ.get("VEDETTE_SHARED", ROOT.parent / "shared"))


def main():
    top = SHARED / "data" / "group_photos"
    if not top.exists():
        print(f"SKIP: no {top}")
        return 77
    noses = {p.name: [] for p in sorted(top.glob("*.jpg"))}
    for r in csv.DictReader(open(top / "noses.csv")):
        noses[r["file"]].append((float(r["x"]), float(r["y"])))
    out = subprocess.run([str(ROOT / "build" / "vedette"), "detect", "--json", "--quality", *sys.argv[1:], *[str(top / f) for f in noses]],
                         stdout=subprocess.PIPE, text=True, check=True).stdout
    total = hit = extra = double = 0
    for line in out.splitlines():
        o = json.loads(line)
        name, boxes = Path(o["image"]).name, [f["box"] for f in o["faces"]]
        inside = [[b["x0"] <= x < b["x1"] and b["y0"] <= y < b["y1"] for b in boxes] for x, y in noses[name]]
        total += len(inside)
        hit += sum(sum(r) == 1 for r in inside)
        double += sum(sum(r) > 1 for r in inside)
        empty = [o["faces"][k] for k in range(len(boxes)) if not any(r[k] for r in inside)]
        extra += len(empty)
        for (x, y), r in zip(noses[name], inside):
            if sum(r) != 1:
                print(f"{name}: nose at {x:.0f},{y:.0f} is inside {sum(r)} boxes")
        for f in empty:
            b = f["box"]
            print(f"{name}: box {b['x0']:.0f},{b['y0']:.0f} {b['x1'] - b['x0']:.0f}x{b['y1'] - b['y0']:.0f} score {f['score']:.2f} has no nose")
    print(f"{len(noses)} photographs, {total} noses: {hit} inside exactly one box, {total - hit - double} missed, {double} in several; "
          f"{extra} boxes without a nose")
    return 0


if __name__ == "__main__":
    sys.exit(main())
