#!/usr/bin/env python3
"""Our exact search beside faiss, usearch and numpy: the same rows, the same probes, one run.

Bursts are interleaved round by round and pinned to one core (or two); each figure is the minimum and the
median over all bursts. Rows are random directions, half of the probes have a mate (cosine about 0.64).
Peers that quantise may name the wrong row: recall is given beside their times. Ours is exact.

    python bench/search.py --json build/bench/search.json
    python bench/search.py --rows 1e4,1e5 --probes 1,32 --rounds 20

Needs bench/requirements.txt (make bench-setup) and a finished build.
"""
import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

CLOCK = time.perf_counter  # --cpu-time: time.process_time
ROOT = Path(__file__).resolve().parent.parent
DIM = 512
STEP = 127 / 0.2  # peers' bytes: random directions of 512 stay within 0.2


class Ours:
    def __init__(self, rows, probes, threads, folder, isa):
        rows.tofile(folder / "rows.f32")
        probes.tofile(folder / "probes.f32")
        self.p = subprocess.Popen([str(ROOT / "build" / "gallery_server"), str(folder / "rows.f32"), str(folder / "probes.f32"),
                                   str(rows.shape[1]), isa], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)  # fmt: skip
        hello = self.p.stdout.readline().split()
        if not hello:
            raise RuntimeError("gallery_server did not start")
        self.isa, self.folder, self.n = hello[1], folder, len(probes)
        (folder / "rows.f32").unlink()

    def say(self, line):
        self.p.stdin.write(line + "\n")
        self.p.stdin.flush()
        return self.p.stdout.readline().split()

    def burst(self, b, k, seconds):
        one = int(self.say(f"{b} {k} 1")[0]) * 1e-9
        return [int(v) * 1e-9 for v in self.say(f"{b} {k} {max(1, min(2000, int(seconds / one)))}")]

    def best(self):
        import numpy as np
        self.say(f"best {self.folder / 'best'}")
        return np.fromfile(self.folder / "best", np.uint32)

    def close(self):
        self.p.stdin.close()
        self.p.wait()


class Peer:
    def burst(self, b, k, seconds):
        times, end = [], time.perf_counter() + seconds
        self.search(self.asked[:b], k)
        while True:
            a = CLOCK()
            self.search(self.asked[:b], k)
            t = CLOCK()
            times.append(t - a)
            if time.perf_counter() > end:
                return times

    def best(self):
        return self.search(self.asked, 1)

    def close(self):
        pass


class Faiss(Peer):
    kind = None

    def __init__(self, rows, probes, threads, folder, isa):
        import faiss
        import numpy as np
        faiss.omp_set_num_threads(threads)
        d = rows.shape[1]
        direct = self.kind == "QT_8bit_direct_signed"
        if self.kind:
            self.index = faiss.IndexScalarQuantizer(d, getattr(faiss.ScalarQuantizer, self.kind), faiss.METRIC_INNER_PRODUCT)
            self.index.train(rows[:50000])
        else:
            self.index = faiss.IndexFlatIP(d)
        self.asked = np.clip(np.round(probes * STEP), -128, 127) if direct else probes
        for i in range(0, len(rows), 100000):
            r = rows[i:i + 100000]
            self.index.add(np.clip(np.round(r * STEP), -128, 127).astype("f") if direct else r)

    def search(self, q, k):
        return self.index.search(q, k)[1][:, 0]


class FaissFp16(Faiss):
    kind = "QT_fp16"


class Faiss8(Faiss):
    kind = "QT_8bit"


class Faiss8Direct(Faiss):
    kind = "QT_8bit_direct_signed"


class Usearch(Peer):
    bits = "i8"

    def __init__(self, rows, probes, threads, folder, isa):
        import numpy as np
        import usearch.index
        self.call, self.threads = usearch.index.search, threads
        if self.bits == "i8":
            self.rows = np.empty(rows.shape, np.int8)
            for i in range(0, len(rows), 100000):
                self.rows[i:i + 100000] = np.clip(np.round(rows[i:i + 100000] * STEP), -127, 127)
            self.asked = np.clip(np.round(probes * STEP), -127, 127).astype(np.int8)
        else:
            self.rows, self.asked = rows.astype(np.float16), probes.astype(np.float16)

    def search(self, q, k):
        import numpy as np
        m = self.call(self.rows, q, k, "ip", exact=True, threads=self.threads)
        return np.asarray(m.keys).reshape(len(q), -1)[:, 0]


class UsearchF16(Usearch):
    bits = "f16"


class Numpy(Peer):
    def __init__(self, rows, probes, threads, folder, isa):
        self.rows, self.asked = rows, probes

    def search(self, q, k):
        return (q @ self.rows.T).argmax(1)


