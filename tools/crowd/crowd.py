#!/usr/bin/env python3
"""A crowd walks past cameras: composed of face pictures, with exact ground truth. Format: docs/crowd.md.

usage: crowd.py walk   FACES OUT [options]    videos OUT/camN.mp4, OUT/watchlist, OUT/truth.json
       crowd.py tracks FACES OUT [options]    no video: OUT/tracks/W/NNN.jpg, OUT/watchlist, OUT/truth.json, OUT/tracks.csv

FACES is any folder of pictures: a folder for each person, or NAME_0001.jpg, NAME_0002.jpg. The same seed, pictures and
versions of numpy, OpenCV and FFmpeg give the same bytes. Needs numpy and OpenCV: .cache/venv/bin/python of the set-up.
"""
import argparse
import csv
import hashlib
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(Path(__file__).resolve().parent))
from scene import Backdrop, Walker, degrade, draw, lay_out  # noqa: E402

PICTURES = (".jpg", ".jpeg", ".png", ".pgm", ".bmp")
FORMAT = "vedette-crowd-1"


def die(text):
    sys.exit(f"crowd.py: {text}")


# --- who there is -------------------------------------------------------------------------------

def people_of(top):
    """Person -> pictures, both in name order."""
    people = {}
    for path in sorted(p for p in top.rglob("*") if p.suffix.lower() in PICTURES and p.is_file()):
        stem = re.sub(r"[_-]\d+$", "", path.stem)
        person = stem if stem != path.stem or path.parent == top else path.parent.name
        people.setdefault(person, []).append(path)
    return dict(sorted(people.items()))


def central(faces, width, height):
    """Of the faces at least half as tall as the tallest the one nearest to the centre; as src/eval/collect.c does."""
    tall = max(f[3] - f[1] for f in faces)
    able = [f for f in faces if f[3] - f[1] >= tall / 2]
    return min(able, key=lambda f: (f[0] + f[2] - width) ** 2 + (f[1] + f[3] - height) ** 2)


