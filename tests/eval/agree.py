#!/usr/bin/env python3
"""The figures of src/eval against an independent implementation with numpy and scipy: equal to 1e-9.

usage: agree.py EVAL_FIGURES. Skips aloud (77) without numpy and scipy (tools/setup --test brings them).
The definitions are written again here from ISO/IEC 19795-1, 19795-10 and the published formulas, by
other means: masks and means instead of sorted searches, scipy's optimiser instead of golden section.
"""
import os
import subprocess
import sys
import tempfile
from pathlib import Path

CACHE = Path(os.environ.get("VEDETTE_CACHE", ".cache"))
try:
    import numpy as np
    from scipy import optimize, stats
except ImportError:
    python = CACHE / "venv" / "bin" / "python"
    if python.exists() and os.environ.get("VEDETTE_AGREE") != "1":
        os.environ["VEDETTE_AGREE"] = "1"
        os.execv(str(python), [str(python), *sys.argv])
    print("SKIP: numpy and scipy are not installed (tools/setup --test)")
    sys.exit(77)

AIMS = (1, 0.1, 0.01, 1e-3, 1e-4)
AT = [np.float32(x) for x in (-0.5, 0, 0.2, 0.35, 0.4, 0.447, 0.6, 0.9)]
Z = stats.norm.ppf(0.975)
M64 = (1 << 64) - 1


def wilson(k, n):
    """The interval is where |p^ - p| = z*sqrt(p(1-p)/n): the roots of a quadratic."""
    if n == 0:
        return np.nan, np.nan, np.nan
    p = k / n
    roots = np.sort(np.roots([1 + Z * Z / n, -(2 * p + Z * Z / n), p * p]).real)
    return p, (0.0 if k == 0 else roots[0]), (1.0 if k == n else roots[1])


def splitmix(state):
    while True:
        state = (state + 0x9E3779B97F4A7C15) & M64
        z = state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & M64
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & M64
        yield z ^ (z >> 31)


def figures(g, im, searches, truth, found):
    out = {}

    def rate(name, a, b, k, n):
        for end, v in zip(("", ".lo", ".hi"), wilson(k, n)):
            out[name + end, float("%.9g" % a), float(b)] = v

    def one(name, a, v):
        out[name, float("%.9g" % a), 0.0] = float(v)

    chance, owner = splitmix(42), np.arange(g.size) % 97
    reps = []
    for _ in range(200):
        w = np.bincount([int((next(chance) >> 11) / 2.0 ** 53 * 97) for _ in range(97)], minlength=97)[owner]
        reps.append([(w * (g < t)).sum() / w.sum() for t in (np.float32(0.35), np.float32(0.447))])
    for i, v in enumerate(np.array(reps).T):
        one("boot.lo", i, np.percentile(v, 2.5))
        one("boot.hi", i, np.percentile(v, 97.5))
    for f in AIMS:
        allowed = int(np.floor(f * im.size))
        if allowed >= im.size:
            t = np.float32(-2)
        else:  # the smallest float with at most `allowed` at or above it
            t = np.nextafter(np.partition(im, im.size - 1 - allowed)[im.size - 1 - allowed], np.float32(np.inf))
        one("threshold", f, t)
        rate("fmr_at", f, 0, int((im >= t).sum()), im.size)
        rate("fnmr_at", f, 0, int((g < t).sum()), g.size)
    for t in AT:
        rate("fmr", float(t), 0, int((im >= t).sum()), im.size)
        rate("fnmr", float(t), 0, int((g < t).sum()), g.size)
    both = np.unique(np.concatenate([g, im]))
    fnmr = np.searchsorted(np.sort(g), both, "left") / g.size
    fmr = 1 - np.searchsorted(np.sort(im), both, "left") / im.size
    i = int(np.argmax(fnmr >= fmr))
    one("eer", 0, (np.mean(g < both[i]) + np.mean(im >= both[i])) / 2)
    one("eer_t", 0, both[i])
    i = n = 0
    while 10.0 ** (-i / 4) * im.size >= 1:
        allowed = int(np.floor(10.0 ** (-i / 4) * im.size))
        t = np.float32(-2) if allowed >= im.size else np.nextafter(np.sort(im)[::-1][allowed], np.float32(np.inf))
        one("det_fmr", n, np.mean(im >= t))
        one("det_fnmr", n, np.mean(g < t))
        i, n = i + 1, n + 1
    desc = np.sort(im)[::-1].astype(np.float64)
    y = desc[:2000] - desc[2000]
    res = optimize.minimize(lambda p: -stats.genpareto.logpdf(y, p[0], scale=np.exp(p[1])).sum(), (0.0, np.log(y.mean())),
                            method="Nelder-Mead", options={"xatol": 1e-11, "fatol": 1e-11, "maxiter": 5000})
    xi, sigma = res.x[0], np.exp(res.x[1])
    one("tail_xi", 0, xi)
    one("tail_sigma", 0, sigma)
    one("tail_loglik", 0, -res.fun)
    one("tail_rate", 0, 2000 / im.size * stats.genpareto.sf(0.3, xi, scale=sigma))
    one("tail_back", 0, 0.2)
    ratio, half = (30 / 10000) / (10 / 9000), Z * np.sqrt(1 / 30 - 1 / 10000 + 1 / 10 - 1 / 9000)
    for i, v in enumerate((ratio, ratio * np.exp(-half), ratio * np.exp(half))):
        one("ratio", i, v)
    own, top, rank, mated = searches
    for t in AT:
        for r in (1, 20):
            miss = mated & ~((own >= t) & (rank <= r))
            rate("fnir", float(t), r, int(miss.sum()), int(mated.sum()))
        rate("fpir", float(t), 0, int((~mated & (top >= t)).sum()), int((~mated).sum()))
    for i, (low, high) in enumerate(((0, 1e9), (0, 20), (20, 40), (40, 1e9))):
        boxes(one, rate, i, truth, found, low, high)
    return out


