#!/usr/bin/env python3
"""A worried owner and a finder, each with a phone: real Chromium, 390 pixels wide, script switched off.

From photo to candidate list within two minutes, without an account. Screenshots: $VEDETTE_SCREENS.
Exit 77: no playwright, no Chromium, no models, or no photographs (../shared/data/pets_cats).
"""
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CACHE = Path(os.environ.get("VEDETTE_CACHE", ROOT / ".cache"))
PROGRAM = os.environ.get("VEDETTE_BIN", str(ROOT / "build" / "vedette"))
OUT = Path(os.environ.get("VEDETTE_SCREENS", ROOT / "build" / "pet-screens"))
PHOTOS = ROOT / ".." / "shared" / "data" / "pets_cats" / "photos"
FAILED = []


def skip(why):
    print("SKIP:", why)
    sys.exit(77)


def check(ok, what):
    print("ok  " if ok else "FAIL", what)
    if not ok:
        FAILED.append(what)


def fits(page, what):
    """Nothing sticks out to the side; what is tapped is large enough for a thumb."""
    check(page.evaluate("document.documentElement.scrollWidth") <= 390, f"{what}: no scrolling sideways")
    small = [b.text_content() for b in page.locator("button, .big").all() if (b.bounding_box() or {"height": 99})["height"] < 43]
    check(not small, f"{what}: every button is 44 pixels high {small}")
    page.screenshot(path=str(OUT / f"{what}.png"), full_page=True)


def main():
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        skip("no playwright: run tools/setup --test, then .cache/venv/bin/python")
    if not shutil.which("chromium"):
        skip("chromium is not installed: run tools/setup --test")
    if not (CACHE / "models" / "nanodet.onnx").exists():
        skip("no pet models: tools/setup --pets")
    mina, others = sorted(PHOTOS.glob("*mina/*.jpg")), sorted(PHOTOS.glob("*leo/*.jpg")) + sorted(PHOTOS.glob("*elvis/*.jpg"))
    if len(mina) < 6 or len(others) < 6:
        skip("no photographs of cats: ../shared/data/pets_cats")
    OUT.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as tmp, sync_playwright() as p:
        d = subprocess.Popen([PROGRAM, "serve", "--profile", "pet", "--port", "0", "--json", "--state", tmp + "/s"], stdout=subprocess.PIPE, text=True)
        browser = None
        try:
            base = f"http://127.0.0.1:{json.loads(d.stdout.readline())['port']}"
            browser = p.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
            phone = dict(viewport={"width": 390, "height": 844}, device_scale_factor=2, is_mobile=True, has_touch=True, java_script_enabled=False)
            owner = browser.new_context(**phone).new_page()
            errors = []
            owner.on("console", lambda m: errors.append(m.text) if m.type == "error" else None)

            for n, photo in enumerate((others[0], others[-1], mina[4])):  # three found animals, one of them hers
                finder = browser.new_context(**phone).new_page()
                finder.goto(base)
                finder.get_by_role("link", name="I found a pet").tap()
                finder.get_by_label("Photos").set_input_files(str(photo))
                finder.get_by_label("Cat", exact=True).check()
                finder.get_by_label("Where it was found").fill("Oak Road")
                finder.get_by_label("Coordinates").fill(f"51.50{n}, -0.12")
                finder.get_by_role("button", name="Show who it might be").tap()
                finder.get_by_text("It might be one of these").wait_for(timeout=100000)
                check("/pets/" in finder.url and "key=" in finder.url, f"finder {n + 1}: a card, no account")
                finder.close()

            began = time.monotonic()
            owner.goto(base)
            fits(owner, "start")
            owner.get_by_role("link", name="I lost my pet").tap()
            owner.get_by_label("Photos").wait_for()
            fits(owner, "form")
            owner.get_by_label("Photos").set_input_files([str(mina[0]), str(mina[1])])
            owner.get_by_label("Cat", exact=True).check()
            owner.get_by_label("Name").fill("Mina")
            owner.get_by_label("Last seen").fill("Elm Street")
            owner.get_by_label("Coordinates").fill("51.5, -0.12")
            owner.get_by_label("How the shelter can reach you").fill("anna 0170 555")
            owner.get_by_role("button", name="Show who it might be").tap()
            owner.get_by_text("It might be one of these").wait_for(timeout=120000)
            took = time.monotonic() - began
            check(took <= 120, f"from the start page to the candidate list: {took:.1f} s, at most 120")
            fits(owner, "candidates")
            cards = owner.locator(".cards li")
            check(cards.count() == 3, "three candidates")
            mine = owner.url
            cards.first.get_by_role("link").tap()
            owner.get_by_label("Do you know something?").wait_for()
            fits(owner, "card")
            check("0170" not in owner.content(), "no contact is shown")
            owner.get_by_label("Do you know something?").fill("This is my cat! Call the shelter and ask for Mina.")
            owner.get_by_role("button", name="Send").tap()
            owner.get_by_text("Your message is with").wait_for()
            owner.goto(mine)
            owner.locator(".cards li").last.get_by_role("button", name="Not mine").tap()
            owner.locator(".cards li").nth(2).wait_for(state="detached")
            check(owner.locator(".cards li").count() == 2, "what is not hers is not shown again")
            owner.get_by_role("link", name="Poster to print").tap()
            owner.locator("svg.qr").wait_for()
            check(owner.locator("svg.qr").count() == 1, "a poster with a code")
            owner.screenshot(path=str(OUT / "poster.png"), full_page=True)
            owner.goto(mine)
            owner.get_by_role("button", name="It is home again").tap()
            owner.get_by_text("This card has ended").wait_for()
            owner.goto(base)
            check("Mina" not in owner.content(), "nobody looks for her any more")
            check(not errors, f"no error in the browser {errors[:3]}")
        finally:
            if browser:
                browser.close()
            d.terminate()
            d.wait(timeout=30)
    print(f"{len(FAILED)} failed")
    return 1 if FAILED else 0


if __name__ == "__main__":
    sys.exit(main())
