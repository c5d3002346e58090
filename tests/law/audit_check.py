"""A third implementation of the log's rules, of hashlib and arithmetic alone, and what it thinks of
the other two: the library (audit_tool) and tools/verify/vedette-verify.

    audit_check.py AUDIT_TOOL VEDETTE_VERIFY [VEDETTE]     the test
    audit_check.py --export DIR                            the verdict on one export (see docs/audit.md)
"""
import base64
import datetime
import hashlib
import json
import pathlib
import random
import re
import resource
import subprocess
import sys
import tempfile

KEYS = ["v", "seq", "time", "mono_ns", "boot", "kind", "actor", "deployment", "fields", "prev"]


def sha(b):
    return hashlib.sha256(b).digest()


# --- RFC 6962, section 2.1, word for word ---------------------------------------------------------

def split(n):
    return 1 << ((n - 1).bit_length() - 1)


def mth(d, memo={}):
    key = (d[0], d[-1], len(d)) if d else None
    if key not in memo:
        n = len(d)
        memo[key] = (sha(b"") if n == 0 else d[0] if n == 1 else
                     sha(b"\x01" + mth(d[:split(n)]) + mth(d[split(n):])))
    return memo[key]


def path(m, d):
    if len(d) == 1:
        return []
    k = split(len(d))
    return path(m, d[:k]) + [mth(d[k:])] if m < k else path(m - k, d[k:]) + [mth(d[:k])]


def subproof(m, d, whole):
    if m == len(d):
        return [] if whole else [mth(d)]
    k = split(len(d))
    if m <= k:
        return subproof(m, d[:k], whole) + [mth(d[k:])]
    return subproof(m - k, d[k:], False) + [mth(d[:k])]


def root_by_path(leaf, m, n, proof):
    if n == 1:
        return leaf if not proof else None
    if not proof:
        return None
    k, below = split(n), None
    if m < k:
        below = root_by_path(leaf, m, k, proof[:-1])
        return below and sha(b"\x01" + below + proof[-1])
    below = root_by_path(leaf, m - k, n - k, proof[:-1])
    return below and sha(b"\x01" + proof[-1] + below)


# --- Ed25519 as in RFC 8032, section 5.1.7 --------------------------------------------------------

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P


def add(a, b):
    e, f = (a[1] - a[0]) * (b[1] - b[0]) % P, (a[1] + a[0]) * (b[1] + b[0]) % P
    g, h = 2 * a[3] * b[3] * D % P, 2 * a[2] * b[2] % P
    e, f, g, h = f - e, h - g, h + g, f + e
    return e * f % P, g * h % P, f * g % P, e * h % P


def times(s, a):
    out = (0, 1, 1, 0)
    while s:
        if s & 1:
            out = add(out, a)
        a, s = add(a, a), s >> 1
    return out


