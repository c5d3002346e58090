"""What the end-to-end tests share: running vedette, finding data, composing small inputs.

Standard library only. A test that cannot run says SKIP and why, and exits 77.
"""
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
VEDETTE = pathlib.Path(os.environ.get("VEDETTE_BIN", ROOT / "build" / "vedette"))
SHARED = pathlib.Path(os.environ.get("VEDETTE_SHARED", ROOT.parent / "shared"))
CACHE = pathlib.Path(os.environ.get("VEDETTE_CACHE", ROOT / ".cache"))

# Under a sanitizer kernels are fifty times slower and memory is several times larger.
SANITIZED = bool(os.environ.get("VEDETTE_SANITIZED"))


def skip(why):
    print(f"SKIP: {why}", flush=True)
    sys.exit(77)


def need_models():
    if not list((CACHE / "models").glob("*.onnx")):
        skip(f"no model weights in {CACHE / 'models'}: run the set-up (make)")


def need_shared(*parts):
    path = SHARED.joinpath("data", *parts)
    if not path.exists():
        skip(f"evaluation data not here: {path}")
    return path


def need_ffmpeg():
    if not shutil.which("ffmpeg"):
        skip("the ffmpeg command is not installed")


def ffmpeg(*args):
    subprocess.run(["ffmpeg", "-v", "error", "-y", "-nostdin", *map(str, args)], check=True)


class Result:
    """One finished run: exit code, text, and with --json the lines by type."""

    def __init__(self, args, rc, out, err):
        self.args, self.rc, self.out, self.err = args, rc, out, err
        self.lines = []
        if "--json" in args:
            for line in out.splitlines():
                try:
                    self.lines.append(json.loads(line))
                except ValueError:
                    raise AssertionError(f"not a JSON line on stdout of {args}: {line!r}")

    def of(self, kind):
        return [x for x in self.lines if x.get("type") == kind]

    @property
    def alerts(self):
        return self.of("alert")

    @property
    def summary(self):
        (one,) = self.of("summary")
        return one

    def raised(self):
        """How many alerts were raised (not edited) for each person."""
        n = {}
        for a in self.alerts:
            if a["update"] == 0:
                n[a["person"]] = n.get(a["person"], 0) + 1
        return n


def vedette(*args, timeout=240, ok=True, env=None, stdin=None):
    args = [str(a) for a in args]
    p = subprocess.run([str(VEDETTE), *args], cwd=ROOT, timeout=timeout, stdin=stdin or subprocess.DEVNULL,
                       stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                       env={**os.environ, **(env or {})})
    r = Result(args, p.returncode, p.stdout.decode("utf-8", "replace"), p.stderr.decode("utf-8", "replace"))
    if ok and r.rc != 0:
        raise AssertionError(f"vedette {' '.join(args)}: exit {r.rc}\n{r.err}")
    # Whatever happens: no crash, no sanitizer report.
    assert r.rc >= 0, f"vedette {' '.join(args)} died of signal {-r.rc}\n{r.err}"
    assert "Sanitizer" not in r.err, r.err
    return r


def plain_build_only(test):
    """Leave a test out, aloud, when a sanitizer makes it take minutes; its paths are run by the others."""
    def wrapped(tmp):
        if SANITIZED:
            print(f"      SKIP: {test.__name__}: minutes under a sanitizer; the plain build runs it")
        else:
            test(tmp)
    wrapped.__name__ = test.__name__
    return wrapped


def check(condition, what, r=None):
    if not condition:
        extra = f"\n--- stdout\n{r.out[-3000:]}\n--- stderr\n{r.err[-3000:]}" if r else ""
        raise AssertionError(f"{what}{extra}")


def run_tests(tests):
    """tests: name -> function(tmp folder). Runs those named on the command line, or all."""
    if not VEDETTE.exists():
        skip(f"{VEDETTE} is not built")
    failed = 0
    for name in sys.argv[1:] or tests:
        with tempfile.TemporaryDirectory(prefix="vd-e2e-") as tmp:
            try:
                tests[name](pathlib.Path(tmp))
                print(f"ok    {name}", flush=True)
            except AssertionError as e:
                failed += 1
                print(f"FAIL  {name}: {e}", flush=True)
    sys.exit(1 if failed else 0)
