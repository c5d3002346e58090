"""A missing person in a real browser, against the real daemon, with a real RTSP camera: a case is opened, authorised, seen on
the live camera; a safeguarding alert, two persons' decisions, found, all erased. Set-up goes over the API (journey.py shows
it in the browser). Springfield, in the browser: refused, with the reason."""
import datetime
import re
import sys
import time

import stage
from stage import PASSWORD, field, harness, rig

sys.path.insert(0, str(stage.ROOT / "tests" / "server"))
import london  # noqa: E402
import world  # noqa: E402

steps = 0


def say(what, good=True, detail=""):
    global steps
    steps += 1
    print(("ok    " if good else "FAIL  ") + what, flush=True)
    if not good:
        raise AssertionError(f"{what}\n{detail}")


class Desk(london.London):
    """The daemon with its camera, and everybody at the API as well."""

    def __init__(self, folder, daemon):
        self.folder, self.people = folder, {}
        self.hello, self.port = daemon.hello, daemon.hello["port"]


def open_case(s, miller, picture):
    s.go(miller, "Missing")
    miller.get_by_role("button", name="New case").click()
    box = miller.get_by_role("region", name="New case")
    field(box, "Photographs").set_input_files([picture, picture])
    for n, day in ((1, "2021-05-01"), (2, "2026-08-12")):
        field(box, f"Photograph {n}: taken on").fill(day)
    form = miller.get_by_role("form", name="New case")
    for label, text in (("Name", london.NAME), ("Report number", "MP/26/77"), ("Risk assessment", "RA/1"),
                        ("Where that is kept", "statement of the mother"), ("Legal basis", "duty to protect life"),
                        ("Safeguarding recipients", "brown"), ("Date of birth", "2014-05-01"),
                        ("Who holds it lawfully", "given by the mother"), ("Description", "1.40 m, red coat")):
        field(form, label).fill(text)
    field(form, "Category").select_option("missing-person-at-risk")
    field(form, "Age").select_option("child")
    field(form, "Source of the picture").select_option("family")
    s.axe(miller, "a new case")
    form.get_by_role("button", name="Open the case").click()
    form.get_by_role("alert").wait_for()
    say("one recipient is refused, with the reason", "R70" in form.get_by_role("alert").inner_text(), form.inner_text())
    s.trouble.clear()  # the refusal that was asked for
    field(form, "Safeguarding recipients").fill("brown constable")
    form.get_by_role("button", name="Open the case").click()
    miller.get_by_role("article", name="Case").wait_for()
    stage.wait_for("photographs", 20, lambda: miller.evaluate(
        "[...document.querySelectorAll('.drops img')].filter(i => i.complete && i.naturalWidth > 0).length === 2"))
    text = miller.get_by_role("article", name="Case").inner_text()
    say("open: photographs with their age, and what to know of children",
        "at the age of 7" in text and "at the age of 12" in text and "less accurate on children" in text, text)
    s.axe(miller, "a case")
    s.shot(miller, "case")


def authorise(s, w, miller, mason, jones):
    api = w.people["miller"]
    watchlist = api.post("watchlists", {"jurisdiction": london.LONDON, "purpose": "missing-person", "name": "missing"})["id"]
    miller.reload()
    miller.get_by_role("button", name="Put on a list").click()
    box = miller.get_by_role("dialog")
    field(box, "Watchlist").select_option(watchlist)
    box.get_by_role("button", name="Put on a list").click()
    miller.get_by_text("Somebody else approves it").first.wait_for()
    for page, button in ((mason, "Approve"), (jones, "Decide individually")):
        s.go(page, "Watchlists")
        page.locator("main").get_by_role("link", name="missing", exact=True).click()
        row = page.get_by_role("row", name=re.compile(london.NAME))
        buttons = row.get_by_role("button")
        buttons.first.wait_for()
        names = [b.inner_text() for b in buttons.all()]
        row.get_by_role("button", name=names[0], exact=True).click()
        page.wait_for_timeout(300)
    entry = api.get(f"watchlists/{watchlist}/entries")["items"][0]
    say("approved by another person, and by an officer: a child", entry["approved_by"] == "mason" and entry["officer"] == "jones", entry)
    api.post(f"entries/{entry['id']}/confirm", {"text": "find-robin"})
    api.post("plans", w.missing_plan(watchlist, "find-robin", 900))
    s.go(jones, "Deployments")
    jones.get_by_role("button", name="Authorise").click()
    field(jones.get_by_role("dialog"), "Password").fill(PASSWORD)
    jones.get_by_role("dialog").get_by_role("button", name="Authorise").click()
    jones.get_by_text("Ends in").first.wait_for()
    say("authorised by the officer's own key")