def iou(a, b):
    a, b = a.astype(np.float64), b.astype(np.float64)
    w = np.minimum(a[2], b[2]) - np.maximum(a[0], b[0])
    h = np.minimum(a[3], b[3]) - np.maximum(a[1], b[1])
    inter = max(w, 0) * max(h, 0)
    return inter / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - inter)


def boxes(one, rate, i, truth, found, low, high):
    fits = lambda b: low <= float(b[3] - b[1]) < high
    free = [True] * len(truth)
    total = sum(fits(b) for b, _, _ in truth)
    tp, sure = [], 0
    sure_hits = 0
    for box, score, image in sorted(found, key=lambda f: -f[1]):
        best, which = 0.5, None
        for k, (t, _, im) in enumerate(truth):
            if im == image and free[k] and iou(box, t) >= best:
                best, which = iou(box, t), k
        if which is not None:
            free[which] = False
            if not fits(truth[which][0]):
                continue
        elif not fits(box):
            continue
        tp.append(which is not None)
        sure += score >= 0.5
        sure_hits += score >= 0.5 and which is not None
    tp = np.array(tp, bool)
    hits = np.cumsum(tp)
    precision = hits / np.arange(1, tp.size + 1)
    # all points: the sum over every hit of the best precision at its recall or more
    one("ap", i, sum(precision[k:].max() for k in np.flatnonzero(tp)) / total)
    rate("recall", i, 0, sure_hits, total)
    rate("precision", i, 0, sure_hits, int(sure))


def main():
    rng = np.random.default_rng(20240917)
    worst, count, failed = 0.0, 0, 0
    for case in range(4):
        g = rng.normal(0.6, 0.12, 1500 + 37 * case).astype(np.float32)
        im = rng.normal(0.05, 0.11, 60000).astype(np.float32)
        if case == 1:  # coarse scores: ties everywhere
            g, im = np.round(g, 2).astype(np.float32), np.round(im, 3).astype(np.float32)
        if case == 2:  # a heavy tail
            im = (0.02 * rng.standard_t(4, 60000)).astype(np.float32)
        if case == 3:  # kinds that do not overlap
            g = (g + 3).astype(np.float32)
        n = 900
        own, top = rng.normal(0.5, 0.2, n).astype(np.float32), rng.normal(0.3, 0.1, n).astype(np.float32)
        rank, mated = rng.integers(1, 40, n).astype(np.uint32), rng.random(n) < 0.6
        truth, found = [], []
        for image in range(50):
            for _ in range(rng.integers(0, 6)):
                x, y, s = rng.uniform(0, 400), rng.uniform(0, 300), rng.uniform(8, 90)
                truth.append((np.array([x, y, x + 0.8 * s, y + s], np.float32), 0, image))
                if rng.random() < 0.8:
                    d = rng.normal(0, 0.12 * s, 4)
                    found.append((np.array([x, y, x + 0.8 * s, y + s] + d, np.float32), np.float32(rng.random()), image))
            if rng.random() < 0.5:
                x, y, s = rng.uniform(0, 400), rng.uniform(0, 300), rng.uniform(8, 90)
                found.append((np.array([x, y, x + s, y + s], np.float32), np.float32(rng.random()), image))
        with tempfile.NamedTemporaryFile() as f:
            f.write(np.array([g.size, im.size, n, len(truth), len(found)], np.uint64).tobytes())
            f.write(g.tobytes() + im.tobytes())
            se = np.empty(n, [("o", "f4"), ("t", "f4"), ("r", "u4"), ("m", "i4")])
            se["o"], se["t"], se["r"], se["m"] = own, top, rank, mated
            f.write(se.tobytes())
            for b, s, i in truth + found:
                f.write(b.tobytes() + np.float32(s).tobytes() + np.uint32(i).tobytes())
            f.flush()
            text = subprocess.run([sys.argv[1], f.name], check=True, capture_output=True, text=True).stdout
        ours = {}
        for line in text.splitlines():
            name, a, b, v = line.split()
            ours[name, float(a), float(b)] = float(v)
        want = figures(g, im, (own, top, rank, mated), truth, found)
        if set(ours) != set(want):
            print("FAIL: figures differ in kind:", sorted(set(ours) ^ set(want))[:8])
            return 1
        for k, v in want.items():
            # an optimiser's answer, not a formula: its own accuracy is the limit
            limit = 2e-5 if k[0] in ("tail_xi", "tail_sigma", "tail_rate") else 1e-9
            d = abs(ours[k] - v) / (max(1, abs(v)) if k[0] == "tail_loglik" else 1)
            count += 1
            if not d <= limit and not (np.isnan(v) and np.isnan(ours[k])):
                failed += 1
                print(f"FAIL: case {case} {k}: ours {ours[k]!r}, theirs {v!r}")
            elif limit == 1e-9:
                worst = max(worst, d)
    print(f"{count} figures, {failed} differ; largest difference of a formula {worst:.2g}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
