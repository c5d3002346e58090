"""First use, as a new user would: `vedette serve --demo` is started, the address opened, and an alert judged, counting
seconds and clicks. Nothing is left behind."""
import json
import pathlib
import subprocess
import sys
import time

import stage
from stage import harness, rig

SECONDS, CLICKS = 120, 6


def main():
    stage.need()
    from playwright.sync_api import sync_playwright

    began = time.monotonic()
    p = subprocess.Popen([str(harness.VEDETTE), "serve", "--demo", "--json", "-p", "0"], stdout=subprocess.PIPE,
                         stderr=subprocess.PIPE, text=True)
    rig.children.append(p)
    clicks = 0
    try:
        line = p.stdout.readline()
        if not line:
            raise AssertionError(p.stderr.read())
        hello = json.loads(line)
        served = time.monotonic() - began
        with sync_playwright() as play:
            s = stage.Stage(play, f"http://127.0.0.1:{hello['port']}", stage.OUT / "first-use")
            page = s.window("demo")
            page.goto(s.url + "/")

            def click(what):
                nonlocal clicks
                what.click()
                clicks += 1

            start = page.get_by_role("button", name="Sign in as demo")
            start.wait_for()
            s.axe(page, "sign-in")
            s.shot(page, "sign-in")
            click(start)
            page.locator("header.top").wait_for()
            s.shot(page, "live")
            click(page.get_by_role("navigation").get_by_role("link", name="Alerts"))
            page.get_by_role("article", name="Alert").wait_for(timeout=90000)
            stage.wait_for("both pictures", 10, lambda: page.evaluate(
                "[...document.querySelectorAll('.pictures img')].filter(i => i.complete && i.naturalWidth > 0).length === 2"))
            s.shot(page, "alert")
            page.get_by_text("One person decides here").wait_for()
            click(page.get_by_role("button", name="Match", exact=True))
            click(page.get_by_role("button", name="Features agree"))
            page.get_by_role("heading", name="Decisions").wait_for()
            took = time.monotonic() - began
            s.shot(page, "judged")
            s.axe(page, "judged")
            assert not s.trouble, s.trouble
            assert not s.serious, s.serious
            assert s.hosts <= {s.url}, s.hosts
            s.browser.close()
    finally:
        rig.end(p)
    left = pathlib.Path(hello["state"]).exists()
    print(f"serving after {served:.1f} s, an alert judged after {took:.1f} s and {clicks} clicks", flush=True)
    assert took <= SECONDS and clicks <= CLICKS
    assert p.returncode == 0, (p.returncode, p.stderr.read())
    assert not left, f"{hello['state']} is still there"


try:
    main()
except AssertionError as e:
    print(f"FAIL: {e}", file=sys.stderr)
    sys.exit(1)
