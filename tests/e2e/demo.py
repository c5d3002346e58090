"""The demo's crowd walk: one listed man among seven strangers. Who is reported, how, and what is left."""
import os
import pathlib
import shutil

import harness
from harness import CACHE, check, ffmpeg, need_ffmpeg, need_models, vedette

VIDEO, LIST = CACHE / "demo" / "crowd.mp4", CACHE / "demo" / "watchlist"


def need_demo():
    need_models()
    if not VIDEO.exists() or not LIST.is_dir():
        harness.skip(f"the demo's video is not in {CACHE / 'demo'}: tools/setup --demo makes it")


def short(tmp, seconds=4 if not harness.SANITIZED else 2.6):
    """The first seconds of the walk, without encoding again: the man is recognised within them."""
    need_ffmpeg()
    out = tmp / "short.mp4"
    ffmpeg("-t", seconds, "-i", VIDEO, "-c", "copy", out)
    return out


def one_alert_for_the_listed_man(tmp):
    save = tmp / "alerts"
    video = short(tmp) if harness.SANITIZED else VIDEO
    r = vedette("watch", video, "--watchlist", LIST, "--json", "--save", save)
    check(r.raised() == {"Walker-in-black": 1}, f"raised {r.raised()}", r)
    a = r.alerts[0]
    for key in ("alert_id", "person", "similarity", "threshold", "margin", "source", "track", "captured_at", "pts_ms",
                "latency_ms", "box", "quality"):
        check(key in a, f"no {key} in the alert", r)
    check(500 <= a["pts_ms"] <= 7000, f"he walks from 0.5 to 7 s, alert at {a['pts_ms']} ms", r)
    check(a["similarity"] >= a["threshold"] and a["latency_ms"] > 0 and len(a["alert_id"]) == 32, "nonsense", r)
    check(a["margin"] is None, "a lead over nobody", r)
    check((save / f"{a['alert_id']}.jpg").exists(), "no crop of the alert", r)
    s = r.summary
    for key in ("frames", "dropped", "tracks", "faces", "alerts", "frames_per_second", "latency_ms", "peak_rss_bytes"):
        check(key in s, f"no {key} in the summary", r)
    check(s["dropped"]["late"] == 0, "frames were lost", r)
    if harness.SANITIZED:
        return
    check(s["frames"] == 300, "frames were lost", r)
    check(6 <= s["tracks"] <= 14, f"{s['tracks']} tracks of 8 people", r)
    check(s["peak_rss_bytes"] < 300e6, f"{s['peak_rss_bytes'] / 1e6:.0f} MB of memory", r)
    print(f"      similarity {a['similarity']}, {s['tracks']} tracks, {s['comparisons']} comparisons, "
          f"{s['times_real_time']} x real time, {s['peak_rss_bytes'] / 1e6:.0f} MB")


@harness.plain_build_only
def nobody_listed_nobody_named(tmp):
    """The woman who walks by is on no list. Nor is anybody when the threshold is out of reach."""
    video = short(tmp)
    r = vedette("watch", video, "--watchlist", LIST, "--json", "--threshold", "0.95")
    check(r.alerts == [], "an alert above the threshold of 0.95", r)
    r = vedette("explain", video, "--watchlist", LIST, "--json")
    strangers = [t for t in r.of("track") if not t["alert"]]
    check(len(strangers) >= 5, "few strangers", r)
    check(all(t["person"] is None for t in strangers), "a stranger was given a name", r)
    check({t["outcome"] for t in strangers} <= {"below_threshold", "unusable", "too_short"}, "outcomes", r)


@harness.plain_build_only
def text_for_people(tmp):
    r = vedette("watch", short(tmp), "--watchlist", LIST)
    check(r.out.count("ALERT") == 1 and "Walker-in-black" in r.out and "x real time" in r.out, "the words", r)
    check("\x1b" not in r.out + r.err, "terminal codes where there is no terminal", r)


def two_sources_at_once(tmp):
    video, other = short(tmp), tmp / "other.mp4"
    shutil.copy(video, other)
    r = vedette("watch", video, other, "--watchlist", LIST, "--json")
    check([a["update"] for a in r.alerts].count(0) == 2, "one alert for each source", r)
    check(len({a["alert_id"] for a in r.alerts}) == 2 and len({a["source"] for a in r.alerts}) == 2, "ids", r)
    check(harness.SANITIZED or 190 <= r.summary["frames"] <= 230 and r.summary["frames"] % 2 == 0, "frames", r)


def pictures(tmp):
    """A folder of pictures: each is its own occasion."""
    need_ffmpeg()
    folder = tmp / "pictures"
    folder.mkdir()
    ffmpeg("-ss", "3", "-i", VIDEO, "-frames:v", "1", folder / "a.png")
    ffmpeg("-ss", "9", "-i", VIDEO, "-frames:v", "1", folder / "b.png")
    r = vedette("watch", folder, "--watchlist", LIST, "--json")
    check(r.summary["frames"] == 2 and r.summary["alerts"] <= 1, "two pictures, he is in the first", r)
    check(all(a["source"].endswith("a.png") for a in r.alerts), "the wrong picture", r)


def steady_frames_allocate_nothing(tmp):
    """Three times the frames, the same number of allocations on our threads (libav's reader excepted)."""
    need_ffmpeg()
    shim = os.environ.get("VEDETTE_COUNT_ALLOC")
    if not shim or not pathlib.Path(shim).exists():
        print("      SKIP: the counting library is not built (sanitizers bring their own allocator)")
        return
    once, long = short(tmp), tmp / "long.mp4"
    ffmpeg("-stream_loop", "2", "-i", once, "-c", "copy", long)
    counts = []
    for video in (once, long):
        out = tmp / "count"
        vedette("watch", video, "--watchlist", LIST, "--json",
                env={"LD_PRELOAD": shim, "COUNT_ALLOC_OUT": str(out)})
        counts.append(dict((n, int(c)) for n, c in (x.rsplit(" ", 1) for x in out.read_text().splitlines())))
    few, many = ({k: c.get(k, 0) for k in ("vd-work", "vd-analyse")} for c in counts)
    print(f"      allocations for 100 frames {few}, for 300 {many}")
    check(counts[0].get("vd-read", 0) > 100, "the counter does not count")
    check(few["vd-work"] > 0, "the counter does not know the threads")
    check(many == few, f"{few} became {many}")


if __name__ == "__main__":
    need_demo()
    harness.run_tests({f.__name__: f for f in (one_alert_for_the_listed_man, nobody_listed_nobody_named, text_for_people,
                                               two_sources_at_once, pictures, steady_frames_allocate_nothing)})