def seen(s, w, brown, green, constable):
    s.go(brown, "Deployments")
    began = time.monotonic()
    brown.get_by_role("button", name="Start").click()
    s.go(brown, "Alerts")
    brown.get_by_role("article", name="Alert").wait_for(timeout=60000)
    say(f"seen on the live camera: an alert {time.monotonic() - began:.1f} s after the start was pressed")
    text = brown.get_by_role("article", name="Alert").inner_text()
    say("a safeguarding alert: report, description, children, old photographs",
        all(x in text for x in ("MP/26/77", "red coat", "less accurate on children", "years old", "never an arrest")), text)
    s.axe(brown, "a safeguarding alert")
    s.shot(brown, "safeguarding-alert")
    s.go(green, "Alerts")
    green.wait_for_timeout(1000)
    say("who is not named sees nothing of it", not green.get_by_role("article", name="Alert").count() and london.NAME not in green.locator("main").inner_text())
    s.go(green, "Missing")
    green.get_by_text("No case that you keep or hear of.").wait_for()
    one = w.people["brown"].get("alerts")["items"][0]["id"]  # others may follow, a minute apart
    for page in (brown, constable):
        s.go(page, "Alerts")
        page.evaluate(f"location.hash = '#/alerts/{one}'")
        page.get_by_role("link", name=re.compile(london.NAME)).and_(page.locator(f"[href='#/alerts/{one}'][aria-current=true]")).wait_for()
        page.get_by_role("article", name="Alert").wait_for()
        say("no verdict of another is shown", "Decisions" not in page.locator("main").inner_text())
        page.get_by_role("button", name="Match", exact=True).click()
        page.get_by_role("button", name="Features agree").click()
        page.get_by_text("Another person decides now" if page is brown else "People agreed that it matches").wait_for()
    say("two persons decided, though the pack asks for one")
    constable.get_by_role("button", name="Engage").click()
    constable.get_by_role("button", name="Outcome").click()
    box = constable.get_by_role("dialog")
    options = field(box, "What was done").locator("option").all_inner_texts()
    say("no arrest is offered", not any("rrest" in o for o in options), options)
    field(box, "Was it the person?").select_option("yes")
    field(box, "What was done").select_option("safeguard")
    field(box, "Minutes that it took").fill("3")
    field(box, "What did the person say").fill("wants to go home")
    box.get_by_role("button", name="Record it").click()
    stage.wait_for("the outcome", 60, lambda: w.people["brown"].get(f"alerts/{one}")["phase"] == "closed")
    s.shot(constable, "safeguarded")
    say("brought to safety, recorded")


def found(s, w, brown):
    s.go(brown, "Missing")
    brown.get_by_role("link", name=london.NAME).click()
    brown.get_by_role("button", name="Found, or taken back").click()
    box = brown.get_by_role("dialog")
    say("a child need not be asked", not field(box, "Asked").count())
    field(box, "Is the person found?").select_option("yes")
    field(box, "Reason").fill("home")
    s.axe(brown, "closing a case")
    box.get_by_role("button", name="Erase everything").click()
    again = brown.get_by_role("dialog").get_by_label("Password")
    stage.wait_for("erased", 30, lambda: brown.get_by_text("No case that you keep or hear of.").count() or again.count())
    brown.get_by_text("No case that you keep or hear of.").wait_for()
    gone = london.left(w.folder / "state", london.NAME, "Quillfeather", "MP/26/77", "red coat", "statement of the mother")
    say("found: nothing is left of it in database and state folder", not gone, gone)
    s.go(brown, "Alerts")
    brown.get_by_label("Show those that are over").check()
    brown.get_by_text("No alert waits.").wait_for()
    say("its alert is gone", london.NAME not in brown.locator("main").inner_text())
    s.shot(brown, "found")


