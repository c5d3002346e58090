#!/usr/bin/env python3
"""R67: the law reads no environment, clock, file or socket, and no build flag changes it.

    test_pure.py LIBVD_LAW.A SOURCE_DIR

What the archive's objects call outside of themselves is on a closed list; sources of src/law have no
conditional compilation but include guards. A copy with a forbidden call shows that the test sees it."""
import pathlib
import re
import subprocess
import sys

# Memory, text, mathematics, the cryptography of libsodium, and this project's own base.
MAY = re.compile(
    r"^(vd_\w+|(__)?(mem(cpy|cmp|move|set|chr)|str(chr|cmp|len|ncmp|nlen|spn|cspn|toull|toll|tod)|v?snprintf)(_chk)?"
    r"|bcmp|free|malloc|calloc|qsort|bsearch|expm1|fmax|fmin|log|log1p|floor|sodium_(base642bin|bin2base64|bin2hex|memcmp|memzero)"
    r"|crypto_(core_ed25519|generichash|hash_sha256|sign)\w*|_GLOBAL_OFFSET_TABLE_|__stack_chk_fail|explicit_bzero"
    r"|__(asan|ubsan|tsan|sanitizer|start___sancov|stop___sancov)\w*|__isoc\d+_strto\w+|__tls_get_addr)$")
# Of base, only what is pure as well: no clock that reads, no file, no log.
BASE_NOT = re.compile(r"^vd_(clock_system|file_(map|read|write|unmap)|log\w*|thread\w*|random\w*)$")


def undefined(archive):
    out = subprocess.run(["nm", "-u", archive], capture_output=True, text=True, check=True).stdout
    return sorted({line.split()[-1] for line in out.splitlines() if re.match(r"\s+[Uw] ", line)})


def impure(names):
    return [n for n in names if not MAY.match(n) or BASE_NOT.match(n)]


def conditional(text):
    found = []
    for m in re.finditer(r"^[ \t]*#[ \t]*(if|ifdef|ifndef|elif|else)\b[ \t]*(.*)$", text, re.M):
        if not (m.group(1) == "ifndef" and re.fullmatch(r"VD_LAW_\w+_H", m.group(2).strip())):
            found.append(m.group(0).strip())
    return found


def main():
    archive, source = sys.argv[1], pathlib.Path(sys.argv[2])
    names = undefined(archive)
    bad = impure(names)
    for n in bad:
        print(f"src/law calls {n}: time, files and settings are arguments there")
    files = sorted((source / "src/law").glob("*.[ch]"))
    for f in files:
        for line in conditional(f.read_text()):
            bad.append(line)
            print(f"{f}: {line}: no build flag may change the law")
    # the test can fail
    for n in ("getenv", "secure_getenv", "clock_gettime", "time", "fopen", "open", "socket", "vd_clock_system",
              "vd_file_read", "sqlite3_open"):  # fmt: skip
        assert impure([n]) == [n], n
    assert conditional("#ifdef VD_DEMO\n") and conditional("  # if 0\n") and not conditional("#ifndef VD_LAW_GATE_H\n")
    assert len(names) > 10 and len(files) > 20, (len(names), len(files))
    print(f"{len(names)} names outside src/law, {len(files)} files: {len(bad)} findings")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
