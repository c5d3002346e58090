#!/usr/bin/env python3
"""Each public header alone, twice in a row, in C17 and in C++17, without a warning.

    headers.py ROOT CC CXX

Also: a header that leans on what its neighbours include, or that is no C++, must be caught.
"""
import os
import subprocess
import sys
import tempfile

STRICT = ["-Wall", "-Wextra", "-Wpedantic", "-Werror", "-fsyntax-only"]


def compiles(command, include, header):
    with tempfile.TemporaryDirectory() as tmp:
        path = os.path.join(tmp, "one.c")
        with open(path, "w") as f:
            f.write(f"#include <{header}>\n#include <{header}>\nint one;\n")
        r = subprocess.run(command + STRICT + ["-I", include, path], capture_output=True, text=True)
        return r.returncode == 0, r.stderr


def main(root, cc, cxx):
    include = os.path.join(root, "include")
    headers = sorted(os.listdir(os.path.join(include, "vedette")))
    languages = [[cc, "-std=c17"], [cxx, "-x", "c++", "-std=c++17", "-Wold-style-cast"]]
    bad = n = 0
    for header in headers:
        for command in languages:
            ok, what = compiles(command, include, "vedette/" + header)
            n += 1
            if not ok:
                bad += 1
                print(f"FAIL {header} with {' '.join(command)}\n{what}")
    with tempfile.TemporaryDirectory() as tmp:
        for name, text in {"leans.h": "size_t f(void);\n", "twice.h": "struct s { int i; };\n",
                           "not_cxx.h": "#ifndef A\n#define A\nint f(int class);\n#endif\n"}.items():  # fmt: skip
            with open(os.path.join(tmp, name), "w") as f:
                f.write(text)
            n += 1
            if all(compiles(command, tmp, name)[0] for command in languages):
                bad += 1
                print(f"FAIL {name} was not caught")
    print(f"headers: {len(headers)} headers, {n} checks, {bad} failures")
    return 1 if bad or len(headers) < 5 else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:4]))
