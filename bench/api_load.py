#!/usr/bin/env python3
"""The API under load beside one running camera: requests at a fixed rate over keep-alive connections, 50 event streams that are
read and 20 that are not, 40 clients that send a letter now and then. How long do requests take, do alerts come through?
    python3 bench/api_load.py [--rate 1000] [--seconds 15]     one line of JSON"""
import argparse
import datetime
import json
import pathlib
import select
import socket
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "tests" / "server"))
import world  # noqa: E402


def loader(port, cookie, rate, until, out):
    s = socket.create_connection(("127.0.0.1", port))
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    ask = f"GET /api/v1/session HTTP/1.1\r\nHost: localhost\r\nCookie: {cookie}\r\n\r\n".encode()
    took, late, bad, due = [], 0, 0, time.monotonic()
    while due < until:
        now = time.monotonic()
        if now < due:
            time.sleep(due - now)
        began, got = max(due, 0), b""  # from when it was due: waiting counts
        s.sendall(ask)
        while b"\r\n\r\n" not in got:
            got += s.recv(65536)
        head, body = got.split(b"\r\n\r\n", 1)
        n = int([x for x in head.split(b"\r\n") if x.lower().startswith(b"content-length")][0].split(b":")[1])
        while len(body) < n:
            body += s.recv(65536)
        bad += b" 200 " not in head[:20]
        took.append(time.monotonic() - began)
        due += 1 / rate
    out.append((took, bad))


def at(values, share):
    return round(sorted(values)[int(share * (len(values) - 1))] * 1000, 2) if values else None


def streams(port, cookie, n):
    out = []
    for _ in range(n):
        s = socket.create_connection(("127.0.0.1", port))
        s.sendall(f"GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\nCookie: {cookie}\r\n\r\n".encode())
        out.append(s)
    return out


def read_streams(all_, until, seen):
    """When did each stream have each alert?"""
    buf = {s: b"" for s in all_}
    while time.monotonic() < until:
        for s in select.select(all_, [], [], 0.2)[0]:
            buf[s] += s.recv(65536)
            *whole, buf[s] = buf[s].split(b"\n\n")
            for e in whole:
                if b"event: alert.raised" in e:
                    seen.append((json.loads(e.split(b"data: ", 1)[1].split(b"\r")[0].split(b"\n")[0])["at"], time.time()))


def main():
    a = argparse.ArgumentParser()
    a.add_argument("--rate", type=int, default=1000)
    a.add_argument("--seconds", type=float, default=15)
    a = a.parse_args()
    crowd, picture = world.need()
    with world.scratch() as t:
        w = world.World(t, crowd)
        w.start().set_up().town().enlist(picture).authorise(w.plan())
        cookie, brown = w.people["brown"].cookie, w.people["brown"]
        readers, deaf = streams(w.port, cookie, 50), streams(w.port, cookie, 20)
        slow = []
        for _ in range(40):
            s = socket.create_connection(("127.0.0.1", w.port))
            s.sendall(b"GET /health HTTP/1.1\r\nHost: loc")
            slow.append(s)
        w.run()
        world.wait_for("a live camera", 30, lambda: brown.get("cameras")["items"][0]["state"] == "live")
        frames, began = brown.get("system")["running"][0]["frames"], time.monotonic()
        until, out, seen = began + a.seconds, [], []
        connections = 4
        jobs = [threading.Thread(target=loader, args=(w.port, cookie, a.rate / connections, until, out)) for _ in range(connections)]
        jobs.append(threading.Thread(target=read_streams, args=(readers, until, seen)))
        for j in jobs:
            j.start()
        for j in jobs:
            j.join()
        run = brown.get("system")["running"][0]
        seconds = time.monotonic() - began
        took = [x for o, _ in out for x in o]
        alerts = brown.get("alerts")["items"]
        lag = [t1 - datetime.datetime.fromisoformat(t0.replace("Z", "+00:00")).timestamp() for t0, t1 in seen]
        print(json.dumps({"asked_per_s": a.rate, "answered_per_s": round(len(took) / a.seconds), "not_200": sum(b for _, b in out),
                          "ms": {"p50": at(took, 0.5), "p95": at(took, 0.95), "p99": at(took, 0.99), "max": at(took, 1)},
                          "camera_fps": round((run["frames"] - frames) / seconds, 1), "alerts": len(alerts),
                          "alerts_streamed": len(seen), "ms_record_to_stream": {"p50": at(lag, 0.5), "max": at(lag, 1)},
                          "event_streams": [50, 20], "slow_clients": len(slow)}))  # fmt: skip
        for s in readers + deaf + slow:
            s.close()
        w.stop()


main()
