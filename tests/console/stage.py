"""What the console's tests share: the daemon, a real RTSP camera that plays the demo's crowd, Debian's Chromium,
and a page that remembers every error and every address."""
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path[:0] = [str(ROOT / "tests" / "e2e"), str(ROOT / "tests" / "camera")]
import harness  # noqa: E402
import rig  # noqa: E402

PASSWORD = "correct horse battery"
OUT = pathlib.Path(os.environ.get("VEDETTE_SCREENS", ROOT / "build" / "console-screens"))
CONSOLE = pathlib.Path(os.environ.get("VEDETTE_CONSOLE", ROOT / "build" / "console"))
AXE = ROOT / "console" / "node_modules" / "axe-core" / "axe.min.js"


def need():
    """Everything that a journey needs, or a loud skip."""
    try:
        import playwright.sync_api  # noqa: F401
    except ImportError:
        harness.skip("no playwright: run tools/setup --test, then .cache/venv/bin/python")
    if harness.SANITIZED:
        harness.skip("a real browser in real time: instrumented kernels are too slow for it")
    if not shutil.which("chromium"):
        harness.skip("chromium is not installed: run tools/setup --test")
    if not (CONSOLE / "index.html").exists():
        harness.skip(f"no console in {CONSOLE}: make console")
    if not AXE.exists():
        harness.skip("no axe-core: run tools/setup")
    harness.need_models()
    harness.need_ffmpeg()
    crowd, listed = harness.CACHE / "demo" / "crowd.mp4", harness.CACHE / "demo" / "watchlist"
    if not crowd.exists() or not list(listed.glob("*.jpg")):
        harness.skip("no crowd to watch: make demo makes one")
    return crowd, next(listed.glob("*.jpg"))


def clip(folder, crowd):
    """The crowd as a camera sends it: without B-frames, a key frame a second."""
    path = pathlib.Path(folder) / "crowd.h264"
    harness.ffmpeg("-i", crowd, "-an", "-vf", "scale=1280:-2", "-c:v", "libx264", "-preset", "veryfast", "-crf", "26",
                   "-bf", "0", "-g", "25", "-x264-params", "aud=1:scenecut=0", "-f", "h264", path)
    return path


class Daemon:
    def __init__(self, folder, cameras=(), *args, more=()):
        self.folder = pathlib.Path(folder)
        config = self.folder / "vedette.yaml"
        lines = ["listen:", "  port: 0", f"console: {CONSOLE}", "cameras:"]
        lines = [*more, *(lines if cameras else lines[:-1])] + [f'  - {{id: {i}, url: "{url}"}}' for i, url in cameras]
        config.write_text("\n".join(lines) + "\n")
        self.log = open(self.folder / "daemon.log", "w")
        self.process = subprocess.Popen([str(harness.VEDETTE), "serve", "--json", "-c", str(config), "--state",
                                         str(self.folder / "state"), *args], stdout=subprocess.PIPE, stderr=self.log, text=True)
        rig.children.append(self.process)
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError((self.folder / "daemon.log").read_text())
        self.hello = json.loads(line)
        self.url = f"http://127.0.0.1:{self.hello['port']}"

    def end(self):
        rig.end(self.process)
        self.log.close()
        text = (self.folder / "daemon.log").read_text()
        return self.process.returncode, text


class Stage:
    """A browser; a window a person; what went wrong in any of them."""

    def __init__(self, playwright, url, out=OUT):
        self.url, self.out, self.trouble, self.hosts, self.windows = url, pathlib.Path(out), [], set(), {}
        self.out.mkdir(parents=True, exist_ok=True)
        self.browser = playwright.chromium.launch(executable_path=shutil.which("chromium"),
                                                  args=["--no-sandbox", "--disable-gpu", "--autoplay-policy=no-user-gesture-required"])
        self.shots = 0
        self.serious = []
        self.axe_source = AXE.read_text()

    def window(self, who, locale="en-GB", width=1280, height=800):
        context = self.browser.new_context(viewport={"width": width, "height": height}, locale=locale, timezone_id="UTC")
        page = context.new_page()
        page.set_default_timeout(60000)  # a busy machine is slow, and right
        page.on("console", lambda m: m.type in ("error", "warning") and self.trouble.append(f"{who}: {m.text} {m.location.get('url', '')}"))
        page.on("pageerror", lambda e: self.trouble.append(f"{who}: {e}"))
        page.on("request", lambda r: self.hosts.add(re.match(r"(?:blob:|data:)?(?:https?://[^/]*)?", r.url).group()))
        self.windows[who] = page
        return page

    def sign_in(self, who, password=PASSWORD, **kw):
        page = self.window(who, **kw)
        page.goto(self.url + "/")
        page.get_by_label("Name").fill(who)
        page.get_by_label("Password").fill(password)
        page.get_by_role("button", name="Sign in").click()
        page.locator("header.top").wait_for()
        return page

    def shot(self, page, name):
        self.shots += 1
        page.screenshot(path=str(self.out / f"{self.shots:02d}-{name}.png"))

    def axe(self, page, what):
        """Serious and critical findings of axe on what is shown now."""
        page.evaluate(self.axe_source)
        found = page.evaluate("""async () => (await axe.run(document, {runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa']}))
            .violations.map(v => [v.impact, v.id, v.nodes.map(n => n.html.slice(0, 160)).slice(0, 3)])""")
        for impact, rule, nodes in found:
            if impact in ("serious", "critical"):
                self.serious.append(f"{what}: {rule}: {nodes}")
        return found

    def go(self, page, name):
        page.get_by_role("navigation").get_by_role("link", name=re.compile(rf"^{name}")).click()
        page.get_by_role("heading", name=name, level=1).wait_for()


def field(box, label, **kw):
    """The control of that label: forms and tables have labels, too."""
    return box.get_by_label(label, **kw).and_(box.locator("input, select, textarea"))


def wait_for(what, seconds, fn, every=0.2):
    until = time.monotonic() + max(seconds, 90)  # a slow machine under a sanitizer is no failure
    while time.monotonic() < until:
        got = fn()
        if got:
            return got
        time.sleep(every)
    raise AssertionError(f"{what}: not within {max(seconds, 90)} s")


def folder():
    return tempfile.TemporaryDirectory(prefix="vd-console-")