def springfield(s, w, miller, picture):
    """The same machine answers to Springfield, too, which is prohibited; then it is open, and knows no missing persons."""
    town = world.TOWN
    pack, docs = london.documents(w.cli, w.folder, w.officer, town, "legislator", ("pack", "lease", "approval"))
    w.bring(town, pack, docs[:2])
    for state, words in (("prohibited", ("R60", "R62", "R64")), ("open", ("R68",))):
        if state == "open":
            w.people["alice"].post("policies/documents", {"document": docs[2][0].read_text()})
        status, o = w.people["miller"].call("POST", "cases", w.facts(picture, town))
        say(f"Springfield, {state}: {o['error']['message'][:90]}", status == 403 and any(x in o["error"]["message"] for x in words), o)
        miller.reload()
        s.go(miller, "Missing")
        miller.get_by_role("button", name="New case").click()
        form = miller.get_by_role("form", name="New case")
        towns = field(form, "Jurisdiction").locator("option").all_inner_texts() if field(form, "Jurisdiction").count() else []
        say(f"Springfield, {state}: the page offers no case there", not any("Springfield" in x for x in towns), towns)


def languages(s, page):
    for lang, name in (("fr", "Disparus"), ("ar", "مفقودون")):
        page.get_by_role("combobox").first.select_option(lang)
        page.get_by_role("navigation").get_by_role("link", name=name).click()
        page.wait_for_timeout(300)
        link = page.get_by_role("link", name=london.NAME)
        if link.count():
            link.click()
            page.wait_for_timeout(300)
        s.axe(page, f"{lang}, a case")
        s.shot(page, f"case-{lang}")
        wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        say(f"{lang}: the case's page fits", wide <= 0, f"{wide} px too wide")
    page.get_by_role("combobox").first.select_option("en")


def journey(s, d, folder, picture):
    w = Desk(folder, d)
    w.set_up()
    officer = w.people["jones"].post("session/key", {"password": PASSWORD})["public_key"]
    w.officer = officer
    w.bring(london.LONDON, *london.documents(w.cli, folder, officer))
    miller, mason, jones, brown, green, constable = (s.sign_in(x) for x in ("miller", "mason", "jones", "brown", "green", "constable"))
    open_case(s, miller, picture)
    languages(s, miller)
    s.trouble.clear()
    authorise(s, w, miller, mason, jones)
    seen(s, w, brown, green, constable)
    found(s, w, brown)
    say("no error on any page", not s.trouble, "\n".join(s.trouble[:10]))
    say("nothing was asked from elsewhere", s.hosts <= {s.url, "blob:" + s.url}, s.hosts)
    springfield(s, w, miller, picture)
    say("axe finds nothing serious", not s.serious, "\n".join(s.serious[:20]))


def main():
    crowd, picture = stage.need()
    from playwright.sync_api import sync_playwright

    began = datetime.datetime.now()
    with stage.folder() as tmp:
        folder = stage.pathlib.Path(tmp)
        camera = rig.Camera([stage.clip(folder, crowd)])
        d = stage.Daemon(folder, [("van-1", f"rtsp://127.0.0.1:{camera.port}/live")])
        try:
            with sync_playwright() as p:
                s = stage.Stage(p, d.url, stage.OUT / "missing")
                try:
                    journey(s, d, folder, picture)
                except BaseException:
                    for who, page in s.windows.items():
                        s.shot(page, f"failed-{who}")
                    print("\n".join(s.trouble[-10:]), file=sys.stderr)
                    raise
                finally:
                    s.browser.close()
        finally:
            rc, log = d.end()
            rig.end_all()
        say("the daemon ended well", rc == 0, log)
        say("nothing of it is in the daemon's log", london.NAME not in log and "MP/26/77" not in log)
    print(f"{steps} steps in {(datetime.datetime.now() - began).seconds} s; screenshots in {stage.OUT / 'missing'}")


main()
