"""vedette eval video on a generated clip: two runs write the same, and its figures are counted again here, from scores.csv
and truth.json, with numpy and none of its code."""
import csv
import filecmp
import json
import os
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "e2e"))
import harness  # noqa: E402
from harness import CACHE, check, ffmpeg, need_ffmpeg, need_models, skip, vedette  # noqa: E402

PYTHON = CACHE / "venv" / "bin" / "python"
if not os.environ.get("VD_CROWD_TEST"):
    if not PYTHON.exists() or subprocess.run([PYTHON, "-c", "import cv2, numpy"], stderr=subprocess.DEVNULL).returncode:
        skip(f"no numpy and OpenCV in {CACHE / 'venv'}: tools/setup --test")
    os.execve(PYTHON, [str(PYTHON), *sys.argv], {**os.environ, "VD_CROWD_TEST": "1"})
import numpy as np  # noqa: E402

EDGE = [16, 24, 32, 48, 64, 96, 160]
WAYS = {"track, the product's rule": "rule", "track, fused template alone": "fused",
        "best single frame (by quality)": "single", "any single frame (by similarity)": "any"}


def clip(tmp):
    """Five people of the demo's group photograph walk by, two pictures each: two listed, three strangers."""
    photo = CACHE / "demo" / "material" / "multi_face.jpg"
    if not photo.exists():
        skip(f"no demo material in {CACHE}: make demo brings it")
    (faces,) = vedette("detect", photo, "--json").of("faces")
    top = tmp / "faces"
    top.mkdir()
    for i, f in enumerate(faces["faces"][:5]):
        b = f["box"]
        w, h = b["x1"] - b["x0"], b["y1"] - b["y0"]
        crop = f"crop={2.2 * w:.0f}:{1.8 * h:.0f}:{max(0, b['x0'] - 0.6 * w):.0f}:{max(0, b['y0'] - 0.4 * h):.0f}"
        ffmpeg("-i", photo, "-vf", f"{crop},scale=iw*2:-1", top / f"p{i}_0001.png")
        ffmpeg("-i", photo, "-vf", f"{crop},scale=iw*1.7:-1,eq=brightness=-0.04", top / f"p{i}_0002.png")
    subprocess.run([PYTHON, ROOT / "tools" / "crowd" / "crowd.py", "walk", top, tmp / "walk", "--listed", "2", "--strangers", "3",
                    "--transits", "2", "--size", "320x240", "--heights", "50,70,95", "--gap", "0.5", "--seconds", "1",
                    "--occlusion", "0.2", "--vedette", harness.VEDETTE], check=True, stdout=subprocess.DEVNULL)
    return tmp / "walk"


def iou(a, b):
    w, h = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    if w <= 0 or h <= 0:
        return 0.0
    return w * h / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - w * h)


def who_is_there(truth, row):
    fps = truth["cameras"][0]["fps"]
    frame = round(int(row["pts_ms"]) * fps / 1000)
    best, who = 0.3, None
    for w in truth["walkers"]:
        for b in w["boxes"] if w["camera"] == row["camera"] else []:
            if b[0] == frame and b[5] >= 0.1:
                o = iou([float(row[k]) for k in ("x0", "y0", "x1", "y1")], b[1:5])
                if o > best:
                    best, who = o, w["walker"]
    return who


def units(truth, rows):
    """Scores of the walks of listed people and of strangers' tracks, by the definitions of src/eval/video.h."""
    listed = {w["walker"]: w for w in truth["walkers"] if w["listed"]}

    def score(looks, right):
        ok = [x for x in looks if not right or x["fused_right"] == "1"]
        alone = [x for x in looks if not right or x["alone_right"] == "1"]
        best = max(looks, key=lambda x: float(x["quality"]), default=None)
        return {"rule": max([float(x["reach"]) for x in ok], default=-2), "fused": max([float(x["fused"]) for x in ok], default=-2),
                "any": max([float(x["alone"]) for x in alone], default=-2), "single": float(best["alone"]) if best in alone else -2}

    mated = [(w, score([r for r in rows if r["walker"] == str(n)], True)) for n, w in listed.items()]
    strangers = []
    for key in sorted({(r["camera"], int(r["track"])) for r in rows}):
        mine = [r for r in rows if (r["camera"], int(r["track"])) == key]
        owners = [r["walker"] for r in mine]
        owner = max(dict.fromkeys(owners), key=owners.count)
        if owner == "" or int(owner) not in listed:
            strangers.append(score([r for r in mine if r["walker"] == "" or int(r["walker"]) not in listed], False))
    return mated, strangers


