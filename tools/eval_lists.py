#!/usr/bin/env python3
"""Lists for `vedette eval` from folders as they are published.

usage: eval_lists.py roles DIR    DIR/meta.csv names role, person, file ...; the file lies in DIR/role/
       eval_lists.py voc DIR      DIR/*.xml: Pascal VOC boxes of faces
       eval_lists.py views DIR    DIR/person/*.jpg with the first picture of each as reference
Prints a CSV whose files are relative to DIR (give it with --root).
"""
import csv
import sys
import xml.etree.ElementTree as ET
from pathlib import Path


def roles(top, out):
    with open(top / "meta.csv", newline="", encoding="utf-8") as f:
        rows = list(csv.DictReader(f))
    w = csv.DictWriter(out, list(rows[0]), lineterminator="\n")
    w.writeheader()
    for r in rows:
        # several labels in one cell, or a question mark, are no label: they would be a group of one
        w.writerow({k: "" if k not in ("role", "person", "file") and ("," in v or v == "?") else v for k, v in r.items()}
                   | {"file": f"{r['role']}/{r['file']}"})


def voc(top, out):
    w = csv.writer(out, lineterminator="\n")
    w.writerow(["file", "x0", "y0", "x1", "y1"])
    for path in sorted(top.glob("*.xml")):
        root = ET.parse(path).getroot()
        images = root.iter("image") if root.tag != "annotation" else [root]
        for image in images:  # dlib's training lists and Pascal VOC files
            file = image.get("file") or image.findtext("filename")
            for box in image.iter("box"):
                x, y = float(box.get("left")), float(box.get("top"))
                w.writerow([file, x, y, x + float(box.get("width")), y + float(box.get("height"))])
            for box in image.iter("bndbox"):
                w.writerow([file] + [float(box.findtext(k)) for k in ("xmin", "ymin", "xmax", "ymax")])


def views(top, out):
    w = csv.writer(out, lineterminator="\n")
    w.writerow(["file", "person", "role"])
    for person in sorted(p for p in top.iterdir() if p.is_dir()):
        files = sorted(f for f in person.iterdir() if f.suffix.lower() in (".jpg", ".jpeg", ".png", ".pgm"))
        for i, f in enumerate(files):
            w.writerow([f"{person.name}/{f.name}", person.name, "probe" if i else "gallery"])


if __name__ == "__main__":
    kinds = {"roles": roles, "voc": voc, "views": views}
    if len(sys.argv) != 3 or sys.argv[1] not in kinds or not Path(sys.argv[2]).is_dir():
        sys.exit(__doc__)
    kinds[sys.argv[1]](Path(sys.argv[2]), sys.stdout)
