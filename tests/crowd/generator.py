"""The crowd-walk generator: one seed, one result; the truth says what the pictures show. Faces are drawn here: no
photographs, no models."""
import hashlib
import json
import os
import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
CACHE = pathlib.Path(os.environ.get("VEDETTE_CACHE", ROOT / ".cache"))
PYTHON = CACHE / "venv" / "bin" / "python"
if not os.environ.get("VD_CROWD_TEST"):
    if not PYTHON.exists() or subprocess.run([PYTHON, "-c", "import cv2, numpy"], stderr=subprocess.DEVNULL).returncode:
        print(f"SKIP: no numpy and OpenCV in {CACHE / 'venv'}: tools/setup --test")
        sys.exit(77)
    os.execve(PYTHON, [str(PYTHON), __file__], {**os.environ, "VD_CROWD_TEST": "1"})

import cv2  # noqa: E402
import numpy as np  # noqa: E402

FACE = "0.25,0.2,0.75,0.8"
PLAIN = ("--blur", "0", "--lighting", "0", "--occlusion", "0")


def crowd(*args, ok=True):
    r = subprocess.run([PYTHON, ROOT / "tools" / "crowd" / "crowd.py", *map(str, args)], stdin=subprocess.DEVNULL,
                       stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert not ok or r.returncode == 0, r.stderr
    return r


def faces(top):
    """Seven people, three of them with two pictures: an oval of magenta fills the box of the face."""
    top.mkdir()
    for i in range(10):
        img = np.full((200, 160, 3), 90 + 5 * i, np.uint8)
        cv2.ellipse(img, (80, 100), (40, 60), 0, 0, 360, (255, 0, 255), -1)
        cv2.imwrite(str(top / (f"p{i}_0001.png" if i < 7 else f"p{i - 7}_0002.png")), img)
    return top


def digest(top):
    return {str(p.relative_to(top)): hashlib.sha256(p.read_bytes()).hexdigest() for p in sorted(top.rglob("*")) if p.is_file()}


def one_seed_one_result(tmp):
    f = faces(tmp / "faces")
    small = ("--face", FACE, "--size", "320x240", "--cameras", 2, "--listed", 3, "--strangers", 4, "--seconds", 1, "--heights",
             "24,40,64")
    for out, seed in (("a", 5), ("b", 5), ("c", 6)):
        crowd("walk", f, tmp / out, "--seed", seed, *small)
        crowd("tracks", f, tmp / out / "t", "--seed", seed, *small, "--looks", 3)
    a, b, c = digest(tmp / "a"), digest(tmp / "b"), digest(tmp / "c")
    assert a == b, [k for k in a if a[k] != b.get(k)]
    assert a["truth.json"] != c["truth.json"] and a["cam0.mp4"] != c["cam0.mp4"], "the seed does nothing"
    assert {"cam0.mp4", "cam1.mp4", "truth.json", "t/truth.json", "t/tracks.csv", "watchlist/p0.png"} <= set(a), sorted(a)
    assert len([k for k in a if k.startswith("t/tracks/")]) == 7 * 3, "pictures of tracks"


def truth_holds(tmp):
    """Shape of the truth, and the boxes against the pixels of the encoded video."""
    f = faces(tmp / "faces")
    crowd("walk", f, tmp / "o", "--face", FACE, "--size", "640x360", "--listed", 2, "--strangers", 4, "--heights", "60,70", "--gap",
          2, "--seconds", 1, *PLAIN, "--crf", 12)
    t = json.loads((tmp / "o" / "truth.json").read_text())
    assert t["format"] == "vedette-crowd-1" and t["kind"] == "walk" and t["fps"] == 25
    (cam,) = t["cameras"]
    assert len(t["walkers"]) == 6 and sorted(w["person"] for w in t["walkers"] if w["listed"]) == t["watchlist"]
    video, frame, seen, worst = cv2.VideoCapture(str(tmp / "o" / cam["file"])), 0, 0, 0.0
    boxes = {}
    for w in t["walkers"]:
        assert [b[0] for b in w["boxes"]] == sorted(b[0] for b in w["boxes"])
        assert all(0 <= b[5] <= 1 and b[1] < b[3] and b[2] < b[4] for b in w["boxes"])
        good = [b[0] for b in w["boxes"] if b[5] >= 0.75 and b[4] - b[2] >= 16]
        assert len(good) == w["usable_frames"] and w["first_usable_ms"] == (round(good[0] * 40) if good else None), w["walker"]
        for b in w["boxes"]:
            boxes.setdefault(b[0], []).append(b[1:])
    while True:
        ok, img = video.read()
        if not ok:
            break
        here = boxes.get(frame, [])
        frame += 1
        if len(here) != 1 or here[0][4] < 1:
            continue
        pixels = np.argwhere((img[..., 0] > 170) & (img[..., 2] > 170) & (img[..., 1] < 90))
        (y0, x0), (y1, x1) = pixels.min(0), pixels.max(0) + 1
        off = np.abs(np.array([x0, y0, x1, y1]) - np.array(here[0][:4]))
        worst, seen = max(worst, float(off.max())), seen + 1
        assert off.max() < 3.5, f"frame {frame - 1}: {here[0]} is at {(x0, y0, x1, y1)}"
    assert frame == cam["frames"], f"{frame} frames, not {cam['frames']}"
    assert seen > 40, f"only {seen} frames with one whole face"
    print(f"      {seen} boxes, worst edge {worst:.1f} px off")


def covered_faces_are_less_visible(tmp):
    f = faces(tmp / "faces")
    crowd("walk", f, tmp / "o", "--face", FACE, "--size", "320x240", "--listed", 0, "--strangers", 7, "--heights", "40,60",
          "--gap", 0.1, "--seconds", 1, "--occlusion", 1)
    t = json.loads((tmp / "o" / "truth.json").read_text())
    shares = [b[5] for w in t["walkers"] for b in w["boxes"]]
    assert any(s < 0.6 for s in shares) and any(s == 1 for s in shares), "nobody is ever covered, or always"
    assert all(w["covered"] for w in t["walkers"]) and not t["watchlist"] and not list((tmp / "o" / "watchlist").iterdir())


def wrong_inputs(tmp):
    (tmp / "empty").mkdir()
    for args in (("walk", tmp / "empty", tmp / "o"), ("walk", tmp / "nowhere", tmp / "o"),
                 ("walk", tmp / "empty", tmp / "o", "--heights", "9,5"), ("walk", tmp / "empty", tmp / "o", "--size", "321x240")):
        r = crowd(*args, ok=False)
        assert r.returncode and r.stderr and "Traceback" not in r.stderr, (args, r.stderr)


if __name__ == "__main__":
    for test in (one_seed_one_result, truth_holds, covered_faces_are_less_visible, wrong_inputs):
        with tempfile.TemporaryDirectory(prefix="vd-crowd-") as d:
            test(pathlib.Path(d))
        print(f"ok    {test.__name__}", flush=True)
    print("4 passed, 0 failed")
