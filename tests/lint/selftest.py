#!/usr/bin/env python3
"""Each lint rule catches its fixture and leaves the near miss beside it alone.

A rule without a fixture fails this test: a lint that cannot fail is a defect.
"""
import os
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import lint  # noqa: E402

FMT = "BasedOnStyle: LLVM\nIndentWidth: 4\n"
DEBT = lint.DEBT
# rule: [(files that must be reported (one finding or more), or not (None) ...)]
CASES = {
    "layers": [
        ("up: base includes kern", {"src/base/a.c": '#include "kern/k.h"\n', "src/kern/k.h": "\n"}, 1),
        ("sideways: track includes gallery", {"src/track/a.c": ' # include "gallery/g.h"\n', "src/gallery/g.h": "\n"}, 1),
        ("a folder nobody gave a level", {"src/extra/a.c": "\n"}, 1),
        ("dots", {"src/nn/a.c": '#include "../kern/k.h"\n', "src/kern/k.h": "\n"}, 1),
        ("a public header includes an inner one", {"include/vedette/a.h": '#include "base/b.h"\n', "src/base/b.h": "\n"}, 1),
        ("missing", {"src/nn/a.c": '#include "nowhere.h"\n'}, 1),
        ("missing public", {"src/nn/a.c": '#include "vedette/nowhere.h"\n'}, 1),
        ("down, beside and public are fine",
         {"src/nn/a.c": '#include "kern/k.h"\n#include "nn/n.h"\n#include "n.h"\n#include "vedette/v.h"\n',
          "src/nn/n.h": "\n", "src/kern/k.h": "\n", "include/vedette/v.h": '#include "vedette/w.h"\n',
          "include/vedette/w.h": "\n"}, 0),
    ],
    "libav": [
        ("outside media", {"src/watch/a.c": "#include <libavutil/frame.h>\n"}, 1),
        ("swscale in a public header", {"include/vedette/a.h": '#include "libswscale/swscale.h"\n'}, 1),
        ("in media", {"src/media/a.c": "#include <libavcodec/avcodec.h>\n"}, 0),
    ],
    "traits": [
        ("a guess", {"src/watch/a.c": "int guess_emotion(void);\n"}, 1),
        ("a field", {"src/store/a.h": "struct a {\n    int ethnicity;\n};\n"}, 1),
        ("a column", {"src/store/a.c": 'x = "CREATE TABLE a("\n    "race TEXT,"\n;\n'}, 1),
        ("labels of an evaluation, words in prose, a data race",
         {"src/eval/a.c": "int gender;\n", "src/desk/a.c": '/* no emotion */ x = "no ethnicity is kept";\n',
          "src/base/a.c": "int race_free;\n"}, 0),
    ],
    "sql": [
        ("a query in the console", {"src/server/a.c": 'x = "SELECT a FROM b WHERE c=1";\n'}, 1),
        ("a pragma in the law", {"src/law/a.c": 'x = "PRAGMA journal_mode=OFF";\n'}, 1),
        ("a deletion in a bench", {"bench/a.c": 'x = "DELETE FROM audit";\n'}, 1),
        ("SQLite in the watch", {"src/watch/a.c": "#include <sqlite3.h>\n"}, 1),
        ("in the store, in tests, and words in prose",
         {"src/store/a.c": '#include <sqlite3.h>\nx = "DELETE FROM a";\n', "tests/a.c": 'x = "INSERT INTO a";\n',
          "src/cli/a.c": 'x = "select a camera from the list";\ny = "Update the list";\n'}, 0),
    ],
    "banned": [(f"{f}()", {"src/base/a.c": f"void f(void)\n{{\n    x = {f} (a);\n}}\n"}, 1)
               for f in list(lint.BANNED) + list(lint.BANNED_MORE)] + [
        ("tests may start programs, but not overrun", {"tests/a.c": "int x = system(0);\n"}, 0),
        ("nor may tests overrun", {"tests/a.c": "int x = strcpy(a, b);\n"}, 1),
        ("words in comments and strings, longer names, members",
         {"src/base/a.c": '/* strcpy( */ // gets(\nint x = my_system(1) + o->rand(2) + strtok_r(3);\n'
                          'char *s = "popen(\\"atoi(";\n'}, 0),
        ("after a string with an escaped quote", {"src/base/a.c": 'f("\\""); gets(x);\n'}, 1),
    ],
    "length": [
        ("1001 lines", {"src/base/a.c": "\n" * 1001}, 1),
        ("1000 lines", {"src/base/a.c": "\n" * 1000}, 0),
    ],
    "names": [
        ("twice", {"src/base/same.c": "\n", "src/nn/same.c": "\n"}, 1),
        ("once, and CMakeLists everywhere", {"src/base/a.c": "\n", "src/nn/b.c": "\n", "tests/a.c": "\n",
         "src/base/CMakeLists.txt": "\n", "src/nn/CMakeLists.txt": "\n"}, 0),
    ],
    "space": [
        ("tab", {"src/base/a.c": "\tint x;\n"}, 1),
        ("blank at the end", {"docs/a.md": "word \n"}, 1),
        ("CR", {"tools/a.py": "word\r\n"}, 1),
        ("no newline at the end", {"cmake/a.cmake": "word"}, 1),
        ("a Makefile's tabs", {"Makefile": "all:\n\ttrue\n"}, 0),
    ],
    "debts": [
        ("nobody's", {"src/base/a.c": f"/* {DEBT}: later */\n"}, 1),
        ("a name is no issue", {"src/base/a.c": f"/* {DEBT}(me) */\n"}, 1),
        ("an issue's", {"src/base/a.c": f"/* {DEBT}(issue-12): later */\n"}, 0),
    ],
    "flags": [(f, {"cmake/a.cmake": f"set(X {f})\n"}, 1) for f in lint.FAST] + [
        ("in a preset", {"CMakePresets.json": '{"x": "%s"}\n' % lint.FAST[0]}, 1),
        ("pragma", {"src/kern/a.c": '#pragma GCC optimize("fast")\n'}, 1),
        ("attribute", {"src/kern/a.c": '__attribute__((target("avx2"))) void f(void);\n'}, 1),
        ("a level's flags", {"src/kern/CMakeLists.txt": 'vd_isa_kernels(kern "-mavx2;-mfma" a.c)\n'}, 0),
    ],
    "globs": [
        ("glob", {"src/nn/CMakeLists.txt": "file(GLOB_RECURSE X *.c)\n"}, 1),
        ("no glob", {"src/nn/CMakeLists.txt": "file(READ x y)\n# file(GLOB\n"}, 0),
    ],
    "orphans": [
        ("not built", {"src/nn/CMakeLists.txt": "vd_module(nn SOURCES xa.c)\n", "src/nn/a.c": "\n"}, 1),
        ("built", {"src/nn/CMakeLists.txt": "vd_module(nn SOURCES a.c x86/b.c)\n", "src/nn/a.c": "\n",
         "src/nn/x86/b.c": "\n"}, 0),
    ],
    "data": [
        ("weights", {"models/a.onnx": "x"}, 1),
        ("photo", {"tests/face.JPG": "x"}, 1),
        ("large", {"docs/a.md": "x" * (lint.BYTES_MAX + 1)}, 1),
        ("a manifest", {"models/a.yaml": "name: a\n"}, 0),
    ],
    "paths": [
        ("somebody's folder", {"docs/a.md": "see /ho" + "me/me/x\n"}, 1),
        ("a variable or a relative path", {"docs/a.md": "$ROOT/wo" + "rk/x ../shared/wo" + "rk/x\n"}, 0),
    ],
    "format": [
        ("not formatted", {"src/base/a.c": "int  x ;\n", ".clang-format": FMT}, 1),
        ("formatted", {"src/base/a.c": "int x;\n", ".clang-format": FMT}, 0),
    ],
}  # fmt: skip


def main():
    bad, n = [], 0
    for name in set(lint.RULES) ^ set(CASES):
        bad.append(f"{name}: a rule without a fixture, or a fixture without its rule")
    for name, cases in CASES.items():
        if name == "format" and not lint.shutil.which("clang-format-14"):
            print("SKIP fixtures of rule format: clang-format-14 is not installed")
            continue
        if {bool(want) for _, _, want in cases} != {True, False}:
            bad.append(f"{name}: needs a fixture that is caught and one that is not")
        for what, files, want in cases:
            n += 1
            with tempfile.TemporaryDirectory() as root:
                for path, text in dict(files, **{"src/.keep": ""}).items():
                    full = os.path.join(root, path)
                    os.makedirs(os.path.dirname(full), exist_ok=True)
                    with open(full, "w", newline="") as f:
                        f.write(text)
                found = lint.check(root, {name})
            if bool(found) != bool(want):
                bad.append(f"{name}: {what}: {'missed' if want else found}")
    for b in bad:
        print("FAIL", b)
    print(f"lint selftest: {n} fixtures, {len(lint.RULES)} rules, {len(bad)} failures")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
