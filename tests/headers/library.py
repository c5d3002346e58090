#!/usr/bin/env python3
"""The library as a stranger meets it: installed, found by pkg-config, compiled against, run.

    library.py exports|example BUILD_DIR SOURCE_DIR CC [SANITIZERS]

exports  the shared library exports what include/ marks VD_API, all of it and nothing else; its name
         is versioned; the archive is complete in itself and leaks no symbol without our prefix.
example  the program in vedette.h's comment, built against both kinds from a staged installation,
         finds the person enrolled from one picture on another, and nobody on an empty one.
Exit status 77: skipped, with the reason.
"""
import glob
import os
import re
import shutil
import subprocess
import sys
import tempfile


def run(command, **more):
    r = subprocess.run(command, capture_output=True, text=True, **more)
    if r.returncode:
        sys.exit(f"FAIL {' '.join(command)}: {r.returncode}\n{r.stdout}{r.stderr}")
    return r.stdout


def skip(why):
    print(f"SKIP: {why}")
    sys.exit(77)


def without_comments(text):
    return re.sub(r"/\*.*?\*/|//[^\n]*", " ", text, flags=re.S)


def declared(source):
    names = set()
    for path in glob.glob(os.path.join(source, "include", "vedette", "*.h")):
        for m in re.finditer(r"\bVD_API\b([^;{]*?)\(", without_comments(open(path).read())):
            if "define" not in m.group(1) and "__attribute__" not in m.group(1):
                names.add(m.group(1).split()[-1].lstrip("*"))
    return names


def exports(build, source, sanitizers):
    so = os.path.join(build, "libvedette.so")
    if sanitizers:
        skip("a sanitizer adds symbols of its own; the other builds check")
    rows = run(["nm", "-D", "--defined-only", so]).splitlines()
    have, want = {r.split()[-1] for r in rows}, declared(source)
    if len(want) < 20:
        sys.exit(f"FAIL only {len(want)} declarations found: the test is blind")
    bad = [f"exported without VD_API: {n}" for n in sorted(have - want)]
    missing = sorted(want - have)
    soname = re.search(r"SONAME.*\[(.*)\]", run(["readelf", "-d", so])).group(1)
    if not re.fullmatch(r"libvedette\.so\.\d+(\.\d+)?", soname):
        bad.append(f"soname {soname}")
    rows = run(["nm", "-g", "--defined-only", os.path.join(build, "libvedette.a")]).splitlines()
    bad += [f"the archive defines {r.split()[-1]}: no vd_ prefix" for r in rows
            if len(r.split()) == 3 and not r.split()[-1].startswith(("vd_", "vdi_"))]  # fmt: skip
    for b in bad:
        print("FAIL", b)
    if missing and os.path.exists(os.path.join(source, "src", "face", "engine.c")):
        print("FAIL declared but not there:", ", ".join(missing))
        bad.append("missing")
    elif missing:
        print("SKIP: the face module is not there yet; not exported:", ", ".join(missing))
    print(f"exports: {len(have)} symbols, soname {soname}, {len(bad)} failures")
    return 1 if bad else 77 if missing else 0


def example_text(source):
    text = open(os.path.join(source, "include", "vedette", "vedette.h")).read()
    block = re.search(r" \* @example (\S+)\n(.*?) \* @endexample\n", text, re.S)
    return block.group(1), "".join(re.sub(r"^ \*(?:     | ?$)", "", line) + "\n"
                                   for line in block.group(2).splitlines())  # fmt: skip


def ppm(path, width, height, paint):
    with open(path, "wb") as f:
        f.write(b"P6\n%d %d\n255\n" % (width, height))
        f.write(b"".join(bytes(paint(x, y)) for y in range(height) for x in range(width)))


def photos(source):
    """Two pictures of one person and one of somebody else, where there are any."""
    shared = os.environ.get("VEDETTE_SHARED") or os.path.join(source, "..", "shared")
    folder = os.path.join(shared, "data", "clips", "hamilton", "watchlist")
    names = {n: os.path.join(folder, n) for n in os.listdir(folder)} if os.path.isdir(folder) else {}
    obama = sorted(p for n, p in names.items() if n.startswith("obama"))
    other = sorted(p for n, p in names.items() if n.startswith(("biden", "lin-manuel")))
    return (obama[0], obama[-1], other[0]) if obama and other else None


