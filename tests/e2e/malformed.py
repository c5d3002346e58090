"""Malformed and hostile inputs through the command line: a message that says what and where, the
right exit code, never a crash."""
import os
import pathlib
import random

import harness
from harness import check, ffmpeg, need_ffmpeg, need_models, vedette


def tiny_video(path, *extra):
    ffmpeg("-f", "lavfi", "-i", "testsrc=size=320x240:rate=10:duration=2", "-pix_fmt", "yuv420p", *extra,
           path)


def one_face(tmp):
    """A watchlist that has somebody on it, if there is any data to take a face from."""
    for path in (harness.CACHE / "demo" / "watchlist", harness.SHARED / "data/clips/hamilton/watchlist"):
        if path.is_dir():
            return path
    harness.skip("no picture of a face here (demo data or evaluation data)")


def refused(r, code, *words):
    check(r.rc == code, f"exit {r.rc} instead of {code}", r)
    text = r.err.lower()
    check(text.startswith("vedette"), "the message does not start with the program's name", r)
    for w in words:
        check(w.lower() in text, f"the message does not say {w!r}", r)
    check(len([x for x in r.err.splitlines() if x.startswith("vedette: ")]) <= 12, "a flood of messages", r)


def sources(tmp):
    need_models()
    need_ffmpeg()
    w = one_face(tmp)
    rng = random.Random(20261123)
    garbage = tmp / "garbage.mp4"
    garbage.write_bytes(rng.randbytes(200_000))
    empty = tmp / "empty.mp4"
    empty.write_bytes(b"")
    text = tmp / "text.avi"
    text.write_text("this is no video\n" * 1000)
    folder = tmp / "nothing"
    folder.mkdir()
    sound = tmp / "sound.wav"
    ffmpeg("-f", "lavfi", "-i", "sine=duration=1", sound)
    whole = tmp / "whole.mp4"
    tiny_video(whole)
    cut_head = tmp / "nohead.mp4"
    cut_head.write_bytes(whole.read_bytes()[3000:])
    for path in (garbage, empty, text, folder, sound, cut_head):
        r = vedette("watch", path, "--watchlist", w, ok=False)
        refused(r, 1, path.name)
    refused(vedette("watch", tmp / "missing.mp4", "-w", w, ok=False), 1, "missing.mp4")
    refused(vedette("watch", "http://127.0.0.1:9/x.m3u8", "-w", w, ok=False), 1, "127.0.0.1")
    r = vedette("watch", "rtsp://user:secret@127.0.0.1:9/s", "-w", w, ok=False)
    refused(r, 1, "127.0.0.1")
    check("secret" not in r.err, "a password was printed", r)
    refused(vedette("watch", "/dev/video99", "-w", w, ok=False), 1, "video99")
    unreadable = tmp / "unreadable.mp4"
    unreadable.write_bytes(whole.read_bytes())
    unreadable.chmod(0)
    if os.geteuid() != 0:
        refused(vedette("watch", unreadable, "-w", w, ok=False), 1, "unreadable.mp4")
    # With --json the error is on stdout as well, and stdout holds JSON only.
    r = vedette("watch", garbage, "-w", w, "--json", ok=False)
    check(r.rc == 1 and r.of("error"), "no error line with --json", r)


def truncated_videos(tmp):
    """Cut anywhere, flipped anywhere: an error or a summary, never anything else."""
    need_models()
    need_ffmpeg()
    w = one_face(tmp)
    whole = tmp / "whole.mkv"
    tiny_video(whole, "-g", "5")
    data = whole.read_bytes()
    rng = random.Random(7)
    for i in range(12):
        broken = bytearray(data)
        if i % 2:
            broken = broken[: rng.randrange(1, len(data))]
        for _ in range(i * 3):
            broken[rng.randrange(len(broken))] = rng.randrange(256)
        path = tmp / f"broken{i}.mkv"
        path.write_bytes(bytes(broken))
        r = vedette("watch", path, "-w", w, "--json", ok=False, timeout=60)
        check(r.rc in (0, 1), f"exit {r.rc} for {path.name}", r)
        check(r.rc == 1 or r.summary["alerts"] == 0, "an alert out of nothing", r)