def figures_counted_again(tmp):
    walk = clip(tmp)
    truth = json.loads((walk / "truth.json").read_text())
    for out, threads in (("one", 1), ("two", 2)):
        vedette("eval", "video", walk / "truth.json", "--watchlist", walk / "watchlist", "-o", tmp / out, "--threads", threads,
                "--bootstrap", 50)
    for name in ("report.json", "report.html", "scores.csv"):
        check(filecmp.cmp(tmp / "one" / name, tmp / "two" / name, shallow=False), f"{name} differs between two runs")
    d = json.loads((tmp / "one" / "report.json").read_text())
    rows = list(csv.DictReader(open(tmp / "one" / "scores.csv")))
    check(len(rows) >= 10, f"only {len(rows)} looks")
    for r in rows:
        who = who_is_there(truth, r)
        check(r["walker"] == ("" if who is None else str(who)), f"a look of {who} was given to {r['walker']}: {r}")
    mated, strangers = units(truth, rows)
    check(d["opportunities"]["walks"] == len(mated) == 2, f"walks of listed people: {d['opportunities']}")
    check(d["stranger_tracks"] == len(strangers), f"{d['stranger_tracks']} and {len(strangers)} tracks of strangers")
    manifest = [p for p in d["operating_points"] if p["aim"] is None]
    check(len(manifest) == 4, "four ways")
    for p in d["operating_points"]:
        way, t = WAYS[p["by"]], np.float32(p["threshold"])
        s = np.array([np.float32(x[way]) for x in strangers])
        m = np.array([np.float32(x[way]) for _, x in mated])
        hits, alarms = int(((m >= t) & (m > -1)).sum()), int(((s >= t) & (s > -1)).sum())
        fnir = 1 - hits / len(mated)
        check(p["tpir"]["count"] == hits and abs(1 - p["tpir"]["value"] - fnir) < 1e-9, f"FNIR: {p} and {hits}")
        check(p["fpir"]["count"] == alarms and abs(p["fpir"]["value"] - alarms / len(strangers)) < 1e-9, f"FPIR: {p}, {alarms}")
        if p["aim"] is not None:
            may = int(p["aim"] * len(s))
            want = np.nextafter(np.sort(s)[::-1][may], np.float32(2))
            check(t == want, f"threshold {t} for {p['aim']}: numpy says {want}")
    check(sum(b["tpir_rule"]["of"] for b in d["by_height"]) == len(mated) if "by_height" in d else True, "walks by height")
    first = {}
    for r in rows:
        if r["fused_right"] == "1" and np.float32(r["reach"]) >= np.float32(manifest[0]["threshold"]):
            first.setdefault(int(r["walker"]), int(r["pts_ms"]))
    waits = sorted((first[w["walker"]] - w["first_usable_ms"]) / 1000 for w, _ in mated if w["walker"] in first)
    check(d["time_to_alert"][0]["alerts"] == len(waits), f"times: {d['time_to_alert'][0]}, {waits}")
    if waits:
        check(abs(d["time_to_alert"][0]["longest_s"] - waits[-1]) < 1e-9, f"longest: {d['time_to_alert'][0]}, {waits}")
    check(any(h["tpir"]["count"] for h in manifest), "nobody was found at all: this clip tests nothing")
    check("p0" not in (tmp / "one" / "scores.csv").read_text(), "somebody is named in scores.csv")
    # The alerts of the product itself and of the rule turned round must be the same walks.
    rule = [p for p in manifest if WAYS[p["by"]] == "rule"][0]
    check(d["alerts"]["right"] == rule["tpir"]["count"], f"{d['alerts']} but by the rule {rule['tpir']}")