def example(build, source, cc, sanitizers):
    if not os.path.exists(os.path.join(source, "src", "face", "CMakeLists.txt")):
        skip("the face module is not there yet: nothing to link the example with")
    weights = os.environ.get("VEDETTE_WEIGHTS") or os.path.join(source, ".cache", "models")
    for model in ("yunet", "sface", "mtcnn-onet"):
        manifest = open(os.path.join(source, "models", model + ".yaml")).read()
        name = re.search(r"^file: (\S+)", manifest, re.M).group(1)
        if not os.path.exists(os.path.join(weights, name)):
            skip(f"the weights {name} are not in {weights}: run `make test`, which installs them")
    extra = [f"-fsanitize={sanitizers}"] if sanitizers else []
    env = dict(os.environ, VEDETTE_WEIGHTS=weights, VEDETTE_MODELS=os.path.join(source, "models"))
    with tempfile.TemporaryDirectory() as tmp:
        stage = os.path.join(tmp, "stage")
        run(["cmake", "--install", build, "--component", "library", "--prefix", stage])
        pc = glob.glob(os.path.join(stage, "**", "vedette.pc"), recursive=True)[0]
        env["PKG_CONFIG_PATH"] = os.path.dirname(pc)
        libdir = os.path.dirname(os.path.dirname(pc))
        name, text = example_text(source)
        with open(os.path.join(tmp, name), "w") as f:
            f.write(text)
        strict = [cc, "-std=c17", "-Wall", "-Wextra", "-Wpedantic", "-Werror", *extra, name]
        flags = run(["pkg-config", "--cflags", "--libs", "vedette"], env=env).split()
        run(strict + flags + ["-o", "who"], cwd=tmp, env=env)
        flags = run(["pkg-config", "--cflags", "--libs", "--static", "vedette"], env=env).split()
        archive = os.path.join(libdir, "libvedette.a")
        flags = [archive if f == "-lvedette" else f for f in flags]
        run(strict + flags + ["-o", "who-static"], cwd=tmp, env=env)
        if "libvedette" in run(["readelf", "-d", os.path.join(tmp, "who-static")]):
            sys.exit("FAIL the static program needs the shared library")
        env["LD_LIBRARY_PATH"] = libdir

        def who(program, person, crowd):
            r = subprocess.run([os.path.join(tmp, program), person, crowd], env=env, cwd=tmp,
                               capture_output=True, text=True, timeout=240)  # fmt: skip
            return r.returncode, r.stdout, r.stderr

        blank = os.path.join(tmp, "blank.ppm")
        ppm(blank, 96, 64, lambda x, y: (x, y, 128))
        for program in ("who", "who-static"):
            rc, out, err = who(program, blank, blank)
            if rc != 1 or err != "who: not found\n":  # with more words it would be a missing model
                sys.exit(f"FAIL {program} on a picture of nobody: {rc} {out}{err}")
        rc, out, err = who("who", os.path.join(tmp, name), blank)
        if rc != 1 or err != "who: bad format\n":
            sys.exit(f"FAIL a picture that is none: {rc} {out}{err}")
        found = photos(source)
        if not found or not shutil.which("ffmpeg"):
            print("SKIP: no photos or no ffmpeg to read them: the example ran on drawn pictures only")
            return 0
        pictures = []
        for i, path in enumerate(found):
            pictures.append(os.path.join(tmp, f"{i}.ppm"))
            run(["ffmpeg", "-v", "error", "-i", path, "-frames:v", "1", "-pix_fmt", "rgb24", pictures[i]])
        for program in ("who", "who-static"):
            for crowd, listed in ((pictures[1], 1), (pictures[2], 0), (blank, 0)):
                rc, out, err = who(program, pictures[0], crowd)
                m = re.search(r"faces: (\d+), listed: (\d+)", out)
                if rc or err or not m or int(m.group(2)) != listed:
                    sys.exit(f"FAIL {program} {crowd}: {rc} {out}{err}")
        print(f"example: {name} built twice, {2 * 3} searches as expected")
    return 0


def main(what, build, source, cc, sanitizers=""):
    if what == "exports":
        return exports(build, source, sanitizers)
    return example(build, source, cc, sanitizers)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
