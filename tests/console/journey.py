"""The whole journey in a real browser, against the real daemon, with a real RTSP camera: set-up, users, policy, list,
enrolment, approval, plan, authority, start, alert, two persons' decisions, engagement, stop, the record verified in
the page, the end, erasure. On the way: what axe finds on every page in three languages, errors of the page,
addresses that it asked, its weight and how soon it paints."""
import datetime
import json
import re
import sys
import time

import stage
from stage import PASSWORD, field, harness, rig

TOWN = "us-ma-springfield"
FIRST_PAINT_MS = 1000
WEIGHT = 300 * 1024
steps = 0


def say(what, good=True, detail=""):
    global steps
    steps += 1
    print(("ok    " if good else "FAIL  ") + what, flush=True)
    if not good:
        raise AssertionError(f"{what}\n{detail}")


def local(seconds):
    t = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=seconds)
    return t.strftime("%Y-%m-%dT%H:%M:%S")


def cli(folder, *args):
    word = folder / "password"
    word.write_text(PASSWORD + "\n")
    word.chmod(0o600)
    r = harness.vedette(*args, "--json", env={"VEDETTE_PASSWORD_FILE": str(word)})
    return json.loads(r.out.splitlines()[0])


def documents(folder, officer):
    """What the council does, elsewhere: keys, pack, lease, approval."""
    keys = {c: cli(folder, "key", "new", folder / f"{c}.key")["ed25519"] for c in ("clerk-1", "clerk-2", "clerk-3")}
    keys["officer"] = officer
    pack = (harness.ROOT / "policies" / f"{TOWN}.yaml").read_text()
    named = "".join(f"  - {{id: {k}, role: {'authorising-officer' if k == 'officer' else 'legislator'}, ed25519: {v}}}\n"
                    for k, v in keys.items())
    pack = pack.replace("keys: []", "keys:\n" + named.rstrip())
    pack = pack.replace("evaluation_needed: true", "evaluation_needed: false").replace("fpir_max: 0.000001", "fpir_max: 0.001")
    (folder / "pack.yaml").write_text(pack)
    (folder / "rules.txt").write_text("the rules that the council approved\n")
    kinds = (("pack", ("--pack", folder / "pack.yaml"), 3), ("lease", ("--pack", folder / "pack.yaml"), 1),
             ("approval", ("--pack", folder / "pack.yaml", "--rules", folder / "rules.txt"), 3))
    digest = None
    for i, (kind, extra, signers) in enumerate(kinds):
        before = ("--after", folder / f"{i - 1}.doc") if i else ("--jurisdiction", TOWN)
        doc = cli(folder, "policy", "sign", kind, *before, *extra, "--key", folder / "clerk-1.key", "--id", "clerk-1",
                  "--out", folder / f"{i}.doc")
        for k in range(2, signers + 1):
            doc = cli(folder, "policy", "cosign", folder / f"{i}.doc", "--key", folder / f"clerk-{k}.key", "--id", f"clerk-{k}",
                      "--out", folder / f"{i}.doc")
        digest = digest or doc["digest"]
    return digest


def set_up(s, d):
    page = s.window("admin")
    page.goto(s.url + "/")
    page.get_by_role("heading", name="Set up").wait_for()
    paint = page.evaluate("performance.getEntriesByType('paint').find(p => p.name === 'first-contentful-paint').startTime")
    weight = page.evaluate("performance.getEntriesByType('resource').reduce((n, r) => n + r.encodedBodySize, 0)")
    say(f"first paint after {paint:.0f} ms", paint < FIRST_PAINT_MS)
    say(f"the page weighs {weight / 1024:.0f} KiB as sent", 0 < weight < WEIGHT)
    s.axe(page, "set-up")
    s.shot(page, "set-up")
    field(page, "One-time token").fill("0" * 64)
    field(page, "Name").fill("alice")
    field(page, "Password *", exact=True).fill(PASSWORD)
    field(page, "Password again").fill(PASSWORD)
    page.get_by_role("button", name="Create the administrator").click()
    page.get_by_role("alert").wait_for()
    s.trouble.clear()  # the refusal that was asked for
    field(page, "One-time token").fill(d.hello["setup_token"])
    page.get_by_role("button", name="Create the administrator").click()
    page.locator("header.top").wait_for()
    say("set up by the one-time token, signed in")
    return page


def users(s, page):
    s.go(page, "System")
    for name, role in (("jones", "Authorising officer"), ("miller", "Watchlist manager"), ("mason", "Watchlist manager"),
                       ("brown", "Operator"), ("green", "Operator"), ("constable", "Engagement officer"), ("ada", "Auditor")):
        page.get_by_role("button", name="New user").click()
        form = page.get_by_role("form", name="New user")
        field(form, "Name").fill(name)
        field(form, role, exact=True).check()
        field(form, "Password").fill(PASSWORD)
        form.get_by_role("button", name="Keep").click()
        page.get_by_role("rowheader", name=name, exact=True).wait_for()
    s.axe(page, "system")
    s.shot(page, "system")
    say("an administrator made seven users")


