#!/usr/bin/env python3
"""House rules that a compiler does not check. Python 3 and its standard library only.

    lint.py [ROOT]          check the tree; one line a finding: FILE:LINE: RULE: what is wrong
    lint.py --rules         list the rules

Each rule has a fixture in selftest.py that it must catch, and one that it must leave alone.
Exit status: 0 clean, 1 findings, 2 could not run.
"""
import os
import re
import shutil
import subprocess
import sys

# Who may include whom: a folder includes itself and lower levels, never sideways, never up.
LEVEL = {
    "base": 0,
    "kern": 1,
    "nn": 2, "vision": 2, "gallery": 2, "track": 2, "law": 2,
    "face": 3, "media": 3, "store": 3,
    "watch": 4, "fleet": 4, "pet": 4,
    "desk": 5, "eval": 5,
    "server": 6,
    "cli": 7,
}  # fmt: skip
LINES_MAX = 1000
BYTES_MAX = 256 * 1024
C_EXT, TEXT_EXT = (".c", ".h"), (".c", ".h", ".py", ".cmake", ".sh", ".yaml", ".json", ".md", ".txt")
DATA_EXT = (".onnx", ".param", ".bin", ".npy", ".npz", ".pt", ".pth", ".tflite", ".jpg", ".jpeg",
            ".mp4", ".mkv", ".avi", ".gif", ".zip", ".whl", ".tgz", ".gz")  # fmt: skip
# What to use instead is part of the message. Everywhere in C; MORE only where the product lives.
BANNED = {
    "strcpy": "snprintf or memcpy with a checked size", "strcat": "snprintf",
    "strncpy": "snprintf (it may not terminate)", "strncat": "snprintf",
    "sprintf": "snprintf", "vsprintf": "vsnprintf", "gets": "fgets",
    "alloca": "a bounded buffer", "tmpnam": "mkostemp", "mktemp": "mkostemp",
}  # fmt: skip
BANNED_MORE = {
    "strtok": "strcspn, strspn or strtok_r", "atoi": "strtol with its end checked",
    "atol": "strtol with its end checked", "atoll": "strtoll with its end checked",
    "atof": "strtof with its end checked", "system": "posix_spawn without a shell",
    "popen": "posix_spawn without a shell", "rand": "a seeded generator of ours",
    "srand": "a seeded generator of ours", "localtime": "gmtime_r", "gmtime": "gmtime_r",
    "asctime": "vd_time_format", "ctime": "vd_time_format", "setjmp": "a status",
    "longjmp": "a status",
}  # fmt: skip
DEBT = "TO" + "DO"
FAST = ("-march=" + "native", "-mtune=" + "native", "-ffast" + "-math", "-Ofa" + "st",
        "-funsafe-math" + "-optimizations")  # fmt: skip


def strip_c(text):
    """Comments, strings and character constants become blanks; lines stay where they are."""
    token = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)
    return token.sub(lambda m: re.sub(r"[^\n]", " ", m.group()), text)


def line_of(text, at):
    return text.count("\n", 0, at) + 1


def module_of(path):
    parts = path.split("/")
    return parts[1] if parts[0] == "src" and len(parts) > 2 else None


class Tree:
    def __init__(self, root):
        self.root = root
        self.paths = sorted(self._list())
        self._text = {}

    def _list(self):
        try:
            out = subprocess.run(["git", "-C", self.root, "ls-files", "-z", "--cached", "--others",
                                  "--exclude-standard"], capture_output=True, check=True).stdout  # fmt: skip
            names = out.decode().split("\0")
        except (OSError, subprocess.CalledProcessError):  # an unpacked archive
            names = []
            for here, dirs, files in os.walk(self.root):
                dirs[:] = [d for d in dirs if not d.startswith((".git", ".cache", "build", "__"))]
                names += [os.path.relpath(os.path.join(here, f), self.root) for f in files]
        return {n for n in names if n and os.path.isfile(os.path.join(self.root, n))}

    def text(self, path):
        if path not in self._text:
            with open(os.path.join(self.root, path), "rb") as f:
                self._text[path] = f.read(4 * BYTES_MAX).decode("utf-8", "replace")
        return self._text[path]

    def c_files(self, *tops):
        return [p for p in self.paths if p.endswith(C_EXT) and p.split("/")[0] in tops]

    def text_files(self):
        names = ("CMakeLists.txt", "Makefile", ".ci/run", "tools/setup", "tools/demo")
        return [p for p in self.paths if p.endswith(TEXT_EXT) or p in names]

    def build_files(self):
        return [p for p in self.paths
                if p.endswith((".cmake", ".sh", "CMakeLists.txt", "Makefile", "CMakePresets.json"))
                or p.startswith((".ci/", "tools/"))]  # fmt: skip