def boxes_of(paths, args):
    """Path -> box of the face, in pixels of the picture; None without one."""
    if args.face:
        found = {}
        for p in paths:
            h, w = cv2.imread(str(p), cv2.IMREAD_GRAYSCALE).shape
            found[p] = [args.face[0] * w, args.face[1] * h, args.face[2] * w, args.face[3] * h]
        return found
    found = {p: None for p in paths}
    for i in range(0, len(paths), 200):
        part = [str(p) for p in paths[i:i + 200]]
        r = subprocess.run([args.vedette, "detect", *part, "--json"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                           stderr=subprocess.PIPE, text=True)
        for line in r.stdout.splitlines():
            d = json.loads(line)
            if d.get("type") == "faces" and d["faces"]:
                boxes = [[f["box"][k] for k in ("x0", "y0", "x1", "y1")] for f in d["faces"]]
                found[Path(d["image"])] = central(boxes, d["width_px"], d["height_px"])
    return found


def cast(args, rng):
    """(listed: person -> reference, walks: [(person, picture, box, listed)] in walking order)."""
    people = people_of(args.faces)
    if not people:
        die(f"{args.faces}: no pictures")
    able = [p for p, pics in people.items() if len(pics) >= 2]
    listed = [able[i] for i in sorted(rng.permutation(len(able))[:args.listed].tolist())]
    others = [p for p in people if p not in set(listed)]
    strangers = [others[i] for i in rng.permutation(len(others))[:args.strangers].tolist()]
    chosen = [(p, pic, True) for p in listed for pic in people[p][1:1 + args.transits]]
    chosen += [(p, pic, False) for p in strangers for pic in people[p][:args.transits]]
    box = boxes_of([pic for _, pic, _ in chosen], args)
    walks = [(p, pic, box[pic], is_listed) for p, pic, is_listed in chosen if box[pic]]
    without = len(chosen) - len(walks)
    if without:
        print(f"crowd.py: {without} of {len(chosen)} pictures have no face that was found: left out", file=sys.stderr)
    if not walks:
        die("no picture has a face")
    order = rng.permutation(len(walks)).tolist()
    return {p: people[p][0] for p in listed}, [walks[i] for i in order]


def write_watchlist(out, listed):
    top = out / "watchlist"
    shutil.rmtree(top, ignore_errors=True)
    top.mkdir(parents=True)
    for person, picture in listed.items():
        shutil.copyfile(picture, top / f"{person}{picture.suffix.lower()}")


def dump(path, truth):
    """One walker a line: two truths can be compared by eye."""
    head = {k: v for k, v in truth.items() if k != "walkers"}
    text = json.dumps(head, indent=1)[:-2] + ',\n "walkers": [\n'
    text += ",\n".join(json.dumps(w, separators=(",", ":")) for w in truth["walkers"]) + "\n ]\n}\n"
    path.write_text(text)


# --- video --------------------------------------------------------------------------------------

def encoder(args, path):
    w, h = args.size
    return subprocess.Popen(
        ["ffmpeg", "-v", "error", "-y", "-nostdin", "-f", "rawvideo", "-pix_fmt", "bgr24", "-s", f"{w}x{h}", "-r", str(args.fps),
         "-i", "-", "-an", "-c:v", "libx264", "-preset", "superfast", "-crf", str(args.crf), "-pix_fmt", "yuv420p",
         "-threads", "1", "-bitexact", str(path)], stdin=subprocess.PIPE)


def film(args, camera, walkers):
    """Draw one camera's frames; fills in the walkers' boxes. @return the camera's entry."""
    name = f"cam{camera}"
    back = Backdrop(np.random.default_rng([args.seed, 1, camera]), args.size)
    grain = np.random.default_rng([args.seed, 2, camera])
    frames = max(w.last for w in walkers) + args.fps // 2
    digest = hashlib.sha256()
    part = args.out / f"{name}.part.mp4"
    enc = encoder(args, part)
    for f in range(frames):
        picture = back.at(f, args.fps)
        draw(picture, walkers, f)
        picture = degrade(picture, grain, back.noise)
        digest.update(picture.tobytes())
        enc.stdin.write(picture.tobytes())
        if f % 250 == 0:
            print(f"crowd.py: {name}: frame {f} of {frames}", file=sys.stderr)
    enc.stdin.close()
    if enc.wait():
        die("ffmpeg failed")
    part.replace(args.out / f"{name}.mp4")
    return {"camera": name, "file": f"{name}.mp4", "width": args.size[0], "height": args.size[1], "fps": args.fps,
            "frames": frames, "frames_sha256": digest.hexdigest()}


def walk(args, listed, walks):
    cameras, walkers = [], []
    for c in range(args.cameras):
        mine = [Walker(np.random.default_rng([args.seed, 3, i]), i, w, args) for i, w in enumerate(walks)
                if i % args.cameras == c]
        lay_out(mine, np.random.default_rng([args.seed, 4, c]), args)
        cameras.append(film(args, c, mine))
        walkers += [(w, f"cam{c}") for w in mine]
    return cameras, [w.truth(camera, args) for w, camera in sorted(walkers, key=lambda x: x[0].number)]


# --- tracks without video -----------------------------------------------------------------------

def tracks(args, listed, walks):
    """Each walker alone before a backdrop, as a sequence of small pictures around the face."""
    rows, out = [], []
    for i, w in enumerate(walks):
        rng = np.random.default_rng([args.seed, 3, i])
        walker = Walker(rng, i, w, args)
        walker.stay(args)
        folder = args.out / "tracks" / f"{i:06d}"
        folder.mkdir(parents=True, exist_ok=True)
        side = int(max(48, 2.2 * walker.height * walker.growth))
        back = Backdrop(np.random.default_rng([args.seed, 1, i]), (side, side))
        every = max(1, walker.length // args.looks)
        for f in range(0, every * args.looks, every):
            picture = back.at(f, args.fps)
            draw(picture, [walker], f, centre=True)
            picture = degrade(picture, rng, back.noise)
            name = f"tracks/{i:06d}/{f:04d}.jpg"
            quality = int(np.clip(96 - 1.3 * (args.crf - 10) - rng.uniform(0, 12), 30, 95))
            cv2.imwrite(str(args.out / name), picture, [cv2.IMWRITE_JPEG_QUALITY, quality])
            rows.append([name, walker.person, "probe" if walker.listed else "nonmated", i, f, f"{walker.height:.1f}"])
        out.append(walker.truth(f"tracks/{i:06d}", args))
    with open(args.out / "tracks.csv", "w", newline="") as f:
        w = csv.writer(f, lineterminator="\n")
        w.writerow(["file", "person", "role", "walker", "frame", "height"])
        w.writerows(rows)
    return [], out


def pair(text, of=int, n=2, sep="x"):
    parts = text.split(sep)
    if len(parts) != n:
        raise argparse.ArgumentTypeError(f"{n} numbers with {sep} between them")
    return [of(p) for p in parts]


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("what", choices=("walk", "tracks"))
    ap.add_argument("faces", type=Path)
    ap.add_argument("out", type=Path)
    ap.add_argument("--seed", type=int, default=1)
    ap.add_argument("--listed", type=int, default=20, help="people on the watchlist; each needs two pictures")
    ap.add_argument("--strangers", type=int, default=40)
    ap.add_argument("--transits", type=int, default=1, help="walks of a person, each by another picture")
    ap.add_argument("--cameras", type=int, default=1)
    ap.add_argument("--size", type=pair, default=[1280, 720], metavar="WxH")
    ap.add_argument("--fps", type=int, default=25)
    ap.add_argument("--heights", type=lambda t: [float(x) for x in t.split(",")], default=[16, 24, 32, 48, 64, 96, 160],
                    help="edges of classes of face heights, pixels; every class gets the same number of walkers")
    ap.add_argument("--seconds", type=float, default=3, help="about how long a walk lasts")
    ap.add_argument("--gap", type=float, default=0.6, help="seconds between two people who come in, on one camera")
    ap.add_argument("--blur", type=float, default=1, help="strength of motion blur and defocus; 0 = none")
    ap.add_argument("--occlusion", type=float, default=0.3, help="share of walkers whom something covers for a while")
    ap.add_argument("--lighting", type=float, default=1, help="strength of changes of light; 0 = none")
    ap.add_argument("--crf", type=int, default=26, help="compression: x264's, or the JPEGs' by the like")
    ap.add_argument("--looks", type=int, default=8, help="tracks: pictures of each walker")
    ap.add_argument("--usable", type=float, nargs=2, default=[16, 0.75], metavar=("PX", "SHARE"),
                    help="a frame is usable when the face is so tall and so much of it is to be seen")
    ap.add_argument("--face", type=lambda t: pair(t, float, 4, ","), metavar="X0,Y0,X1,Y1",
                    help="where the face is in every picture, as fractions; otherwise vedette looks")
    ap.add_argument("--vedette", default=str(ROOT / "build" / "vedette"))
    args = ap.parse_args()
    if not args.faces.is_dir():
        die(f"{args.faces}: no such folder")
    if len(args.heights) < 2 or sorted(args.heights) != args.heights or args.heights[0] < 8 or args.heights[-1] > 400:
        die("--heights: edges, rising, from 8 to 400")
    if not 1 <= args.cameras <= 16 or min(args.size) < 64 or max(args.size) > 4096 or args.size[0] % 2 or args.size[1] % 2:
        die("--cameras 1 to 16; --size even, 64 to 4096")
    args.out.mkdir(parents=True, exist_ok=True)
    cv2.setNumThreads(1)
    listed, walks = cast(args, np.random.default_rng([args.seed, 0]))
    write_watchlist(args.out, listed)
    shutil.rmtree(args.out / "tracks", ignore_errors=True)
    cameras, walkers = (walk if args.what == "walk" else tracks)(args, listed, walks)
    dump(args.out / "truth.json", {
        "format": FORMAT, "kind": args.what, "seed": args.seed, "watchlist": sorted(listed), "fps": args.fps,
        "heights": args.heights, "usable": {"height_px": args.usable[0], "visible": args.usable[1]},
        "made_with": {"numpy": np.__version__, "opencv": cv2.__version__},
        "cameras": cameras, "walkers": walkers})
    print(f"{args.out / 'truth.json'}: {len(walkers)} walkers, {sum(w['listed'] for w in walkers)} of listed people")


if __name__ == "__main__":
    main()