def policy(s, page, jones, folder):
    jones.get_by_role("button", name=re.compile("^jones")).click()
    jones.get_by_role("button", name="Make a signing key").click()
    field(jones.get_by_role("dialog"), "Password").fill(PASSWORD)
    s.axe(jones, "a dialog")
    jones.get_by_role("dialog").get_by_role("button", name="Make").click()
    key = jones.get_by_role("dialog", name="Public key").locator("code").inner_text().strip()
    jones.get_by_role("dialog").get_by_role("button", name="Close").click()
    say("the officer has a key", bool(re.fullmatch("[0-9a-f]{64}", key)), key)
    anchor = documents(folder, key)
    s.go(page, "Record")
    page.get_by_role("button", name="Answer to a jurisdiction").click()
    box = page.get_by_role("dialog")
    field(box, "Jurisdiction").fill(TOWN)
    field(box, "Digest").fill(anchor)
    box.get_by_role("button", name="Answer to a jurisdiction").click()
    page.get_by_role("button", name="Bring documents").first.click()
    form = page.get_by_role("form", name="Bring documents")
    for i in range(3):
        field(form, "Signed document").set_input_files(folder / f"{i}.doc")
        field(form, "Pack that it names").set_input_files([folder / "pack.yaml"] if i == 0 else [])
        form.get_by_role("button", name="Bring documents").click()
        page.get_by_text("The document is accepted.").wait_for()
        stage.wait_for("the form is empty again", 5, lambda: not field(form, "Signed document").input_value())
        if i == 0:
            page.get_by_text("Moratorium", exact=True).wait_for()
            s.shot(page, "moratorium")
        page.wait_for_timeout(200)
    page.get_by_text("Open", exact=True).wait_for()
    s.axe(page, "record of an administrator")
    say("the town was prohibited, and is open by its council's documents")


def watchlist(s, miller, mason, picture, folder):
    s.go(miller, "Watchlists")
    miller.get_by_role("button", name="New watchlist").click()
    box = miller.get_by_role("dialog")
    field(box, "Name").fill("wanted")
    box.get_by_role("button", name="Create").click()
    miller.get_by_role("heading", name="wanted").wait_for()
    miller.get_by_role("button", name="Add people").click()
    blank = folder / "nobody.png"
    harness.ffmpeg("-f", "lavfi", "-i", "color=c=gray:s=320x400:d=1", "-frames:v", "1", blank)
    field(miller, "Drop pictures here").set_input_files([picture, blank])
    form = miller.get_by_role("form", name="Add people")
    for label, text in (("Reason", "warrant 12/2026"), ("Legal basis", "warrant of the district court"),
                        ("Who holds it lawfully", "records office")):
        if field(form, label).count() == 1:
            field(form, label).fill(text)
    field(form, "Source of the picture").select_option("police-record")
    form.get_by_role("button", name="Check the pictures").click()
    drops = miller.get_by_role("list", name="Pictures")
    drops.get_by_text("Good", exact=True).wait_for()
    drops.locator("li").nth(1).get_by_text(re.compile("^(Refused|Poor)")).wait_for()
    verdict = drops.locator("li").nth(1).inner_text()
    say("a verdict for each picture, before anything is kept", "Refused" in verdict or "Poor" in verdict, verdict)
    s.axe(miller, "enrolment")
    s.shot(miller, "enrolment")
    s.trouble.clear()  # a refused picture is a 422, which the browser tells
    drops.get_by_role("button", name="Leave out").nth(1).click()
    form.get_by_role("button", name="Add to the list").click()
    drops.get_by_text("Added", exact=True).wait_for()
    miller.get_by_role("row", name=re.compile("Walker")).wait_for()
    say("a person is on the list")
    s.go(mason, "Watchlists")
    mason.get_by_role("link", name="wanted").click()
    mason.get_by_role("button", name="Approve all").click()
    mason.get_by_text("Approved by mason").wait_for()
    miller.get_by_role("button", name="Confirm all").click()
    field(miller.get_by_role("dialog"), "For which deployment").fill("main-street")
    miller.get_by_role("dialog").get_by_role("button", name="Confirm").click()
    miller.get_by_text("Confirmed by miller for main-street").wait_for()
    s.axe(miller, "a list")
    s.shot(miller, "list")
    say("approved by another person, confirmed for this deployment")


