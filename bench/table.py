#!/usr/bin/env python3
"""Everything that is measured against peers, in one table: networks (bench/peers.py) and search (bench/search.py),
on one thread and on two. `vedette bench --peers` runs this.

    python3 bench/table.py --setup              # its own virtual environment first (tools/setup --bench)
    python3 bench/table.py --quick              # two networks, small lists, few rounds

Prints the table and stores it as build/bench/table.md, with all figures in build/bench/table.json. Ratios are to the best
peer of the same type in the same run: below 1 is faster. On a machine that does something else besides they are still
ratios, but of minima: more rounds help.
"""
import argparse
import json
import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
OUT = ROOT / "build" / "bench"
VENV = ROOT / ".cache" / "venv-bench" / "bin" / "python"


def run(*command):
    print("+ " + " ".join(str(c) for c in command), file=sys.stderr, flush=True)
    return subprocess.run([str(c) for c in command], cwd=ROOT, stdout=sys.stderr, check=False).returncode


def peak():
    """GMAC/s that one core can make in fp32, measured."""
    program = ROOT / "build" / "vedette"
    r = subprocess.run([str(program), "bench", "--json", "--runs", "1", "sface"], capture_output=True, text=True, cwd=ROOT)
    m = re.search(r'"peak_gmac_per_s": ?([0-9.]+)', r.stdout)
    return float(m.group(1)) if m else None


def networks(a, threads, top, lines, res):
    made = OUT / f"table_networks_{threads}.json"
    made.unlink(missing_ok=True)
    more = ["--int8", "--calibrate", a.calibrate] if a.calibrate else []
    run(VENV, "bench/peers.py", "--models", a.models, "--threads", threads, "--rounds", a.rounds, "--json", made, *more)
    if not made.exists():
        return
    res[f"networks_{threads}"] = got = json.loads(made.read_text())
    for model, rows in got["models"].items():
        for e, r in sorted(rows.items(), key=lambda kv: kv[1]["min_ms"]):
            share = f"{100 * r['gmac_per_s'] / top / threads:.0f} %" if top and e == "ours" else ""
            ratio = f"**{r['ratio_to_best_peer_min']:.3f}** of {r['best_peer']}" if "best_peer" in r else ""
            note = f"two streams: x{r['streams_scaling']:.2f}" if "streams_scaling" in r else ""
            lines.append(f"| {model} | {threads} | {e} | {r['min_ms']:.3f} | {r['median_ms']:.3f} | {share} | {ratio} | {note} |")


def search(a, threads, lines, res):
    made = OUT / f"table_search_{threads}.json"
    made.unlink(missing_ok=True)
    run(VENV, "bench/search.py", "--rows", a.rows, "--threads", threads, "--rounds", a.rounds, "--json", made)
    if not made.exists():
        return
    res[f"search_{threads}"] = got = json.loads(made.read_text())
    for size in got["sizes"]:
        what = f"search {size['rows']:.0e}, {size['probes']} at once"
        for e, r in sorted(size["engines"].items(), key=lambda kv: kv[1]["min_ms"]):
            ratio = f"**{r['ratio_to_best_peer_min']:.3f}** of {r['best_peer']}" if "best_peer" in r else ""
            note = f"right in {100 * r['recall']:.1f} %" + ("; ours on one thread" if e == "ours" and threads > 1 else "")
            lines.append(f"| {what} | {threads} | {e} | {r['min_ms']:.4f} | {r['median_ms']:.4f} | | {ratio} | {note} |")


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--setup", action="store_true", help="install the peers first, pinned by bench/requirements.txt")
    ap.add_argument("--quick", action="store_true")
    ap.add_argument("--models", default="sface,yunet,mobilefacenet,centerface,ultraface")
    ap.add_argument("--rows", default="1e4,1e5,1e6")
    ap.add_argument("--threads", default="1,2")
    ap.add_argument("--rounds", type=int, default=6)
    ap.add_argument("--calibrate", help="as bench/peers.py: adds int8 of all")
    a = ap.parse_args()
    if a.quick:
        a.models, a.rows, a.rounds = "sface,yunet", "1e4,1e5", 3
    if a.setup and run("tools/setup", "--bench"):
        return 1
    missing = [p for p in (VENV, ROOT / "build" / "engine_server", ROOT / "build" / "gallery_server") if not p.exists()]
    if missing:
        print(f"table: {missing[0].relative_to(ROOT)} is missing: tools/setup --bench and a build make it (make bench-setup build)",
              file=sys.stderr)
        return 1
    OUT.mkdir(parents=True, exist_ok=True)
    cpu = next((line.split(":", 1)[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")), "?")
    top = peak()
    res = {"cpu": cpu, "peak_gmac_per_s": top, "load_before": os.getloadavg()}
    lines = ["| what | threads | engine | min ms | median ms | of peak (fp32) | ratio to the best peer | |", "| --- | --- | --- | --- | --- | --- | --- | --- |"]
    for threads in [int(t) for t in a.threads.split(",")]:
        if threads > (os.cpu_count() or 1):
            print(f"table: left out: {threads} threads on {os.cpu_count()} core", file=sys.stderr)
            continue
        if a.models:
            networks(a, threads, top, lines, res)
        if a.rows:
            search(a, threads, lines, res)
    res["load_after"] = os.getloadavg()
    head = f"{cpu}; peak of one core {top or 0:.1f} GMAC/s (fp32, measured); load {res['load_before'][0]:.1f} before, {res['load_after'][0]:.1f} after"
    text = "\n".join([head, "", *lines]) + "\n"
    (OUT / "table.md").write_text(text)
    (OUT / "table.json").write_text(json.dumps(res, indent=1) + "\n")
    print(text, end="")
    print(f"stored: {(OUT / 'table.md').relative_to(ROOT)} and table.json", file=sys.stderr)
    return 0 if len(lines) > 2 else 1


if __name__ == "__main__":
    sys.exit(main())