def watchlists(tmp):
    need_models()
    need_ffmpeg()
    video = tmp / "v.mp4"
    tiny_video(video)
    refused(vedette("watch", video, "-w", tmp / "nowhere", ok=False), 1, "nowhere")
    empty = tmp / "empty"
    empty.mkdir()
    refused(vedette("watch", video, "-w", empty, ok=False), 1, "empty", "no picture")
    refused(vedette("watch", video, "-w", video, ok=False), 1, "folder")
    bad = tmp / "bad"
    bad.mkdir()
    (bad / "bob.jpg").write_bytes(b"not a picture")
    (bad / "eve.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"\0" * 100)
    (bad / "zero.jpg").write_bytes(b"")
    (bad / "carol.txt").write_text("passed over")
    ffmpeg("-f", "lavfi", "-i", "testsrc=size=320x240", "-frames:v", "1", bad / "chart.png")
    (bad / "loop").symlink_to(bad)
    (bad / "dangling.jpg").symlink_to(bad / "gone.jpg")
    r = vedette("watch", video, "-w", bad, ok=False)
    refused(r, 1, "bob.jpg", "eve.png", "zero.jpg", "chart.png", "no face", "none of its")
    r = vedette("enrol", "check", bad, "--json", ok=False)
    check(r.rc == 3, f"enrol check: exit {r.rc} instead of 3", r)
    verdicts = {v["file"]: v for v in r.of("verdict")}
    check(not any(v["accepted"] for v in verdicts.values()), "accepted something", r)
    check("carol.txt" not in verdicts, "a text was judged as a picture", r)
    check(verdicts["chart.png"]["faces"] == 0, "a face in a test chart", r)
    check(verdicts["bob.jpg"]["faces"] is None, "faces in a file that is no picture", r)
    refused(vedette("enrol", "check", empty, ok=False), 1, "no picture")


def outputs(tmp):
    need_models()
    need_ffmpeg()
    w = one_face(tmp)
    video = tmp / "v.mp4"
    tiny_video(video)
    r = vedette("watch", video, "-w", w, "--annotated", "/nonexistent/out.mp4", ok=False)
    refused(r, 1, "/nonexistent/out.mp4")
    refused(vedette("watch", video, "-w", w, "--save", video, ok=False), 1, "not a folder")
    refused(vedette("watch", video, video, "-w", w, "--annotated", tmp / "o.mp4", ok=False), 2, "one source")
    # A full disk on stdout is a failure, not a success with half the lines.
    import subprocess
    with open("/dev/full", "w") as full:
        p = subprocess.run([str(harness.VEDETTE), "watch", str(video), "-w", str(w), "--json"],
                           cwd=harness.ROOT, stdout=full, stderr=subprocess.PIPE)
    check(p.returncode == 1, f"exit {p.returncode} with a full disk: {p.stderr}")


def models(tmp):
    need_ffmpeg()
    video = tmp / "v.mp4"
    tiny_video(video)
    (tmp / "none").mkdir()
    r = vedette("watch", video, "-w", tmp, "--models", tmp / "none", ok=False)
    refused(r, 1, "model")
    r = vedette("watch", video, "-w", tmp, "--weights", tmp / "none", ok=False)
    refused(r, 1, "model", ".onnx")
    r = vedette("watch", video, "-w", tmp, "--recogniser", "no-such-model", ok=False)
    refused(r, 1, "no-such-model")
    r = vedette("watch", video, "-w", tmp, "--isa", "mmx", ok=False)
    check(r.rc in (1, 2) and "mmx" in r.err, "an unknown instruction set", r)


if __name__ == "__main__":
    harness.run_tests({f.__name__: f for f in (sources, truncated_videos, watchlists, outputs, models)})