def plan(s, miller, jones, seconds):
    s.go(miller, "Deployments")
    miller.get_by_role("button", name="New plan").click()
    form = miller.get_by_role("form", name="New plan")
    field(form, "Name").fill("main-street")
    field(form, "Legal basis").fill("warrants of the district court")
    field(form, "Begins").fill(local(-30))
    field(form, "Ends").fill(local(seconds))
    field(form, "Agency that operates").fill("springfield-ma-police")
    field(form, "Controller").fill("city-of-springfield-ma")
    field(form, "Public notice published on").fill(local(-72 * 3600)[:16])
    field(form, "Corners of the area").fill("42.09, -72.60\n42.11, -72.60\n42.11, -72.58\n42.09, -72.58")
    field(form, "van-1").check()
    field(form, "Latitude, longitude", exact=True).fill("42.1015, -72.5898")
    for ref in ("council approval", "dpia", "equality", "community impact", "evaluation"):
        field(form, ref).fill("2027/1")
    s.axe(miller, "a plan")
    s.shot(miller, "plan")
    form.get_by_role("button", name="Keep the plan").click()
    miller.get_by_text("Waiting for signatures").wait_for()
    s.go(jones, "Deployments")
    jones.get_by_role("button", name="Authorise").click()
    field(jones.get_by_role("dialog"), "Password").fill(PASSWORD)
    jones.get_by_role("dialog").get_by_role("button", name="Authorise").click()
    jones.get_by_text("Ends in").first.wait_for()
    s.shot(jones, "authorised")
    say("planned by one, authorised by another")


def judge(s, brown, green, constable):
    s.go(brown, "Deployments")
    began = time.monotonic()
    brown.get_by_role("button", name="Start").click()
    brown.get_by_role("navigation").get_by_role("link", name=re.compile("^Alerts")).click()
    brown.get_by_role("article", name="Alert").wait_for(timeout=30000)
    say(f"an alert {time.monotonic() - began:.1f} s after the start was pressed")
    stage.wait_for("both pictures", 5, lambda: brown.evaluate(
        "[...document.querySelectorAll('.pictures img')].filter(i => i.complete && i.naturalWidth > 0).length === 2"))
    text = brown.get_by_role("article", name="Alert").inner_text()
    say("likeness, threshold, lead; no percentage", "Threshold" in text and "Lead over" in text and "%" not in text, text)
    s.axe(brown, "an alert")
    s.shot(brown, "alert")
    brown.locator("main").press("c")
    brown.get_by_text("You have it for a minute.").wait_for()
    say("claimed, by the keyboard")
    this = brown.locator(".queue a[aria-current=true]").get_attribute("href")  # a new minute brings a second alert
    s.go(brown, "Live")
    stage.wait_for("the camera's picture", 10, lambda: brown.evaluate(
        "[...document.querySelectorAll('.wall img')].some(i => i.naturalWidth > 100)"))
    say("the wall shows the camera")
    s.axe(brown, "live")
    s.shot(brown, "live")
    s.go(brown, "Alerts")
    brown.locator(f'.queue a[href="{this}"]').click()
    brown.get_by_role("group", name="Your decision").wait_for()  # keys count from then on
    brown.locator("main").press("m")  # by the keyboard
    brown.get_by_role("button", name="Features agree").wait_for()
    s.shot(brown, "deciding")
    brown.keyboard.press("1")
    brown.get_by_text("Another person decides now").wait_for()
    say("one decided, by the keyboard")
    s.go(green, "Alerts")
    green.locator(f'.queue a[href="{this}"]').click()
    green.locator(f'.queue a[href="{this}"][aria-current=true]').wait_for()
    green.get_by_role("article", name="Alert").wait_for()
    text = green.locator("main").inner_text()
    say("the second sees nothing of the first", "brown" not in text and "Decisions" not in text, text)
    green.get_by_role("button", name="Match", exact=True).click()
    green.get_by_role("button", name="Features agree").click()
    green.get_by_text("People agreed that it matches").wait_for()
    say("two decided")
    s.go(constable, "Alerts")
    constable.get_by_role("link", name=re.compile("Match")).first.click()
    constable.get_by_role("button", name="Engage").click()
    constable.get_by_role("button", name="Outcome").click()
    box = constable.get_by_role("dialog")
    field(box, "Was it the person?").select_option("no")
    field(box, "What was done").select_option("identity")
    field(box, "Minutes that it took").fill("3")
    box.get_by_role("button", name="Record it").click()
    constable.get_by_role("heading", name="Notice for the person who was stopped").wait_for()
    s.axe(constable, "an outcome")
    s.shot(constable, "outcome")
    say("engaged, recorded, and a notice for the person")


def stopping(s, brown, jones):
    brown.keyboard.press("Alt+Shift+S")
    brown.get_by_text("Nothing is compared any more").first.wait_for()
    say("one action stopped everything")
    s.go(jones, "Deployments")
    jones.get_by_role("button", name="Resume").click()
    field(jones.get_by_role("dialog"), "Password").fill(PASSWORD)
    jones.get_by_role("dialog").get_by_role("button", name="Resume").click()
    stage.wait_for("watching again", 10, lambda: jones.locator(".dot.on").count())
    say("only the officer resumed it")