def rule_layers(t):
    """a folder of src/ includes itself and lower levels only; include/ includes only itself"""
    for p in t.c_files("src", "include"):
        text, here = t.text(p), module_of(p)
        if here and here not in LEVEL:
            yield p, 1, f"src/{here} has no level: add it to the table in tests/lint/lint.py"
            continue
        for m in re.finditer(r'^[ \t]*#[ \t]*include[ \t]*"([^"]+)"', text, re.M):
            name, at = m.group(1), line_of(text, m.start())
            beside = os.path.normpath(os.path.join(os.path.dirname(p), name))
            if ".." in name.split("/"):
                yield p, at, f'"{name}": no ".." in includes'
            elif p.startswith("include/"):
                if not name.startswith("vedette/"):
                    yield p, at, f'"{name}": a public header includes public headers only'
            elif name.startswith("vedette/"):
                if "include/" + name not in t.paths:
                    yield p, at, f'"{name}" does not exist'
            elif "src/" + name in t.paths:
                there = name.split("/")[0]
                if there != here and here and LEVEL.get(there, 99) >= LEVEL[here]:
                    yield p, at, (f'"{name}": {here} (level {LEVEL[here]}) may not include {there} '
                                  f"(level {LEVEL.get(there)}): lower levels only")  # fmt: skip
            elif beside not in t.paths:
                yield p, at, f'"{name}" is neither beside the file nor in src/'


def rule_libav(t):
    """libav and libsw headers only in src/media"""
    for p in t.c_files("src", "include", "bench"):
        if module_of(p) == "media":
            continue
        for m in re.finditer(r'^[ \t]*#[ \t]*include[ \t]*[<"](lib(?:av|sw)\w*/[^>"]+)', t.text(p), re.M):
            yield p, line_of(t.text(p), m.start()), f"{m.group(1)}: only src/media includes libav"


def rule_traits(t):
    """nothing infers or stores what somebody feels, is or believes (R58): no such name in what runs live"""
    word = re.compile(r"\b\w*(emotion|ethnic|gender|religio|sexual|nationality|disabilit|attractive|personality)\w*\b", re.I)
    column = re.compile(r"^[ \t\"]*\w*(emotion|ethnic|gender|religio|sexual|race|nationality|disabilit)\w*\s+(TEXT|INTEGER|REAL|BLOB)", re.I | re.M)
    for p in t.c_files("src", "include"):
        if module_of(p) == "eval":  # labels that volunteers gave with the pictures
            continue
        for m in word.finditer(strip_c(t.text(p))):
            yield p, line_of(t.text(p), m.start()), f"{m.group()}: traits are not inferred, and have no name here"
        for m in column.finditer(t.text(p)):
            yield p, line_of(t.text(p), m.start()), "a column for a trait"


def rule_sql(t):
    """SQL and SQLite only in src/store: everything else calls its functions"""
    text = re.compile(r'"\s*(SELECT\s.+\sFROM\s|SELECT\s+[a-z_]+\(|INSERT\s+INTO\s|UPDATE\s+\w+\s+SET\s|DELETE\s+FROM\s|'
                      r'(CREATE|DROP|ALTER)\s+(UNIQUE\s+)?(TABLE|INDEX|TRIGGER|VIEW)\s|PRAGMA\s+\w|BEGIN\s+IMMEDIATE|VACUUM\b)')
    for p in t.c_files("src", "include", "bench"):
        if module_of(p) == "store":
            continue
        for m in re.finditer(r"^[ \t]*#[ \t]*include[ \t]*[<\"]sqlite3(?:ext)?\.h", t.text(p), re.M):
            yield p, line_of(t.text(p), m.start()), "sqlite3.h: only src/store includes SQLite"
        for m in text.finditer(t.text(p)):
            yield p, line_of(t.text(p), m.start()), "SQL text: only src/store speaks SQL"


def rule_banned(t):
    """functions that overrun, run a shell, parse without errors or keep hidden state"""
    for p in t.c_files("src", "include", "bench", "tests"):
        names = dict(BANNED, **({} if p.startswith("tests/") else BANNED_MORE))
        code = strip_c(t.text(p))
        for m in re.finditer(r"(?<![\w.>])(%s)\s*\(" % "|".join(names), code):
            yield p, line_of(code, m.start()), f"{m.group(1)}(): use {names[m.group(1)]}"


def rule_length(t):
    """a file has at most 1000 lines"""
    for p in t.text_files():
        n = t.text(p).count("\n")
        if n > LINES_MAX:
            yield p, n, f"{n} lines; split it (at most {LINES_MAX})"


def rule_names(t):
    """file names are unique across src/"""
    seen = {}
    for p in t.c_files("src"):
        name = os.path.basename(p)
        if name in seen:
            yield p, 1, f"the name is taken by {seen[name]}"
        seen.setdefault(name, p)


