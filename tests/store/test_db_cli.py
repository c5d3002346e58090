"""vedette db backup|restore|verify on a store made by make_store (argument 1)."""
import json
import os
import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
VEDETTE = pathlib.Path(os.environ.get("VEDETTE_BIN", ROOT / "build" / "vedette"))
failed = 0


def run(*args):
    p = subprocess.run([str(VEDETTE), "db", *map(str, args)], stdin=subprocess.DEVNULL, capture_output=True, timeout=60)
    return p.returncode, p.stdout.decode(), p.stderr.decode()


def case(what, good, detail=""):
    global failed
    print(("ok    " if good else "FAIL  ") + what + ("" if good else f"\n{detail}"), flush=True)
    failed += not good


def main():
    if not VEDETTE.exists():
        print(f"SKIP: {VEDETTE} is not built")
        sys.exit(77)
    with tempfile.TemporaryDirectory() as base:
        base = pathlib.Path(base)
        subprocess.run([sys.argv[1], str(base)], check=True)
        store, backup = base / "store", base / "b.db"
        rc, out, err = run("verify", store)
        case("verify a store: whole", rc == 0 and out.startswith("whole: schema") and "20 sealed" in out, out + err)
        rc, out, err = run("backup", store, backup)
        case("backup", rc == 0 and backup.stat().st_mode & 0o777 == 0o600, out + err)
        case("backup: no face, no root key in it", b"canary-of-a-face" not in backup.read_bytes()
             and (base / "root.key").read_bytes() not in backup.read_bytes())
        rc, out, err = run("backup", store, backup)
        case("backup onto a file that is there: refused", rc == 1 and "cannot make" in err, err)
        rc, out, err = run("verify", backup, "--json")
        report = json.loads(out)
        case("verify a backup, JSON", rc == 0 and report["whole"] is True and report["envelopes"] == 20, out)
        rc, out, err = run("restore", backup, store)
        case("restore over a database: refused", rc == 1 and "move it away" in err, err)
        rc, out, err = run("restore", backup, base / "new")
        case("restore", rc == 0 and (base / "new" / "vedette.db").exists(), out + err)
        case("restore: no key file comes along", not (base / "new" / "vedette.keys").exists())
        data = bytearray(backup.read_bytes())
        for at in range(4096 * 3, len(data), 4096):  # the first bytes of most pages
            data[at:at + 8] = b"\xff" * 8
        bad = base / "bad.db"
        bad.write_bytes(data)
        rc, out, err = run("verify", bad)
        case("verify a damaged backup: says so", rc in (1, 3) and ("damaged" in out or "damaged" in err), f"{rc}{out}{err}")
        rc, out, err = run("restore", bad, base / "never")
        case("restore a damaged backup: refused", rc == 1 and not (base / "never" / "vedette.db").exists(), err)
        rc, out, err = run("verify", base / "nothing")
        case("verify nothing", rc == 1 and "cannot open" in err, err)
        (base / "text").write_text("no database " * 100)
        rc, out, err = run("verify", base / "text")
        case("verify something else", rc == 1 and "damaged" in err, f"{rc} {out} {err}")
    sys.exit(1 if failed else 0)


main()