ENGINES = {"ours": Ours, "faiss-sq8direct": Faiss8Direct, "faiss-sq8": Faiss8, "faiss-fp16": FaissFp16, "faiss-flat": Faiss,
           "usearch-i8": Usearch, "usearch-f16": UsearchF16, "numpy": Numpy}


def made(n, probes):
    import numpy as np
    rng = np.random.default_rng(n)
    rows = rng.standard_normal((n, DIM), dtype=np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    q = rng.standard_normal((probes, DIM), dtype=np.float32)
    q /= np.linalg.norm(q, axis=1, keepdims=True)
    mates = rng.integers(0, n, probes)
    q[::2] = q[::2] * 1.2 + rows[mates[::2]]
    q /= np.linalg.norm(q, axis=1, keepdims=True)
    return rows, q


def one_size(n, names, a, res):
    import numpy as np
    rows, probes = made(n, 64)
    truth = np.concatenate([(probes[i:i + 8] @ rows.T).argmax(1) for i in range(0, len(probes), 8)])
    at = {}
    with tempfile.TemporaryDirectory(dir=a.folder) as folder:
        for e in names:
            try:
                at[e] = ENGINES[e](rows, probes, a.threads, Path(folder), a.isa)
            except Exception as ex:  # a peer that cannot be had is named, not hidden
                print(f"  {e} left out: {str(ex)[:160]}", file=sys.stderr)
        recall = {e: float((np.asarray(x.best()) == truth).mean()) for e, x in at.items()}
        for b in a.probes:
            times = {e: [] for e in at}
            for _ in range(a.rounds):
                for e, x in at.items():
                    times[e] += x.burst(b, a.best, a.burst)
            table = {e: {"min_ms": min(t) * 1e3 / b, "median_ms": float(np.median(t)) * 1e3 / b, "runs": len(t),
                         "recall": recall[e]} for e, t in times.items()}  # fmt: skip
            peers = {e: r for e, r in table.items() if e != "ours"}
            if peers and "ours" in table:
                best = min(peers, key=lambda e: peers[e]["min_ms"])
                us = table["ours"]
                us["best_peer"] = best
                us["ratio_to_best_peer_min"] = us["min_ms"] / peers[best]["min_ms"]
                us["ratio_to_best_peer_median"] = us["median_ms"] / min(p["median_ms"] for p in peers.values())
                us["gb_per_s"] = n * DIM / us["min_ms"] / b * 1e-6
                us["isa"] = at["ours"].isa
            res.append({"rows": n, "probes": b, "k": a.best, "engines": table})
            for e, r in sorted(table.items(), key=lambda kv: kv[1]["min_ms"]):
                extra = f"  ratio to {r['best_peer']} {r['ratio_to_best_peer_min']:.3f} (medians " \
                        f"{r['ratio_to_best_peer_median']:.3f})" if "best_peer" in r else ""
                print(f"  {n:>8} rows {b:>3} probes  {e:16s} min {r['min_ms']:9.4f} ms  median {r['median_ms']:9.4f} ms a probe"
                      f"  recall {r['recall']:.3f}{extra}", flush=True)
        for x in at.values():
            x.close()


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--rows", default="1e4,1e5,1e6")
    ap.add_argument("--probes", default="1,32")
    ap.add_argument("--best", type=int, default=1, help="how many are asked for")
    ap.add_argument("--engines", default=",".join(ENGINES))
    ap.add_argument("--threads", type=int, default=1, help="of the peers; ours searches on one")
    ap.add_argument("--rounds", type=int, default=8)
    ap.add_argument("--burst", type=float, default=0.2)
    ap.add_argument("--isa", default="auto")
    ap.add_argument("--core", type=int, default=0)
    ap.add_argument("--folder", help="for temporary files; default: the system's")
    ap.add_argument("--cpu-time", action="store_true", help="processor time, one thread: for a machine that is not quiet")
    ap.add_argument("--json", help="write the figures here")
    a = ap.parse_args()
    global CLOCK
    if a.cpu_time and a.threads != 1:
        ap.error("--cpu-time is for one thread")
    if a.cpu_time:
        CLOCK, os.environ["BENCH_CLOCK"] = time.process_time, "cpu"
    a.probes = [int(v) for v in a.probes.split(",")]
    for v in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[v] = str(a.threads)
    os.sched_setaffinity(0, {a.core} if a.threads == 1 else set(range(a.threads)))
    sizes = []
    for n in a.rows.split(","):
        one_size(int(float(n)), a.engines.split(","), a, sizes)
    if a.json:
        Path(a.json).parent.mkdir(parents=True, exist_ok=True)
        Path(a.json).write_text(json.dumps({"dim": DIM, "threads": a.threads, "clock": "cpu" if a.cpu_time else "wall", "load": os.getloadavg(), "sizes": sizes}, indent=1) + "\n")


if __name__ == "__main__":
    main()