@harness.plain_build_only
def a_clip_described_by_hand(tmp):
    """Rough boxes: where the listed walker is overlaid (tools/demo/compose.py); everybody else is a stranger."""
    demo = CACHE / "demo" / "crowd.mp4"
    if not demo.exists():
        skip("no demo video")
    small = tmp / "small.mp4"
    ffmpeg("-ss", "1.5", "-t", "2", "-i", demo, "-threads", "1", small)
    truth = {"format": "vedette-crowd-1", "kind": "clip", "cameras": [{"camera": "a", "file": "small.mp4", "fps": 25}],
             "walkers": [{"walker": 0, "camera": "a", "person": "Walker-in-black", "listed": True, "height_px": 100,
                          "first_usable_ms": 0, "rough": True,
                          "boxes": [[f, 1920 - 95 * t, 40, 2250 - 95 * t, 500, 1] for f, t in ((0, 1.5), (50, 3.5))]}]}
    (tmp / "t.json").write_text(json.dumps(truth))
    vedette("eval", "video", tmp / "t.json", "--watchlist", CACHE / "demo" / "watchlist", "-o", tmp / "o", "--bootstrap", 20)
    d = json.loads((tmp / "o" / "report.json").read_text())
    rule = [p for p in d["operating_points"] if p["aim"] is None][0]
    check(rule["tpir"]["count"] == 1 and rule["fpir"]["count"] == 0, f"the listed walker, and nobody else: {rule}")
    check(d["stranger_tracks"] >= 4, f"tracks of strangers: {d['stranger_tracks']}")


def wrong_inputs(tmp):
    good = {"format": "vedette-crowd-1", "kind": "walk", "cameras": [{"camera": "a", "file": "a.mp4", "fps": 25}],
            "walkers": [{"walker": 0, "camera": "a", "person": "x", "listed": True, "height_px": 9, "first_usable_ms": None,
                         "boxes": [[0, 1, 1, 9, 9, 1], [1, 1, 1, 9, 9, 1]]}]}
    bad = {"format": "vedette-crowd-0", "cameras": [], "walkers": []}
    cases = [("format", {**good, **{k: bad[k]}}) if k == "format" else ("no ", {**good, **{k: bad[k]}}) for k in bad]
    for key, value, words in (("camera", "b", "no such camera"), ("person", "", "person"), ("listed", 1, "listed"),
                              ("boxes", [[0, 9, 1, 1, 9, 1]], "boxes[0]"), ("boxes", [[3, 1, 1, 9, 9, 1]] * 2, "must rise"),
                              ("boxes", [[0, 1, 1, 9, 9]], "boxes[0]"), ("boxes", [[0, 1, 1, 9, 1e300, 1]], "boxes[0]"),
                              ("height_px", -1, "height_px"), ("walker", "one", "walker")):
        cases.append((words, {**good, "walkers": [{**good["walkers"][0], key: value}]}))
    (tmp / "list").mkdir()
    for i, (words, d) in enumerate(cases):
        (tmp / "t.json").write_text(json.dumps(d))
        r = vedette("eval", "video", tmp / "t.json", "--watchlist", tmp / "list", "-o", tmp / "o", ok=False)
        check(r.rc == 1 and words in r.err and "t.json" in r.err, f"case {i}, {words}", r)
    (tmp / "t.json").write_text('{"format": "vedette-crowd-1", ')
    r = vedette("eval", "video", tmp / "t.json", "--watchlist", tmp / "list", "-o", tmp / "o", ok=False)
    check(r.rc == 1 and "line" in r.err, "broken JSON", r)
    r = vedette("eval", "video", tmp / "t.json", "-o", tmp / "o", ok=False)
    check(r.rc == 2 and "--watchlist" in r.err, "no watchlist", r)
    check(not (tmp / "o").exists(), "a failed run left a report")


if __name__ == "__main__":
    need_models()
    need_ffmpeg()
    harness.run_tests({f.__name__: f for f in (wrong_inputs, figures_counted_again, a_clip_described_by_hand)})