def point(b):
    y = int.from_bytes(b, "little")
    sign, y = y >> 255, y & (2**255 - 1)
    x2 = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(x2, (P + 3) // 8, P)
    if (x * x - x2) % P:
        x = x * pow(2, (P - 1) // 4, P) % P
    if y >= P or (x * x - x2) % P or (x == 0 and sign):
        return None
    x = P - x if x & 1 != sign else x
    return x, y, 1, x * y % P


BASE = point((4 * pow(5, P - 2, P) % P).to_bytes(32, "little"))


def signed(key, message, sig):
    a, r, s = point(key), point(sig[:32]), int.from_bytes(sig[32:], "little")
    if not a or not r or s >= L or len(sig) != 64:
        return False
    h = int.from_bytes(hashlib.sha512(sig[:32] + key + message).digest(), "little") % L
    left, right = times(s, BASE), add(r, times(h, a))
    return ((left[0] * right[2] - right[0] * left[2]) % P == 0 and
            (left[1] * right[2] - right[1] * left[2]) % P == 0)


# --- notes, entries, the verdict ------------------------------------------------------------------

class Bad(Exception):
    pass


def need(x, what):
    if not x:
        raise Bad(what)


def b64(text, n=None):
    try:
        raw = base64.b64decode(text, validate=True)
    except ValueError as e:
        raise Bad("base64") from e
    need(base64.b64encode(raw) == text and n in (None, len(raw)), "base64")
    return raw


def keys(text):
    """-> origin, {(name, id): (type, key)}, quorum"""
    origin, known, quorum = None, {}, None
    for line in text.decode().splitlines():
        if not line or line.startswith("#"):
            continue
        word, rest = line.split(" ")
        if word == "quorum":
            quorum = int(rest)
            continue
        name, ident, material = rest.split("+", 2)
        raw = b64(material.encode(), 33)
        need(sha(name.encode() + b"\n" + raw)[:4].hex() == ident, "key id")
        need(raw[0] == {"log": 1, "witness": 4}[word], "key type")
        known[name.encode(), bytes.fromhex(ident)] = raw[0], raw[1:]
        origin = name if word == "log" else origin
    return origin, known, sum(t == 4 for t, _ in known.values()) if quorum is None else quorum


def notes(data):
    """Every checkpoint of the file: text, [(name, id, body)]."""
    at = 0
    while at < len(data):
        if data[at:at + 1] == b"\n" and at:
            at += 1
        end = data.find(b"\n\n", at)
        need(end >= 0, "a checkpoint without signatures")
        text, at, sigs = data[at:end + 1], end + 2, []
        while data.startswith("— ".encode(), at):
            end = data.find(b"\n", at)
            need(end >= 0, "a signature line cut off")
            name, sig = data[at + 4:end].split(b" ", 1)
            raw = b64(sig)
            sigs.append((name, raw[:4], raw[4:]))
            at = end + 1
        need(sigs, "no signatures")
        yield text, sigs


def head(text):
    lines = text.split(b"\n")
    need(len(lines) >= 4 and re.fullmatch(rb"0|[1-9][0-9]*", lines[1]), "not a checkpoint")
    return lines[0], int(lines[1]), b64(lines[2], 32)


def witnesses(text, sigs, known):
    """Signed by the log, nobody known signed wrongly; -> which witnesses signed."""
    by, log = set(), 0
    for name, ident, body in sigs:
        kind, key = known.get((name, ident), (0, None))
        if kind == 1:
            need(signed(key, text, body), "the log's signature")
            log += 1
        if kind == 4:
            t = int.from_bytes(body[:8], "big")
            need(signed(key, b"cosignature/v1\ntime %d\n" % t + text, body[8:]), "a cosignature")
            by.add(name)
    need(log, "not signed by the log")
    return by


def entry(line):
    """One spelling only: what json.dumps makes of it is what it was."""
    try:
        e = json.loads(line, parse_float=lambda x: need(False, "a float"))
    except ValueError as x:
        raise Bad("not JSON") from x
    need(isinstance(e, dict) and list(e) == KEYS and e["v"] == 1, "keys")
    need(json.dumps(e, ensure_ascii=False, separators=(",", ":")).encode() == line, "not canonical")
    need(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z", e["time"]), "time")
    try:
        t = datetime.datetime.fromisoformat(e["time"][:19] + "+00:00")
    except ValueError as x:
        raise Bad("time") from x
    wall = int(t.timestamp()) * 10**9 + int(e["time"][20:29])
    fields = e["fields"]
    need(isinstance(fields, dict) and list(fields) == sorted(fields), "order of fields")
    for v in fields.values():
        need(isinstance(v, (str, int)) or isinstance(v, list) and all(isinstance(x, str) for x in v), "value")
    return e, wall


def verify(keys_text, entries, checkpoints):
    origin, known, quorum = keys(keys_text)
    need(entries.endswith(b"\n") or not entries, "cut off")
    lines = entries.split(b"\n")[:-1]
    prev, last, leaves = b"", None, []
    for n, line in enumerate(lines):
        e, wall = entry(line)
        need(e["seq"] == n, f"entry {n}: number")
        need(e["prev"] == (sha(prev).hex() if n else "0" * 64), f"entry {n}: prev")
        need((e["kind"] == "log.origin") == (n == 0), f"entry {n}: log.origin")
        if n:
            p, pwall = last
            if p["boot"] == e["boot"]:
                ran = e["mono_ns"] - p["mono_ns"]
                need(ran >= 0, f"entry {n}: mono_ns")
                steady = abs(wall - pwall - ran) <= 10**9 + ran // 2000
            else:
                need(e["kind"] in ("log.open", "log.recovered", "clock.jump"), f"entry {n}: boot")
                steady = wall >= pwall
            need(steady or e["kind"] == "clock.jump", f"entry {n}: clock")
        else:
            need(e["fields"]["origin"] == origin, "origin")
        prev, last = line, (e, wall)
        leaves.append(sha(b"\0" + line))
    sizes, quorate = [], []
    for text, sigs in notes(checkpoints):
        name, size, root = head(text)
        need(name.decode() == origin, "another log's checkpoint")
        by = witnesses(text, sigs, known)
        need(not sizes or size >= sizes[-1], "checkpoints out of order")
        need(size <= len(leaves), "truncated")
        need(mth(tuple(leaves[:size])) == root, f"root at {size}")
        sizes.append(size)
        if len(by) >= quorum:
            quorate.append(size)
    need(sizes, "no checkpoint")
    need(quorate, "no quorum")
    return len(lines), max(quorate)


def verify_proof(keys_text, line, proof):
    _, known, quorum = keys(keys_text)
    top, note = proof.split(b"\n\n", 1)
    rows = top.split(b"\n")
    need(rows[0] == b"c2sp.org/tlog-proof@v1" and rows[1].startswith(b"index "), "form")
    (text, sigs), = notes(note)
    _, size, root = head(text)
    need(len(witnesses(text, sigs, known)) >= quorum, "quorum")
    leaf, index = sha(b"\0" + line.rstrip(b"\n")), int(rows[1][6:])
    need(index < size, "index")
    need(root_by_path(leaf, index, size, [b64(r, 32) for r in rows[2:]]) == root, "root")


# --- the test -------------------------------------------------------------------------------------

failed = 0


def case(what, good, detail=""):
    global failed
    print(("ok    " if good else "FAIL  ") + what + ("" if good else f"  {detail}"), flush=True)
    failed += not good


def check_trees(tool):
    leaves, proofs = (), 0
    for n, line in enumerate(subprocess.run([tool, "trees", "130"], capture_output=True, check=True,
                                            text=True).stdout.splitlines()):
        t = json.loads(line)
        good = t["size"] == n and t["root"] == mth(leaves).hex()
        for i in range(n):
            good = good and t["inclusion"][i] == [h.hex() for h in path(i, leaves)]
        for i in range(n + 1):
            want = subproof(i, leaves, True) if 0 < i < n else []
            good = good and t["consistency"][i] == [h.hex() for h in want]
        proofs += 2 * n + 1
        if not good:
            case(f"tree of {n} leaves", False, line[:200])
        leaves += (sha(b"\0leaf %d" % n),)
    case(f"trees of 0 to 130 leaves: roots and {proofs} proofs as RFC 6962 defines them", n == 130)


class Export:
    def __init__(self, tool, verifier, folder, entries):
        self.tool, self.verifier, self.dir = tool, verifier, pathlib.Path(folder)
        subprocess.run([tool, "export", folder, str(entries)], check=True)
        self.keys, self.entries, self.notes = (
            (self.dir / n).read_bytes() for n in ("keys.txt", "entries.jsonl", "checkpoints.txt"))

    def verdicts(self, entries=None, checkpoints=None, held=None):
        """(python, library, stand-alone): 0 good, 1 tampered, 2 cannot read."""
        e = self.entries if entries is None else entries
        c = self.notes if checkpoints is None else checkpoints
        (self.dir / "entries.jsonl").write_bytes(e)
        (self.dir / "checkpoints.txt").write_bytes(c)
        try:
            verify(self.keys, e, c)
            mine = 0
        except (Bad, UnicodeDecodeError, RecursionError) as x:
            mine, self.why = 1, x
        more = [held] if held else []
        a = subprocess.run([self.tool, "verify", str(self.dir)] + more, capture_output=True)
        b = subprocess.run([self.verifier] + [str(self.dir / n) for n in
                           ("keys.txt", "entries.jsonl", "checkpoints.txt")] + more, capture_output=True)
        self.said = a.stdout, b.stdout
        return mine, a.returncode, b.returncode


def check_tampering(x):
    lines = x.entries.split(b"\n")[:-1]

    def join(rows):
        return b"".join(r + b"\n" for r in rows)

    rng = random.Random(20261123)
    bad = {}
    for _ in range(60):
        at, bit = rng.randrange(len(x.entries)), 1 << rng.randrange(8)
        flipped = bytearray(x.entries)
        flipped[at] ^= bit
        bad[f"byte {at} ^ {bit:#x}"] = bytes(flipped), None
    for i in rng.sample(range(1, len(lines) - 1), 15) + [0, len(lines) - 1]:
        bad[f"without entry {i}"] = join(lines[:i] + lines[i + 1:]), None
        bad[f"truncated at {i}"] = join(lines[:i]), None
    for i in rng.sample(range(len(lines) - 1), 15):
        bad[f"{i} and its neighbour swapped"] = join(lines[:i] + [lines[i + 1], lines[i]] + lines[i + 2:]), None
        bad[f"{i} twice"] = join(lines[:i + 1] + lines[i:]), None
    relinked, prev = [], None  # an attacker who renumbers and relinks everything behind a deletion
    for line in lines[:50] + lines[51:]:
        e = json.loads(line)
        e["seq"], e["prev"] = len(relinked), sha(prev).hex() if prev else "0" * 64
        prev = json.dumps(e, ensure_ascii=False, separators=(",", ":")).encode()
        relinked.append(prev)
    bad["one entry gone, all relinked"] = join(relinked), None
    relinked, prev = [], None  # one who changes a word and relinks: only the roots tell
    for n, line in enumerate(lines):
        e = json.loads(line)
        e["actor"] = "somebody else" if n == 50 else e["actor"]
        e["prev"] = sha(prev).hex() if prev else "0" * 64
        prev = json.dumps(e, ensure_ascii=False, separators=(",", ":")).encode()
        relinked.append(prev)
    bad["one word changed, all relinked"] = join(relinked), None
    bad["the last word changed"] = join(lines[:-1] + [lines[-1].replace(b'"op"', b'"oq"')]), None
    bad["cut in a line"] = x.entries[:-7], None
    bad["empty"] = b"", None
    bad["no checkpoints"] = None, b""
    cps = x.notes.split(b"\n\n")
    bad["checkpoints out of order"] = None, b"\n\n".join([cps[2], cps[3].rstrip(b"\n"), cps[0], cps[1]]) + b"\n"
    bad["no cosignatures"] = None, re.sub(rb"\xe2\x80\x94 (press|council)[^\n]*\n", b"", x.notes)
    bad["one cosignature"] = None, re.sub(rb"\xe2\x80\x94 press[^\n]*\n", b"", x.notes)
    for _ in range(20):
        at = rng.randrange(len(x.notes) - 400)
        bad[f"checkpoint byte {at} is a space"] = None, x.notes[:at] + b" " + x.notes[at + 1:]
    wrong = {k: (v, x.said) for k, (e, c) in bad.items() if (v := x.verdicts(e, c)) != (1, 1, 1)}
    # A damaged name or id of a witness makes an unknown signature, which verifiers ignore: then the
    # quorum of other checkpoints holds, and all three must say so alike.
    wrong = {k: v for k, v in wrong.items() if not (k.startswith("checkpoint byte") and v[0] == (0, 0, 0))}
    case(f"{len(bad)} tampered exports: all three verifiers refuse each", not wrong, wrong)
    case("the untouched export is good again", x.verdicts() == (0, 0, 0), x.said)


def sign(seed, message):
    h = hashlib.sha512(seed).digest()
    a = int.from_bytes(h[:32], "little") & ~(1 << 255 | 7) | 1 << 254
    a &= (1 << 255) - 1

    def pack(p):
        z = pow(p[2], P - 2, P)
        x, y = p[0] * z % P, p[1] * z % P
        return (y | (x & 1) << 255).to_bytes(32, "little")

    r = int.from_bytes(hashlib.sha512(h[32:] + message).digest(), "little") % L
    big_r = pack(times(r, BASE))
    k = int.from_bytes(hashlib.sha512(big_r + pack(times(a, BASE)) + message).digest(), "little")
    return big_r + ((r + k * a) % L).to_bytes(32, "little")


def written_by_owner(x, change):
    """Six entries, one of them changed, then chained, signed and witnessed as is right."""
    origin, known, _ = keys(x.keys)
    rows, prev = [], None
    for n in range(6):
        e = dict(v=1, seq=n, time="2026-11-23T00:00:%02d.000000000Z" % n, mono_ns=n * 10**9, boot="b",
                 kind="record.read" if n else "log.origin", actor="op", deployment="",
                 fields={"a": 1, "b": "x"} if n else {"origin": origin},
                 prev=sha(prev).hex() if n else "0" * 64)
        line = change(n, e) or json.dumps(e, ensure_ascii=False, separators=(",", ":"))
        prev = line.encode()
        rows.append(prev)
    text = b"%s\n6\n%s\n" % (origin.encode(), base64.b64encode(mth(tuple(sha(b"\0" + r) for r in rows))))
    note = text + b"\n"
    for (name, ident), (kind, _) in known.items():
        seed = {origin: 1, "council.example/w": 2, "press.example/w": 3, "ngo.example/w": 4}[name.decode()]
        stamp = b"cosignature/v1\ntime 7\n" if kind == 4 else b""
        body = (b"\0\0\0\0\0\0\0\x07" if kind == 4 else b"") + sign(bytes([seed]) * 32, stamp + text)
        note += "— ".encode() + name + b" " + base64.b64encode(ident + body) + b"\n"
    return b"".join(r + b"\n" for r in rows), note


def check_owners_own(x):
    """Signed by all and still not a log: what only a dishonest or broken logger can write."""
    def at(n, **new):
        return lambda i, e: e.update(new) if i == n else None

    def text(n, old, new):
        return lambda i, e: (json.dumps(e, separators=(",", ":")).replace(old, new) if i == n else None)

    good = {"as is right": at(9),
            "a reboot": lambda i, e: e.update(boot="c", kind="log.open") if i == 5 else None}
    good["a clock.jump"] = lambda i, e: e.update(
        time="2027-01-01T00:00:%02d.000000000Z" % i, kind="clock.jump" if i == 3 else "record.read") if i > 2 else None
    bad = {"time jumps": at(5, time="2026-11-23T00:00:08.000000000Z"),
           "time runs back": at(5, time="2026-11-23T00:00:01.000000000Z"),
           "mono_ns runs back": at(4, mono_ns=5),
           "another boot": at(5, boot="c"),
           "reboot into the past": lambda i, e: e.update(
               boot="c", kind="log.open", time="2026-11-22T00:00:00.000000000Z") if i == 5 else None,
           "a second origin": at(4, kind="log.origin"), "no origin": at(0, kind="log.open"),
           "another origin": at(0, fields={"origin": "example.org/x"}),
           "a number too high": at(4, seq=5), "a number twice": at(4, seq=3),
           "prev of something else": at(4, prev="ab" * 32), "prev in capitals": at(0, prev="A" * 64),
           "fields out of order": at(4, fields={"b": 1, "a": 1}), "a nested field": at(4, fields={"a": {}}),
           "null": at(4, fields={"a": None}), "a float": text(4, '"a":1', '"a":1.5'),
           "a blank": text(4, '"a":1', '"a": 1'), "a key twice": text(4, '"a":1', '"a":1,"a":2'),
           "one key more": text(4, '"kind"', '"x":1,"kind"'), "another version": at(4, v=2),
           "February 30th": at(5, time="2026-02-30T00:00:05.000000000Z")}
    wrong = {k: (v, x.said) for k, c in good.items() if (v := x.verdicts(*written_by_owner(x, c))) != (0, 0, 0)}
    case(f"{len(good)} small logs written and signed in Python: all three accept each", not wrong, wrong)
    wrong = {k: (v, x.said) for k, c in bad.items() if (v := x.verdicts(*written_by_owner(x, c))) != (1, 1, 1)}
    case(f"{len(bad)} logs wrong in one point, yet signed by all: all three refuse each", not wrong, wrong)
    x.verdicts()


def check_clear_answers(x):
    v, d = x.verifier, x.dir
    ok = [str(d / n) for n in ("keys.txt", "entries.jsonl", "checkpoints.txt")]
    run = lambda *a: subprocess.run([v, *a], capture_output=True, text=True)  # noqa: E731
    r = run(*ok)
    case("good: says how much is witnessed", r.returncode == 0 and "GOOD" in r.stdout and "witnessed" in r.stdout,
         r.stdout)
    case("files not there: 2", run(ok[0], "/nonexistent", ok[2]).returncode == 2)
    case("no arguments: 2", run().returncode == 2)
    (d / "bad.keys").write_text("log x\n")
    case("bad keys: 2", run(str(d / "bad.keys"), *ok[1:]).returncode == 2)
    if "asan" not in v and "tsan" not in v:  # sanitizers reserve far more
        def small():
            resource.setrlimit(resource.RLIMIT_AS, (32 << 20, 32 << 20))
        r = subprocess.run([v, *ok], capture_output=True, preexec_fn=small)
        case("in 32 MB of address space", r.returncode == 0, r)
    folder = run(ok[0], str(d), ok[2])
    case("a folder for a file: 2", folder.returncode == 2, folder)
    full = subprocess.run([v, *ok], stdout=open("/dev/full", "w"))
    case("a verdict that cannot be printed: 2", full.returncode == 2)
    keys_text = x.keys.decode().replace("quorum 2", "quorum 3")
    (d / "three.keys").write_text(keys_text)
    case("a quorum of 3 that is not there: 1", run(str(d / "three.keys"), *ok[1:]).returncode == 1)
    # A checkpoint kept outside: a truncated copy of both files is found by it.
    n = x.notes.rfind(b"\n\n", 0, x.notes.rfind(b"\n\n"))
    (d / "held.txt").write_bytes(x.notes[n + 2:])
    short = x.notes[:n + 1]
    size = int(short.split(b"\n\n")[-2].split(b"\n")[1])
    lines = x.entries.split(b"\n")[:size]
    cut = b"".join(r + b"\n" for r in lines)
    case("both files cut at an older checkpoint look good alone", x.verdicts(cut, short) == (0, 0, 0), x.said)
    case("and do not beside a held checkpoint", x.verdicts(cut, short, str(d / "held.txt"))[1:] == (1, 1), x.said)
    x.verdicts()


def check_proofs(x):
    entry_bytes, proof = (x.dir / "entry.json").read_bytes(), (x.dir / "entry.proof").read_bytes()
    args = [x.verifier, "--inclusion", str(x.dir / "keys.txt"), str(x.dir / "entry.json"), str(x.dir / "entry.proof")]
    verify_proof(x.keys, entry_bytes, proof)
    case("a proof of inclusion: Python and vedette-verify agree", subprocess.run(args, capture_output=True).returncode == 0)
    rng, codes = random.Random(1), set()
    for name, data in (("entry.json", entry_bytes), ("entry.proof", proof)):
        for _ in range(60):
            m = bytearray(data)
            m[rng.randrange(len(m) - 1)] ^= 1 << rng.randrange(8)
            (x.dir / name).write_bytes(m)
            codes.add(subprocess.run(args, capture_output=True).returncode)
        (x.dir / name).write_bytes(data)
    case("120 proofs with one bit changed: all refused", codes == {1}, codes)


def check_document(x):
    """The ten lines of docs/audit.md do what the document says."""
    text = (pathlib.Path(__file__).resolve().parents[2] / "docs" / "audit.md").read_text()
    code = re.search(r"```python\n(.*?)```", text, re.S).group(1)

    def said():
        return subprocess.run([sys.executable, "-c", code], cwd=x.dir, capture_output=True, text=True).stdout

    x.verdicts()
    good = said()
    x.verdicts(x.entries.replace(b'"kind":"alert.shown"', b'"kind":"alert.shout"', 1))
    case("the ten lines of docs/audit.md: True, and not when a word is changed",
         good == "True\n" and "True" not in said() and len(code.splitlines()) == 10, (good, len(code.splitlines())))
    x.verdicts()


def check_command(x, vedette):
    """vedette audit verify|prove|consistency on the same export."""
    d, folder = x.dir, str(x.dir)

    def run(*args):
        return subprocess.run([vedette, "audit", *args], capture_output=True, text=True)

    keyed = ["--keys", str(d / "keys.txt")]
    r = run("verify", folder, *keyed)
    case("audit verify: good", r.returncode == 0 and r.stdout.startswith("GOOD: 2100 entries") and not r.stderr, r)
    r = run("verify", folder)
    case("audit verify: warns of the sender's own keys", r.returncode == 0 and "--keys" in r.stderr, r)
    r = run("verify", folder, *keyed, "--json")
    said = json.loads(r.stdout)
    case("audit verify --json", said["good"] and said["witnessed"] == 2100 and r.returncode == 0, r)
    case("audit verify: no folder", run("verify", "/nonexistent").returncode == 1)
    x.verdicts(x.entries.replace(b'"op"', b'"oq"', 1))
    r = run("verify", folder, *keyed, "--json")
    case("audit verify: tampered is 3 and says where", r.returncode == 3 and "not the signed one" in json.loads(r.stdout)["what"], r)
    case("audit prove: not of a tampered log", run("prove", folder, "7", *keyed).returncode == 3)
    x.verdicts()
    r = run("prove", folder, "1234", *keyed)
    line = x.entries.split(b"\n")[1234]
    verify_proof(x.keys, line, r.stdout.encode())
    case("audit prove: Python accepts the proof", r.returncode == 0 and line.decode() in r.stderr, r)
    (d / "e").write_bytes(line + b"\n")
    (d / "p").write_text(r.stdout)
    alone = subprocess.run([x.verifier, "--inclusion", str(d / "keys.txt"), str(d / "e"), str(d / "p")], capture_output=True)
    case("audit prove: vedette-verify accepts it", alone.returncode == 0, alone)
    case("audit prove: no such entry", run("prove", folder, "2100", *keyed).returncode == 1)
    case("audit prove: not a number", run("prove", folder, "1x", *keyed).returncode == 2)
    cps = x.notes.split(b"\n\n")
    first = cps[0] + b"\n\n" + cps[1] + b"\n"
    (d / "old").write_bytes(first)
    r = run("consistency", folder, str(d / "old"), *keyed)
    rows = r.stdout.split("\n\n", 1)[0].split("\n")
    leaves = tuple(sha(b"\0" + e) for e in x.entries.split(b"\n")[:-1])
    size = int(first.split(b"\n")[1])
    want = [base64.b64encode(h).decode() for h in subproof(size, leaves, True)]
    case("audit consistency: the proof that RFC 6962 defines", r.returncode == 0 and
         rows == [f"old {size}"] + want, r)
    (d / "old").write_bytes(written_by_owner(x, lambda i, e: None)[1])
    r = run("consistency", folder, str(d / "old"), *keyed)
    case("audit consistency: a split view is 3", r.returncode == 3 and "SPLIT VIEW" in r.stderr, r)
    r = run("verify", folder, *keyed, "--held", str(d / "old"))
    case("audit verify --held: a split view is 3", r.returncode == 3 and "held" in r.stdout, r)


def main(args):
    if args[:1] == ["--export"]:
        files = [(pathlib.Path(args[1]) / n).read_bytes() for n in ("keys.txt", "entries.jsonl", "checkpoints.txt")]
        try:
            print("GOOD: %d entries, witnessed: the first %d" % verify(*files))
            return 0
        except (Bad, UnicodeDecodeError) as e:
            print(f"TAMPERED: {e}")
            return 1
    tool, verifier = args[:2]
    sys.setrecursionlimit(10000)
    check_trees(tool)
    with tempfile.TemporaryDirectory() as folder:
        x = Export(tool, verifier, folder, 2100)
        case("an export: Python, the library and vedette-verify agree that it is good", x.verdicts() == (0, 0, 0),
             (x.said, getattr(x, "why", "")))
        check_tampering(x)
        check_owners_own(x)
        check_clear_answers(x)
        check_proofs(x)
        check_document(x)
        if len(args) > 2:
            check_command(x, args[2])
        else:
            print("SKIP: vedette audit: the command is not built")
    return failed > 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
