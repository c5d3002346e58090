"""The command line without models: help texts as approved, typing errors, exit codes.

VEDETTE_UPDATE_GOLDEN=1 rewrites the approved texts; read the difference before committing it.
"""
import hashlib
import os
import pathlib
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
VEDETTE = pathlib.Path(os.environ.get("VEDETTE_BIN", ROOT / "build" / "vedette"))
failed = 0


def run(*args, stdout=subprocess.PIPE):
    p = subprocess.run([str(VEDETTE), *args], cwd=ROOT, stdin=subprocess.DEVNULL, stdout=stdout,
                       stderr=subprocess.PIPE, timeout=60)
    return p.returncode, (p.stdout or b"").decode(), p.stderr.decode()


def case(what, good, detail=""):
    global failed
    print(("ok    " if good else "FAIL  ") + what + ("" if good else f"\n{detail}"), flush=True)
    failed += not good


def golden(name, *args):
    rc, out, err = run(*args)
    path = HERE / "golden" / f"{name}.txt"
    if os.environ.get("VEDETTE_UPDATE_GOLDEN"):
        path.write_text(out)
    want = path.read_text() if path.exists() else "(no approved text)"
    case(f"{' '.join(args)}: exit 0, nothing on stderr", rc == 0 and not err, f"exit {rc}\n{err}")
    case(f"{' '.join(args)}: as approved in golden/{name}.txt", out == want, f"--- approved\n{want}\n--- is\n{out}")
    case(f"{' '.join(args)}: lines fit a terminal", max(map(len, out.splitlines())) <= 100)


def usage(what, code, words, *args):
    rc, out, err = run(*args)
    case(f"{what}: exit {code}", rc == code, f"exit {rc}\n{err}")
    case(f"{what}: says so", all(w in err for w in words), f"{words} not all in\n{err}")
    case(f"{what}: nothing on stdout", out == "", out)


def policies():
    packs = ("--policies", "policies")
    rc, out, err = run("policy", "list", *packs)
    case("policy list: all eight", rc == 0 and len(out.splitlines()) == 8 and not err, out + err)
    case("policy list: nobody has keys", out.count("closed to everybody") == 7, out)
    for path in sorted((ROOT / "policies").glob("*.yaml")):
        rc, out, err = run("policy", "check", f"policies/{path.name}")
        case(f"policy check {path.name}: good, with its digest",
             rc == 0 and hashlib.sha256(path.read_bytes()).hexdigest() in out, out + err)
    rc, out, _ = run("policy", "show", "evaluation", "--policies", "/nowhere")
    case("policy show evaluation: built in, whatever folder is named",
         rc == 0 and out == (ROOT / "policies/evaluation.yaml").read_text(), out)
    rc, out, _ = run("policy", "retention", "us-ma-springfield", "--language", "fr", *packs)
    case("policy retention: in French, from the pack's numbers",
         rc == 0 and "effacées après 24 heures" in out and "186 jours" in out, out)
    usage("a language that is not there", 2, ["en, fr and es"], "policy", "retention", "evaluation", "-l", "de")
    usage("a pack that is not there", 1, ["policy list"], "policy", "show", "atlantis", *packs)
    usage("a file that is no pack", 3, ["README.md:"], "policy", "check", "./README.md")
    usage("a state of no documents", 1, ["signed document"], "policy", "state", "policies/eu.yaml")
    usage("an anchor that is none", 2, ["64 hex"], "policy", "state", "policies/eu.yaml", "--anchor", "1")


def main():
    if not VEDETTE.exists():
        print(f"SKIP: {VEDETTE} is not built")
        sys.exit(77)
    for verb in ("watch", "explain", "enrol check"):
        golden(verb.replace(" ", "_"), *verb.split(), "--help")
    rc, out, err = run("--help")
    case("--help: exit 0", rc == 0 and not err)
    verbs = [x[2:24].strip() for x in out.splitlines() if x.startswith("  ") and x[2:3].islower()]
    case("--help: lists the verbs", {"watch", "explain", "enrol check"} <= set(verbs), out)
    for verb in verbs:  # every verb explains itself, whoever wrote it
        rc, text, err = run(*verb.split(), "--help")
        case(f"{verb} --help: exit 0", rc == 0 and not err, err)
        case(f"{verb} --help: usage and exit codes", text.startswith(f"Usage: vedette {verb}") and "xit codes" in text,
             text)
        case(f"{verb} --help: --json is there or needless", "--json" in text, text)
        rc, again, _ = run("help", *verb.split())
        case(f"help {verb}: the same", again == text)
    rc, out, _ = run("--version")
    case("--version", rc == 0 and out.startswith("vedette 0."), out)
    rc, out, _ = run()
    case("nothing typed: the help, and exit 2", rc == 2 and "Usage: vedette" in out)
    usage("unknown verb", 2, ['no verb "zzzzzz"'], "zzzzzz")
    usage("misspelt verb", 2, ['did you mean "watch"?'], "wtach")
    usage("first word alone", 2, ["needs a second word", "enrol check"], "enrol")
    usage("misspelt second word", 2, ["enrol check"], "enrol", "chekc")
    usage("unknown option", 2, ["no option --wurst"], "watch", "x", "--wurst")
    usage("misspelt option", 2, ["did you mean --watchlist?"], "watch", "x", "--watchlst", "y")
    usage("beginning of an option", 2, ["did you mean --threshold?"], "watch", "x", "--thres", "1")
    usage("unknown letter", 2, ["no option -x"], "watch", "-x")
    usage("no watchlist", 2, ["--watchlist DIR is missing"], "watch", "x.mp4")
    usage("no source", 2, ["something is missing", "SOURCE"], "watch", "--watchlist", "y")
    usage("value missing", 2, ["--watchlist needs a value"], "watch", "x", "--watchlist")
    usage("empty value", 2, ["empty value"], "watch", "x", "--watchlist=")
    usage("flag with a value", 2, ["takes no value"], "watch", "x", "--json=yes")
    for bad in ("abc", "1.5x", "nan", "inf", "2", "-1", "0"):
        usage(f"threshold {bad}", 2, ["--threshold"], "watch", "x", "-w", "y", "--threshold", bad)
    for bad in ("4.5", "1e3", "99999999999", "10", ""):
        usage(f"detect-side {bad!r}", 2, ["--detect-side"], "watch", "x", "-w", "y", "--detect-side", bad)
    usage("too many sources", 2, ["at most 16"], "watch", *["x"] * 17, "-w", "y")
    usage("too many arguments", 2, ["too many"], "enrol", "check", "a", "b")
    policies()
    rc, _, err = run("watch", "a\x1b[2Jb", "-w", "y", "--no\x1b[31m")
    case("control characters are not passed to the terminal", rc == 2 and "\x1b" not in err, repr(err))
    with open("/dev/full", "w") as full:
        rc, _, err = run("--help", stdout=full)
        case("a full disk is a failure", rc == 1 and "cannot write" in err, f"exit {rc} {err}")
    r, w = os.pipe()
    os.close(r)
    rc, _, err = run("--help", stdout=w)
    os.close(w)
    case("a closed pipe is a failure, not a crash", rc == 1, f"exit {rc} {err}")
    sys.exit(1 if failed else 0)


main()