def record(s, ada):
    s.go(ada, "Record")
    ada.get_by_role("button", name="Verify everything").click()
    got = ada.locator("p.note[role=status]")
    stage.wait_for("a verdict on the record", 30, lambda: got.count() and "Verifying" not in got.inner_text())
    say(got.inner_text(), "every link holds" in got.inner_text())
    ada.get_by_role("button", name="Proof 0", exact=True).click()
    ada.get_by_role("dialog", name="Proof 0").get_by_text("c2sp.org/tlog-proof").wait_for()
    ada.get_by_role("dialog").get_by_role("button", name="Close").click()
    form = ada.get_by_role("form", name="Reports")
    field(form, "Which report").select_option("changes")
    field(form, "From").fill(local(-86400)[:10])
    field(form, "To").fill(local(86400)[:10])
    form.get_by_role("button", name="Make the report").click()
    ada.get_by_text("vedette-changes/1").wait_for()
    say("an entry with its proof, a report from the record")
    s.axe(ada, "record")
    s.shot(ada, "record")


def languages(s):
    page = s.windows["brown"]
    for lang, name in (("fr", "Alertes"), ("ar", "تنبيهات")):
        page.get_by_role("combobox").first.select_option(lang)
        for link in page.get_by_role("navigation").get_by_role("link").all():
            link.click()
            page.wait_for_timeout(250)
            s.axe(page, f"{lang}, {link.inner_text()}")
        page.get_by_role("link", name=re.compile("^" + name)).click()
        page.wait_for_timeout(250)
        s.shot(page, lang)
        wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        say(f"{lang}: {page.evaluate('document.documentElement.dir')}", wide <= 0, f"{wide} px too wide")


def phone(s):
    page = s.windows["green"]
    page.set_viewport_size({"width": 390, "height": 844})
    for name in ("Live", "Alerts", "Watchlists", "Deployments", "Record", "System"):
        s.go(page, name)
        page.wait_for_timeout(250)
        wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        say(f"{name} fits a phone", wide <= 0, f"{wide} px too wide")
        s.axe(page, f"phone, {name}")
    s.go(page, "Alerts")
    s.shot(page, "phone")


def forgetting(s, miller, ends):
    left = ends - time.monotonic()
    print(f"      {max(0, left):.0f} s to the end of the deployment", flush=True)
    time.sleep(max(0, left))
    s.go(miller, "Watchlists")
    stage.wait_for("the list is erased", 45, lambda: miller.get_by_text("No watchlist here.").count())
    s.go(miller, "Deployments")
    miller.get_by_text("Ended", exact=True).first.wait_for()
    s.shot(miller, "ended")
    public = s.window("public")
    public.goto(s.url + "/public")
    public.get_by_role("heading", name="main-street").wait_for()
    stage.wait_for("the figures are published", 20, lambda: public.get_by_text("False alerts", exact=True).count() or public.reload())
    text = public.locator("main").inner_text()
    say("anybody sees where, when and why, and no name", "wanted" in text.lower() and "Walker" not in text and "brown" not in text, text)
    s.axe(public, "public")
    s.shot(public, "public")
    say("the deployment is over, its list is erased")


def journey(s, d, folder, picture):
    admin = set_up(s, d)
    users(s, admin)
    jones = s.sign_in("jones")
    policy(s, admin, jones, folder)
    miller, mason = s.sign_in("miller"), s.sign_in("mason")
    watchlist(s, miller, mason, picture, folder)
    brown, green, constable, ada = (s.sign_in(x) for x in ("brown", "green", "constable", "ada"))
    s.trouble.clear()
    seconds = 60
    plan(s, miller, jones, seconds)
    ends = time.monotonic() + seconds
    judge(s, brown, green, constable)
    stopping(s, brown, jones)
    record(s, ada)
    languages(s)
    phone(s)
    forgetting(s, miller, ends)
    say("no error on any page", not s.trouble, "\n".join(s.trouble[:10]))
    say("nothing was asked from elsewhere", s.hosts <= {s.url, "blob:" + s.url}, s.hosts)
    say("axe finds nothing serious", not s.serious, "\n".join(s.serious[:20]))


def main():
    crowd, picture = stage.need()
    from playwright.sync_api import sync_playwright

    with stage.folder() as tmp:
        folder = stage.pathlib.Path(tmp)
        camera = rig.Camera([stage.clip(folder, crowd)])
        d = stage.Daemon(folder, [("van-1", f"rtsp://127.0.0.1:{camera.port}/live")])
        try:
            with sync_playwright() as p:
                s = stage.Stage(p, d.url)
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
    print(f"{steps} steps; screenshots in {stage.OUT}")


main()
