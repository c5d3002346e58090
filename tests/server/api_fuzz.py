#!/usr/bin/env python3
"""Schemathesis against the real daemon: whatever it sends, answers are as openapi.json says and never a 5XX.
Once as an administrator, once as people who work with lists, alerts and the record. Bounded: under a minute."""
import concurrent.futures
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import world  # noqa: E402
from world import harness  # noqa: E402

TOOL = pathlib.Path(sys.executable).parent / "schemathesis"
if not TOOL.exists():
    harness.skip(f"no schemathesis beside {sys.executable}: run tools/setup --test, then .cache/venv/bin/python")
if harness.SANITIZED:
    harness.skip("instrumented, the bounded number of examples takes minutes; the plain build runs it")
EXAMPLES = int(os.environ.get("VEDETTE_EXAMPLES", "6"))
# What would end the run's own session, and a stream that does not end (test_server.py speaks to both).
LEFT_OUT = "logOut|events|setUp$"
WORKER = "operator,watchlist-manager"


def document(port, folder):
    """As served, but that one is logged in: the tool would leave out a cookie that a header brings again."""
    d = world.Client(port).get("openapi.json")
    for item in d["paths"].values():
        for op in item.values():
            op["security"] = []
    del d["components"]["securitySchemes"]
    path = pathlib.Path(folder) / "openapi.json"
    path.write_text(json.dumps(d))
    return path


def run(port, who, phases, doc):
    c = world.Client(port).login(who)
    args = [str(TOOL), "run", str(doc), "--url", f"http://127.0.0.1:{port}", "-H", f"Cookie: {c.cookie}", "-H", f"X-CSRF-Token: {c.csrf}",
            "--exclude-operation-id-regex", LEFT_OUT, "--checks", "all", "--exclude-checks", "ignored_auth,positive_data_acceptance",
            "--phases", phases, "--max-examples", str(EXAMPLES), "--seed", "42", "--generation-database", "none",
            # One worker: Python 3.11 cannot parse in two threads at once (its AST recursion check).
            "--no-color", "--request-timeout", "20", "--workers", "1", "--max-failures", "40", "--continue-on-failure"]  # fmt: skip
    began = time.monotonic()
    r = subprocess.run(args, capture_output=True, text=True, env={**os.environ, "SCHEMATHESIS_HOOKS": ""})
    took = time.monotonic() - began
    done = re.search(r"([\d,]+) generated", r.stdout)
    print(f"{who}: {done.group(1) if done else '?'} cases in {took:.0f} s", flush=True)
    if r.returncode:
        print(r.stdout[-12000:], r.stderr[-3000:])
    return r.returncode


with tempfile.TemporaryDirectory(prefix="vd-fuzz-", ignore_cleanup_errors=True) as t:
    config = pathlib.Path(t) / "vedette.yaml"
    config.write_text('listen:\n  port: 0\ncameras:\n  - {id: north, url: "rtsp://127.0.0.1:1/x"}\n')
    with open(pathlib.Path(t) / "log", "w") as log:
        p = subprocess.Popen([str(harness.VEDETTE), "serve", "--json", "-c", str(config), "--state", t + "/state"],
                             stdout=subprocess.PIPE, stderr=log, text=True)  # fmt: skip
        hello = json.loads(p.stdout.readline())
        admin = world.Client(hello["port"])
        admin.post("setup", {"token": hello["setup_token"], "name": "alice", "password": world.PASSWORD})
        admin.login("alice")
        status, o = admin.call("PUT", "users/mary", {"roles": WORKER, "password": world.PASSWORD, "training_until": world.when(86400 * 300)})
        assert status == 200, o
        doc = document(hello["port"], t)
        with concurrent.futures.ThreadPoolExecutor() as pool:  # two processes, two cores
            jobs = [pool.submit(run, hello["port"], *x, doc) for x in (("alice", "examples,coverage"), ("mary", "fuzzing"))]
            bad = max(abs(j.result()) for j in jobs)
        alive = world.Client(hello["port"]).get("public")
        p.terminate()
        rc = p.wait(30)
    if rc or "Sanitizer" in (pathlib.Path(t) / "log").read_text():
        print((pathlib.Path(t) / "log").read_text()[-3000:])
        bad = 1
sys.exit(1 if bad or not alive else 0)
