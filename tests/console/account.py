"""The own account in a browser, where a second factor is required: it is set up before anything else, the password is
changed, another session ends, and the new password and a code sign in."""
import base64
import hashlib
import hmac
import struct
import sys
import time

import stage
from stage import rig


def say(what, good=True, detail=""):
    print(f"{'ok' if good else 'FAIL'}  {what}", flush=True)
    if not good:
        print(detail, file=sys.stderr)
        sys.exit(1)


FIRST, NEW = stage.PASSWORD, "seven green bicycles"


def totp(secret, later=0):
    step = int(time.time()) // 30 + later
    mac = hmac.new(base64.b32decode(secret), struct.pack(">Q", step), hashlib.sha1).digest()
    at = mac[19] & 15
    return "%06d" % ((struct.unpack(">I", mac[at:at + 4])[0] & 0x7FFFFFFF) % 1000000)


def enter(page, s, password, code=None):
    page.goto(s.url + "/")
    page.get_by_label("Name").fill("alice")
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in").click()
    if code:
        page.get_by_label("Code").fill(code)
        page.get_by_role("button", name="Sign in").click()


def run(s, token):
    page = s.window("alice")
    page.goto(s.url + "/")
    page.get_by_label("One-time token").fill(token)
    page.get_by_label("Name").fill("alice")
    page.locator("input[name=password]").fill("password123")
    page.locator("input[name=again]").fill("password123")
    page.get_by_role("button", name="Create the administrator").click()
    page.get_by_text("among the first that are tried").wait_for()
    say("a common password is refused, in words")
    page.locator("input[name=password]").fill(FIRST)
    page.locator("input[name=again]").fill(FIRST)
    page.get_by_role("button", name="Create the administrator").click()
    page.get_by_text("Here everybody signs in with a code as well").wait_for()
    say("nothing else is shown", page.get_by_role("navigation").count() == 0)
    s.axe(page, "second factor")
    page.get_by_role("button", name="Set up a second factor").click()
    secret = page.locator("code.secret").inner_text().replace(" ", "")
    page.get_by_role("button", name="Confirm the second factor").click()
    box = page.get_by_role("dialog").last
    box.locator("input[name=code]").fill(totp(secret))
    box.get_by_role("button", name="Confirm", exact=True).click()
    page.locator("header.top").wait_for()
    say("set up, and in")
    page.get_by_role("button", name="alice").click()
    s.axe(page, "account")
    page.get_by_role("button", name="Change my password").click()
    box = page.get_by_role("dialog")
    box.locator("input[name=password]").fill(FIRST)
    box.locator("input[name=new]").fill(NEW)
    box.locator("input[name=again]").fill(NEW)
    box.locator("input[name=code]").fill(totp(secret, 1))  # a code works once; one step ahead is taken
    s.axe(page, "own password")
    box.get_by_role("button", name="Change my password").click()
    page.get_by_text("The password is changed.").first.wait_for(state="attached")
    say("the password is changed")
    quiet = list(s.trouble)
    other = s.window("alice again")
    enter(other, s, FIRST)
    other.get_by_text("name or password is wrong").wait_for()
    say("the old one does not sign in")
    s.trouble[:] = [x for x in quiet if "422" not in x and "401" not in x]  # what was refused on purpose


def main():
    stage.need()
    from playwright.sync_api import sync_playwright

    with stage.folder() as tmp:
        d = stage.Daemon(tmp, more=["second_factor: required"])
        try:
            with sync_playwright() as p:
                s = stage.Stage(p, d.url, stage.OUT / "account")
                run(s, d.hello["setup_token"])
                say("no error in any window", not s.trouble, "\n".join(s.trouble[:10]))
                say("axe finds nothing serious", not s.serious, "\n".join(s.serious[:10]))
                s.browser.close()
        finally:
            rc, log = d.end()
            rig.end_all()
        say("the daemon ended well", rc == 0, log)


main()
