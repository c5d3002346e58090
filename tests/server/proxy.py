#!/usr/bin/env python3
"""packaging/nginx.conf with Debian's nginx before the real daemon on a Unix socket: TLS 1.3 alone, HTTP/2, rate limits, events
as they happen, cookies of a browser that came over https."""
import http.client
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import world  # noqa: E402
from world import harness  # noqa: E402

NGINX = shutil.which("nginx") or shutil.which("/usr/sbin/nginx")
if not NGINX:
    harness.skip("no nginx: run tools/setup --test")
if not shutil.which("openssl"):
    harness.skip("no openssl command")


def port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def check(good, what):
    print(("ok    " if good else "FAIL  ") + what, flush=True)
    if not good:
        raise SystemExit(1)


def connect(at, ca, alpn, least=None, most=None):
    c = ssl.create_default_context(cafile=ca)
    c.set_alpn_protocols([alpn])
    if most:
        c.maximum_version = most
    s = socket.create_connection(("127.0.0.1", at), timeout=10)
    return c.wrap_socket(s, server_hostname="vedette.example.org")


def ask(at, ca, path, method="GET", body=None, headers=None):
    s = connect(at, ca, "http/1.1")
    c = http.client.HTTPConnection("vedette.example.org")
    c.sock = s
    c.request(method, path, body, {"Host": "vedette.example.org", **(headers or {})})
    r = c.getresponse()
    data = r.read()
    c.close()
    return r.status, data, r.headers


with tempfile.TemporaryDirectory(prefix="vd-proxy-", ignore_cleanup_errors=True) as t:
    os.chmod(t, 0o755)
    f = pathlib.Path(t)
    (f / "vedette.yaml").write_text(f"listen:\n  unix: {t}/http.sock\nhosts: [vedette.example.org]\nsecond_factor: optional\n")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj",
                    "/CN=vedette.example.org", "-addext", "subjectAltName=DNS:vedette.example.org", "-keyout", f / "privkey.pem",
                    "-out", f / "fullchain.pem"], check=True, stderr=subprocess.DEVNULL)  # fmt: skip
    tls, plain = port(), port()
    site = (harness.ROOT / "packaging" / "nginx.conf").read_text()
    site = site.replace("/run/vedette/http.sock", f"{t}/http.sock").replace("/etc/vedette/tls", t)
    site = site.replace("listen 443", f"listen 127.0.0.1:{tls}").replace("listen 80", f"listen 127.0.0.1:{plain}")
    site = re.sub(r".*listen \[::\].*\n", "", site)
    (f / "site.conf").write_text(site)
    (f / "nginx.conf").write_text(f"daemon off; pid {t}/nginx.pid; error_log {t}/error.log; {'user root;' if os.getuid() == 0 else ''}\n"
                                  f"events {{}}\nhttp {{ access_log off; client_body_temp_path {t}; proxy_temp_path {t}; fastcgi_temp_path {t};"
                                  f" uwsgi_temp_path {t}; scgi_temp_path {t}; include {t}/site.conf; }}\n")  # fmt: skip
    log = open(f / "log", "w")
    daemon = subprocess.Popen([str(harness.VEDETTE), "serve", "--json", "-c", f / "vedette.yaml", "--state", f / "state"],
                              stdout=subprocess.PIPE, stderr=log, text=True)  # fmt: skip
    hello = json.loads(daemon.stdout.readline())
    nginx = subprocess.Popen([NGINX, "-c", f / "nginx.conf"], stderr=log)
    try:
        ca = str(f / "fullchain.pem")
        world.wait_for("nginx", 10, lambda: socket.socket().connect_ex(("127.0.0.1", tls)) == 0)
        s = connect(tls, ca, "h2")
        check((s.version(), s.selected_alpn_protocol()) == ("TLSv1.3", "h2"), "TLS 1.3 and HTTP/2")
        s.close()
        try:
            connect(tls, ca, "http/1.1", most=ssl.TLSVersion.TLSv1_2).close()
            check(False, "TLS 1.2 is refused")
        except (ssl.SSLError, OSError):
            check(True, "TLS 1.2 is refused")
        status, _, h = ask(tls, ca, "/health")
        check(status == 200 and "max-age" in h["Strict-Transport-Security"] and "nginx/" not in h["Server"], "it passes on, with HSTS")
        c = http.client.HTTPConnection("127.0.0.1", plain)
        c.request("GET", "/x?y", headers={"Host": "vedette.example.org"})
        r = c.getresponse()
        check((r.status, r.getheader("Location")) == (308, "https://vedette.example.org/x?y"), "plain HTTP leads to https")
        c.close()
        js = {"Content-Type": "application/json"}
        me = {"token": hello["setup_token"], "name": "alice", "password": world.PASSWORD}
        check(ask(tls, ca, "/api/v1/setup", "POST", json.dumps(me), js)[0] == 201, "set up through it")
        status, body, h = ask(tls, ca, "/api/v1/session", "POST", json.dumps({"name": "alice", "password": world.PASSWORD}), {**js, "Origin": "https://vedette.example.org"})
        cookie = h["Set-Cookie"].split(";")[0]
        check(status == 201 and "Secure" in h["Set-Cookie"], "logged in from its own origin")
        s = connect(tls, ca, "http/1.1")
        s.sendall(f"GET /api/v1/events HTTP/1.1\r\nHost: vedette.example.org\r\nCookie: {cookie}\r\n\r\n".encode())
        got = b""
        while b"retry:" not in got:
            got += s.recv(4096)
        began = time.monotonic()
        daemon.send_signal(signal.SIGHUP)
        while b"config.changed" not in got and time.monotonic() - began < 20:
            got += s.recv(4096)
        check(b"config.changed" in got and time.monotonic() - began < 20, f"an event comes through after {(time.monotonic() - began) * 1000:.0f} ms")
        s.close()
        codes = [ask(tls, ca, "/api/v1/session", "POST", json.dumps({"name": f"m{i}", "password": "wrong password"}), js)[0] for i in range(30)]
        check(codes.count(401) >= 8 and codes.count(429) >= 5, f"log-ins are slowed down: {codes.count(401)} tried, {codes.count(429)} turned away")
        check(ask(tls, ca, "/health")[0] == 200, "others are not")
        check(ask(tls, ca, "/api/v1/session", "POST", b"x" * (17 << 20), js)[0] == 413, "17 MiB are refused at the door")
    finally:
        nginx.terminate()
        nginx.wait()
        daemon.terminate()
        rc = daemon.wait(20)
        log.close()
    if rc:
        print((f / "log").read_text()[-2000:])
    sys.exit(rc)