def rule_space(t):
    """no tabs, no blanks at line ends, no CR, a newline at the end"""
    for p in t.text_files():
        text = t.text(p)
        for n, line in enumerate(text.split("\n"), 1):
            if "\t" in line and os.path.basename(p) != "Makefile":
                yield p, n, "tab"
            if line != line.rstrip() and not (p.endswith(".md") and line.endswith("  ")):
                yield p, n, "blank or CR at the end of the line"
        if text and not text.endswith("\n"):
            yield p, text.count("\n") + 1, "no newline at the end of the file"


def rule_debts(t):
    """a debt names its issue"""
    for p in t.text_files():
        for m in re.finditer(r"\b(%s|FIXME|XXX)\b(?!\(issue-\d+\))" % DEBT, t.text(p)):
            if p.startswith("docs/") or (m.group(1) != DEBT and not p.endswith(C_EXT)):
                continue
            yield p, line_of(t.text(p), m.start()), f"write {DEBT}(issue-n): a debt needs an owner"


def rule_flags(t):
    """no flag that ties a build to its machine or loosens arithmetic"""
    for p in t.build_files():
        for flag in FAST:
            if flag in t.text(p) and not p.startswith("tests/lint/"):
                yield p, line_of(t.text(p), t.text(p).index(flag)), f"{flag}: see cmake/flags.cmake"
    for p in t.c_files("src", "include", "bench", "tests"):
        for m in re.finditer(r"#\s*pragma\s+GCC\s+(optimize|target)|__attribute__\s*\(\(\s*(optimize|target)\b",
                             t.text(p)):  # fmt: skip
            yield p, line_of(t.text(p), m.start()), "flags belong to vd_isa_kernels(), not into code"


def rule_globs(t):
    """sources are listed by hand"""
    for p in t.build_files():
        if p.endswith((".cmake", "CMakeLists.txt")):
            for m in re.finditer(r"^\s*file\s*\(\s*GLOB", t.text(p), re.M | re.I):
                yield p, line_of(t.text(p), m.start()), "list the files by hand"


def rule_orphans(t):
    """every C file of src/ is built: named in its folder's CMakeLists.txt"""
    for p in t.c_files("src"):
        top = "/".join(p.split("/")[:2]) + "/CMakeLists.txt"
        if p.endswith(".c") and top in t.paths:
            if not re.search(r"(?<![\w-])%s(?![\w-])" % re.escape(os.path.basename(p)), t.text(top)):
                yield p, 1, f"is not named in {top}"


def rule_data(t):
    """no weights, photos, videos or packages in git"""
    for p in t.paths:
        size = os.path.getsize(os.path.join(t.root, p))
        if p.lower().endswith(DATA_EXT):
            yield p, 1, "data and weights come from pinned packages, not from git"
        elif size > BYTES_MAX:
            yield p, 1, f"{size} bytes (at most {BYTES_MAX})"


def rule_paths(t):
    """no absolute path of somebody's machine"""
    for p in t.paths:
        for m in re.finditer(r"(?<![\w./}*-])/(work|home|root|mnt|Users)/\w", t.text(p)):
            yield p, line_of(t.text(p), m.start()), "path of one machine"


def rule_format(t):
    """clang-format 14 with .clang-format"""
    tool = shutil.which("clang-format-14")
    files = t.c_files("src", "include", "bench", "tests")
    if not tool or not files:
        if not tool:
            print("SKIP rule format: clang-format-14 is not installed", file=sys.stderr)
        return
    out = subprocess.run([tool, "--dry-run", "--style=file"] + files, cwd=t.root,
                         capture_output=True, text=True).stderr  # fmt: skip
    told = set()
    for m in re.finditer(r"^(\S+?):(\d+):\d+: (?:warning|error): code should be clang-formatted", out, re.M):
        if m.group(1) not in told:
            told.add(m.group(1))
            yield m.group(1), int(m.group(2)), "run clang-format-14 -i"


RULES = {n[5:]: f for n, f in sorted(globals().items()) if n.startswith("rule_")}


def check(root, only=None):
    tree = Tree(root)
    return [(path, line, name, what) for name, rule in RULES.items() if not only or name in only
            for path, line, what in rule(tree)]  # fmt: skip


def main(args):
    if args[:1] == ["--rules"]:
        for name, rule in RULES.items():
            print(f"{name:8} {rule.__doc__}")
        return 0
    root = args[0] if args else os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
    if not os.path.isdir(os.path.join(root, "src")):
        print(f"lint: {root} has no src/", file=sys.stderr)
        return 2
    found = check(root)
    for path, line, name, what in found:
        print(f"{path}:{line}: {name}: {what}")
    print(f"lint: {len(found)} findings, {len(RULES)} rules")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
