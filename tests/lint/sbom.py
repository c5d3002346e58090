"""tools/sbom says what the programs load, what the console bundles and which weights there are, the same twice."""
import json
import pathlib
import re
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
build = sys.argv[1]
if not shutil.which("dpkg-query"):
    print("SKIP: no dpkg-query: not a Debian")
    sys.exit(77)
one, two = (subprocess.run([str(ROOT / "tools" / "sbom"), build], capture_output=True, text=True, check=True).stdout for _ in range(2))
assert one == two, "two runs differ"
o = json.loads(one)
assert (o["bomFormat"], o["specVersion"]) == ("CycloneDX", "1.6")
parts = {c["bom-ref"]: c for c in o["components"]}
assert len(parts) == len(o["components"]), "an entry twice"
assert set(o["dependencies"][0]["dependsOn"]) == set(parts)
for c in parts.values():
    assert c["name"] and c["version"] and (re.match(r"pkg:(deb|npm)/", c.get("purl", "")) or c["hashes"]), c
files = {p["value"] for c in parts.values() for p in c.get("properties", []) if p["name"] == "file"}
for wanted in ("libsodium", "libsqlite3", "libavcodec", "libmicrohttpd", "libmosquitto", "libjansson", "libcurl", "libc"):
    assert any(f.startswith(wanted + ".so") for f in files), f"{wanted} is loaded and not listed"
models = {re.search(r"^name: (.+)$", f.read_text(), re.M).group(1) for f in (ROOT / "models").glob("*.yaml")}
assert {f"model/{m}" for m in models} <= set(parts), "weights without an entry"
assert "npm/preact" in parts and "npm/typescript" not in parts, "the console's parts, without what compiles them"
assert str(ROOT) not in one, "a path of this machine"
print(f"{len(parts)} components")
