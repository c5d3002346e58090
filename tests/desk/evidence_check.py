#!/usr/bin/env python3
"""Checks a folder of evidence as an outsider would: with hashes and Ed25519 alone, none of vedette's code.

    evidence_check.py FOLDER        exit status 0: whole, signed, every entry proved; then it breaks copies of it,
                                    and each must be noticed
"""
import base64
import functools
import hashlib
import json
import os
import shutil
import sys
import tempfile

P, L = 2**255 - 19, 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P


def sha(b):
    return hashlib.sha256(b).digest()


def point(b):
    """RFC 8032, 5.1.3, in extended coordinates."""
    y = int.from_bytes(b, "little")
    sign, y = y >> 255, y & (2**255 - 1)
    x2 = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(x2, (P + 3) // 8, P)
    if (x * x - x2) % P:
        x = x * pow(2, (P - 1) // 4, P) % P
    assert y < P and not (x * x - x2) % P, "no point"
    x = P - x if x & 1 != sign else x
    return x, y, 1, x * y % P


def add(p, q):
    a, b = (p[1] - p[0]) * (q[1] - q[0]) % P, (p[1] + p[0]) * (q[1] + q[0]) % P
    c, d = 2 * p[3] * q[3] * D % P, 2 * p[2] * q[2] % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % P, g * h % P, f * g % P, e * h % P


def times(n, p):
    q = (0, 1, 1, 0)
    while n:
        q, p, n = add(q, p) if n & 1 else q, add(p, p), n >> 1
    return q


@functools.lru_cache(maxsize=None)
def verified(key, text, sig):
    """Ed25519, RFC 8032, 5.1.7."""
    g = point(bytes.fromhex("58" + "66" * 31))
    s = int.from_bytes(sig[32:], "little")
    h = int.from_bytes(hashlib.sha512(sig[:32] + key + text).digest(), "little") % L
    a, b = times(s, g), add(point(sig[:32]), times(h, point(key)))
    return s < L and not (a[0] * b[2] - b[0] * a[2]) % P and not (a[1] * b[2] - b[1] * a[2]) % P


def notes_key(text):
    name, key_id, key = text.split("log ", 1)[1].split("\n", 1)[0].split("+", 2)
    raw = base64.b64decode(key)
    assert raw[0] == 1 and sha(name.encode() + b"\n" + raw)[:4].hex() == key_id, "the key's own number"
    return name, bytes.fromhex(key_id), raw[1:]


def signed(note, key):
    text, sigs = note.rsplit(b"\n\n", 1)
    for line in sigs.decode().splitlines():
        dash, name, sig = line.split(" ")
        raw = base64.b64decode(sig)
        if dash == "\u2014" and name == key[0] and raw[:4] == key[1]:
            assert verified(key[2], text + b"\n", raw[4:]), "a wrong signature"
            return text + b"\n"
    raise AssertionError("no signature by the record's key")


def root_of(leaf, index, size, path):
    """RFC 6962, 2.1.1, from the leaf up."""
    fn, sn, r = index, size - 1, leaf
    for p in path:
        assert sn, "too long"
        if fn & 1 or fn == sn:
            r = sha(b"\1" + p + r)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            r = sha(b"\1" + r + p)
        fn, sn = fn >> 1, sn >> 1
    assert sn == 0, "too short"
    return r


def check(folder):
    def read(name):
        with open(os.path.join(folder, name), "rb") as f:
            return f.read()
    key = notes_key(read("keys.txt").decode())
    manifest = json.loads(signed(read("manifest.note"), key))
    here = {os.path.relpath(os.path.join(d, f), folder) for d, _, fs in os.walk(folder) for f in fs}
    assert here == set(manifest) | {"manifest.note"}, here ^ set(manifest)
    for name, digest in manifest.items():
        assert sha(read(name)).hex() == digest, name
    kinds = []
    for name in sorted(manifest):
        if not name.startswith("record/") or not name.endswith(".json"):
            continue
        proof, note = read(name[:-5] + ".proof").split(b"\n\n", 1)
        lines = proof.decode().splitlines()
        assert lines[0].startswith("c2sp.org/tlog-proof@v1") and lines[1].startswith("index ")
        index = int(lines[1][6:])
        size, root = signed(note, key).decode().splitlines()[1:3]
        assert index == int(name[7:-5])
        path = [base64.b64decode(x) for x in lines[2:]]
        assert root_of(sha(b"\0" + read(name)), index, int(size), path) == base64.b64decode(root), name
        kinds.append(json.loads(read(name))["kind"])
    for kind in ("deployment.started", "alert.raised", "alert.adjudicated", "alert.engaged", "alert.outcome"):
        assert kind in kinds, (kind, kinds)
    facts = json.loads(read("evidence.json"))
    assert len(facts["reviews"]) == 2 and float(facts["similarity"]) >= float(facts["threshold"])
    assert facts["probe"] == "probe.jpg" and facts["reference"] == "reference.jpg"
    return manifest


def broken(folder, name, how):
    with tempfile.TemporaryDirectory() as t:
        copy = os.path.join(t, "c")
        shutil.copytree(folder, copy)
        how(os.path.join(copy, name))
        try:
            check(copy)
        except Exception:
            return
        sys.exit(f"{name}: a change was not noticed")


def flip(path):
    with open(path, "r+b") as f:
        b = bytearray(f.read())
        b[len(b) // 2] ^= 1
        f.seek(0)
        f.write(b)


if __name__ == "__main__":
    files = check(sys.argv[1])
    for one in [*files, "manifest.note"]:
        broken(sys.argv[1], one, flip)
        broken(sys.argv[1], one, os.remove)
    print(f"evidence: {len(files)} files, all signed; each change and each loss noticed")
