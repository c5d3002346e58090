"""The eval verbs end to end, on crops of the demo's group photograph: five people, two pictures each.

The figures are checked elsewhere (tests/eval); here: that pictures become figures, failures are counted,
two runs write the same bytes, and the report is one file that loads nothing and runs nothing.
"""
import csv
import filecmp
import json
import re

import harness
from harness import CACHE, check, ffmpeg, need_ffmpeg, need_models, skip, vedette


def people(tmp):
    """tmp/set/pN/{a,b}.png: a crop, and the same a little smaller and darker; beside them a broken one."""
    photo = CACHE / "demo" / "material" / "multi_face.jpg"
    if not photo.exists():
        skip(f"no demo material in {CACHE}: make demo brings it")
    (faces,) = vedette("detect", photo, "--json").of("faces")
    top = tmp / "set"
    for i, f in enumerate(faces["faces"][:5]):
        b = f["box"]
        w, h = b["x1"] - b["x0"], b["y1"] - b["y0"]
        x, y = max(0, b["x0"] - w), max(0, b["y0"] - h / 2)
        (top / f"p{i}").mkdir(parents=True)
        crop = f"crop={3 * w:.0f}:{2 * h:.0f}:{x:.0f}:{y:.0f}"
        ffmpeg("-i", photo, "-vf", crop, top / f"p{i}" / "a.png")
        ffmpeg("-i", photo, "-vf", f"{crop},scale=iw*0.8:-1,eq=brightness=-0.05", top / f"p{i}" / "b.png")
    (top / "p0" / "broken.jpg").write_bytes(b"\xff\xd8 not a picture")
    return top, faces["faces"]


def the_same_twice(tmp):
    top, _ = people(tmp)
    for out, threads in (("one", 1), ("two", 3)):
        r = vedette("eval", "all", top, "--output", tmp / out, "--threads", threads, "--bootstrap", 50, "--splits", 4)
    check(r.out.count("report.html") == 3, "where the reports are was not said", r)
    for kind in ("verify", "identify", "quality"):
        for name in ("report.json", "report.html", "scores.csv"):
            check(filecmp.cmp(tmp / "one" / kind / name, tmp / "two" / kind / name, shallow=False),
                  f"{kind}/{name} differs between two runs")
        check(not (tmp / "one" / "equity").exists(), "equity without groups")
    v = json.loads((tmp / "one" / "verify" / "report.json").read_text())
    check(v["genuine"] == 5 and v["impostor"] == 40, f"{v['genuine']} and {v['impostor']} comparisons")
    check(v["lost"] == 10, f"pairs of the broken picture: {v['lost']}")
    check(v["acquisition"]["references"]["unreadable"] == 1, "the broken picture is not counted")
    manifest = [p for p in v["operating_points"] if p["aim"] is None]
    check(len(manifest) == 1 and manifest[0]["fnmr"]["count"] == 0, "crops of one picture do not match")
    i = json.loads((tmp / "one" / "identify" / "report.json").read_text())
    check(i["enrolled"] == 2 and i["mated_searches"] == 8, f"half of five, four times: {i['enrolled']}, {i['mated_searches']}")
    check(i["nonmated_searches"] == 24, f"three strangers with two pictures, four times: {i['nonmated_searches']}")
    html = (tmp / "one" / "verify" / "report.html").read_text()
    check(html.count("<svg") >= 3, "no plots")
    check(not re.search(r"<script|<img|<link|src=|href=|url\(|@import|data:", html), "the report loads something")
    check(str(tmp) not in html and str(tmp) not in json.dumps(v), "a path of this machine in the report")
    rows = list(csv.DictReader(open(tmp / "one" / "verify" / "scores.csv")))
    check(sum(r["kind"] == "genuine" for r in rows) == 5, "genuine scores in the CSV")


def boxes_found_are_found(tmp):
    photo = CACHE / "demo" / "material" / "multi_face.jpg"
    if not photo.exists():
        skip("no demo material")
    (faces,) = vedette("detect", photo, "--json").of("faces")
    truth = tmp / "boxes.csv"
    with open(truth, "w") as f:
        f.write("file,x0,y0,x1,y1\n")
        for b in (x["box"] for x in faces["faces"]):
            f.write(f"{photo.name},{b['x0']},{b['y0']},{b['x1']},{b['y1']}\n")
    other = tmp / "theirs.csv"
    other.write_text(f"file,x0,y0,x1,y1,score\n{photo.name},0,0,9,9,0.9\nnobody.jpg,1,1,5,5,1\n")
    vedette("eval", "detect", truth, "--root", photo.parent, "--output", tmp / "out", "--external", other)
    d = json.loads((tmp / "out" / "report.json").read_text())
    ours, theirs = d["detectors"]
    check(ours["by_height"][0]["recall"]["value"] == 1, f"recall of its own boxes: {ours}")
    check(theirs["by_height"][0]["recall"]["count"] == 0, "a box in the corner found somebody")
    check(theirs["by_height"][0]["precision"]["of"] == 1, "a picture that nobody drew on counts")


