"""What the camera tests share: clips, the RTSP server, a watcher whose lines can be waited for. Everything
is on loopback and ended by its own process id."""
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
LOOK = os.environ.get("VEDETTE_LOOK", str(HERE.parents[1] / "build/tests/camera/look"))
os.environ.setdefault("VEDETTE_DECODER", str(HERE.parents[1] / "build/vedette-decoder"))
SYSTEM_PYTHON = "/usr/bin/python3"  # GStreamer's bindings come from Debian
SLACK = float(os.environ.get("VEDETTE_TEST_SLACK", "1"))  # for slow machines; 1 = what is promised
children = []


def skip(why):
    print(f"SKIPPED: {why}", flush=True)
    sys.exit(77)


def clip(folder, name, size, codec="libx264", seconds=4):
    if not shutil.which("ffmpeg"):
        skip("no ffmpeg command")
    path = pathlib.Path(folder) / name
    extra = (["-preset", "veryfast", "-x264-params", "aud=1:scenecut=0"] if codec == "libx264" else
             ["-preset", "ultrafast", "-x265-params", "aud=1:keyint=25:bframes=0:log-level=0"])  # fmt: skip
    subprocess.run(["ffmpeg", "-hide_banner", "-loglevel", "error", "-y", "-f", "lavfi", "-i",
                    f"testsrc2=size={size}:rate=25:duration={seconds}", "-pix_fmt", "yuv420p", "-c:v", codec,
                    "-bf", "0", "-g", "25", *extra, "-f", "hevc" if codec == "libx265" else "h264",
                    str(path)], check=True)  # fmt: skip
    return path


def end(process):
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


class Camera:
    def __init__(self, clips, codec="h264", user=None, password=None):
        if not os.path.exists(SYSTEM_PYTHON):
            skip("no " + SYSTEM_PYTHON)
        args = [SYSTEM_PYTHON, str(HERE / "rtsp_camera.py"), "--codec", codec]
        for c in clips:
            args += ["--clip", str(c)]
        if user:
            args += ["--user", user, "--password", password]
        self.process = subprocess.Popen(args, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                        stderr=subprocess.DEVNULL)  # fmt: skip
        children.append(self.process)
        line = self.process.stdout.readline()
        if line.startswith("SKIPPED"):
            skip(line[9:].strip())
        self.port = int(line.split()[1])

    def say(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def pause(self, on):
        self.process.send_signal(signal.SIGSTOP if on else signal.SIGCONT)


class Watcher:
    """`look` at a URL; its lines with their times, as they come."""

    def __init__(self, url, seconds, *options):
        self.log = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen([LOOK, url, str(seconds), *options], stdout=subprocess.PIPE,
                                        stderr=self.log, text=True)  # fmt: skip
        children.append(self.process)
        self.lines, self.new = [], threading.Condition()
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()

    def _read(self):
        for line in self.process.stdout:
            with self.new:
                self.lines.append(line.rstrip("\n"))
                self.new.notify_all()

    def wait(self, kind, since, seconds, word=""):
        """Time of the first line of a kind, not before `since`, that contains word. None: none came."""
        until = time.monotonic() + seconds
        at = 0
        with self.new:
            while True:
                for line in self.lines[at:]:
                    w = line.split(None, 2)
                    if w[0] == kind and float(w[1]) >= since and word in line:
                        return float(w[1])
                at = len(self.lines)
                left = until - time.monotonic()
                if left <= 0:
                    return None
                self.new.wait(min(left, 0.2))

    def frames(self):
        """(time, generation, width, height, pts_ms, age_ms) of all frames so far."""
        with self.new:
            rows = [x.split()[1:] for x in self.lines if x.startswith("frame ")]
        return [(float(r[0]), int(r[1]), int(r[2]), int(r[3]), int(r[4]), float(r[5])) for r in rows]

    def figures(self):
        with self.new:
            rows = [x.split() for x in self.lines if x.startswith("figures ")]
        return [dict(at=float(r[1]), **{k: int(v) for k, v in (x.split("=") for x in r[2:])}) for r in rows]

    def output(self):
        """Everything that it printed."""
        self.log.seek(0)
        with self.new:
            return "\n".join(self.lines) + "\n" + self.log.read()

    def end(self):
        end(self.process)
        self.thread.join(5)


def end_all():
    for p in children:
        end(p)