def groups(tmp):
    top, _ = people(tmp)
    table = tmp / "set.csv"
    with open(table, "w") as f:
        f.write("file,person,sex,age\n")
        for i in range(5):
            for x in "ab":
                f.write(f"p{i}/{x}.png,p{i},{'FM'[i % 2]},{20 + 10 * i}\n")
    vedette("eval", "equity", table, "--root", top, "--groups", "sex,age", "--output", tmp / "out", "--bootstrap", 20)
    e = json.loads((tmp / "out" / "report.json").read_text())
    check(any("fewer than the 1,000 people" in x for x in e["cannot_show"]), "what cannot be shown is not said")
    check(all("fnmr_gap" not in x for x in e["equity"]), "three people were compared with two")
    at = [x for x in e["equity"] if x["column"] == "sex" and x["aim"] is None][0]
    check([g["people"] for g in at["groups"]] == [3, 2], f"people by sex: {at}")


def wrong_inputs(tmp):
    r = vedette("eval", "verify", tmp, ok=False)
    check(r.rc == 2 and "--output" in r.err, "no output folder", r)
    r = vedette("eval", "verify", tmp, "-o", tmp / "out", ok=False)
    check(r.rc == 1 and "no picture" in r.err, "an empty folder", r)
    r = vedette("eval", "verify", tmp, "-o", tmp / "out", "--probes", "thrice", ok=False)
    check(r.rc == 2 and "mirror" in r.err, "a kind of look that is not there", r)
    bad = tmp / "bad.csv"
    bad.write_text("file,x0,y0,x1,y1\na.jpg,10,ten,15,15\n")
    r = vedette("eval", "detect", bad, "-o", tmp / "out", ok=False)
    check(r.rc == 1 and "bad.csv:2" in r.err, "a box that is none", r)
    r = vedette("eval", "equity", bad, "-o", tmp / "out", ok=False)
    check(r.rc == 2 and "--groups" in r.err, "equity of nothing", r)
    check(not (tmp / "out").exists(), "a failed run left a report")


def calibrate(tmp):
    top, _ = people(tmp)
    r = vedette("calibrate", top, ok=False)  # ten pictures of five people
    check(r.rc == 1 and "too few" in r.err and "--strangers" in r.err, "a threshold out of nothing", r)
    strangers = tmp / "strangers"  # the five again, called strangers, eight times each
    strangers.mkdir()
    for i in range(5):
        for k in range(8):
            ffmpeg("-i", top / f"p{i}" / "a.png", "-vf", f"eq=brightness=0.0{k}", strangers / f"s{i}{k}.png")
    r = vedette("calibrate", top, "--strangers", strangers, "--bootstrap", 20, ok=False)
    check(r.rc == 1 and "strangers" in r.err, "1 in 100,000 out of forty pictures", r)
    r = vedette("calibrate", top, "--strangers", strangers, "--json", "--bootstrap", 20, "-o", tmp / "c.json",
                "--per-day", 1000, "--faces-per-day", 4000, ok=False)
    check(r.rc in (0, 3), "calibrate", r)
    (c,) = r.of("calibration")
    check(json.loads((tmp / "c.json").read_text()) == c, "the file and the line differ", r)
    check(c["people"] >= 2 and c["references"] + c["refused"] == 11, f"pictures went missing: {c}")
    check(not c["extrapolated"] and c["fpir"] == 0.25, f"a quarter of forty can be counted: {c}")
    check(c["threshold"] >= max(c["manifest_threshold"], c["floor_from_look_alikes"]), f"laxer than allowed: {c}")
    check(c["threshold"] > 0.8, f"listed people called strangers must drive the threshold up: {c}")


if __name__ == "__main__":
    need_models()
    need_ffmpeg()
    harness.run_tests({f.__name__: f for f in (the_same_twice, boxes_found_are_found, groups, calibrate, wrong_inputs)})
