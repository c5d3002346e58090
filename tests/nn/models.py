#!/usr/bin/env python3
"""Every model, and small graphs of every operator, against ONNX Runtime at every instruction-set level.

usage: models.py ENGINE_SERVER

Relative error: the largest |ours - theirs| of an output over the largest |theirs| (over 1 for
probabilities); at most 1e-4. For
embeddings the cosine is at least 0.99999 as well. Each case runs at two sizes or seeds. Exit 77: skipped.
"""
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CACHE = Path(os.environ.get("VEDETTE_CACHE", ROOT / ".cache"))
PYTHON = os.environ.get("VEDETTE_PYTHON", str(CACHE / "venv" / "bin" / "python"))
MODELS = [
    # file, sizes (height, width), kind of input, embedding?
    ("face_detection_yunet_2023mar_int8bq.onnx", ((384, 640), (256, 320)), "pixels", False),
    ("face_recognition_sface_2021dec_int8bq.onnx", ((112, 112),), "pixels", True),
    ("mtcnn_onet.onnx", ((48, 48),), "unit", False),
    ("fr_feature.onnx", ((112, 112),), "unit", True),
    ("centerface.onnx", ((256, 320), (96, 128)), "pixels", False),
    ("fr_detect.onnx", ((240, 320),), "unit", False),
    ("nanodet.onnx", ((416, 416), (256, 320)), "unit", False),
    ("efficientnet_lite0.onnx", ((224, 224),), "unit", True),
]
BOUND, COSINE = 1e-4, 0.99999


def restart():
    """Run again under the tests' own Python when this one has no ONNX Runtime."""
    try:
        import onnxruntime  # noqa: F401
        return
    except ImportError:
        pass
    if Path(PYTHON).exists() and not os.environ.get("VD_RESTARTED"):
        os.environ["VD_RESTARTED"] = "1"
        os.execv(PYTHON, [PYTHON, *sys.argv])
    print("SKIP: no Python with onnxruntime (tools/setup --test makes one in .cache/venv)")
    sys.exit(77)


class Ours:
    def __init__(self, server, path, shape, isa):
        cmd = [server, str(path), str(shape[2]), str(shape[3]), isa, str(shape[1])]
        self.p = subprocess.Popen(cmd, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.ready = self.p.stdout.readline().startswith("ready")

    def ask(self, line):
        self.p.stdin.write(line + "\n")
        self.p.stdin.flush()
        return self.p.stdout.readline().strip()

    def run(self, x, refs, folder):
        import numpy as np
        x.astype(np.float32).tofile(folder / "in")
        if self.ask(f"in {folder / 'in'}") != "ok" or not self.ask("1") or self.ask(f"out {folder / 'out'}") != "ok":
            raise RuntimeError("engine_server failed: " + self.p.stderr.read())
        flat, out, at = np.fromfile(folder / "out", np.float32), [], 0
        for r in refs:
            out.append(flat[at:at + r.size].reshape(r.shape))
            at += r.size
        if at != flat.size:
            raise RuntimeError(f"{flat.size} numbers came out, {at} were expected")
        return out

    def close(self):
        self.p.stdin.close()
        self.p.wait(timeout=20)


def levels(server, folder):
    """The instruction-set levels this machine has."""
    import onnx
    from onnx import TensorProto as T, helper as h
    tiny = folder / "tiny.onnx"
    g = h.make_graph([h.make_node("Relu", ["x"], ["y"])], "g", [h.make_tensor_value_info("x", T.FLOAT, [1, 1, 2, 2])],
                     [h.make_tensor_value_info("y", T.FLOAT, [1, 1, 2, 2])])
    onnx.save(h.make_model(g, opset_imports=[h.make_opsetid("", 13)]), str(tiny))
    out = []
    for isa in ("c", "avx2", "avx512", "vnni"):
        o = Ours(server, tiny, (1, 1, 2, 2), isa)
        if o.ready:
            out.append(isa)
            o.close()
        else:
            o.p.wait(timeout=20)
            print(f"SKIP: this machine has no {isa}: {o.p.stderr.read().strip()}")
    return out


def inputs(kind, shape, seed):
    import numpy as np
    x = np.random.default_rng(seed).standard_normal(shape)
    if kind == "unit":
        return x.astype(np.float32)
    if seed % 2:  # a smooth picture, as a camera gives: what denormals and saturation come from
        t = np.linspace(0, 9, shape[3])[None, None, None, :] + np.linspace(0, 7, shape[2])[None, None, :, None]
        x = np.sin(t + np.arange(shape[1])[None, :, None, None]) * 2 + x * 0.1
    return np.clip(x * 50 + 120, 0, 255).astype(np.float32)


def probabilities(model):
    """Which outputs a Sigmoid or Softmax makes. Their scale is 1 however small they are: ONNX Runtime's
    own sigmoid is 1e-7 off near 0, which is two per cent of a probability of 5e-6."""
    made = {o: n.op_type for n in model.graph.node for o in n.output}
    return [made.get(o.name) in ("Sigmoid", "Softmax") for o in model.graph.output]


def worst(refs, got, unit):
    import numpy as np
    e, c = 0.0, 1.0
    for r, g, u in zip(refs, got, unit):
        r, g = r.astype(np.float64).ravel(), g.astype(np.float64).ravel()
        if r.size == 0:
            continue
        e = max(e, float(np.abs(r - g).max() / max(np.abs(r).max(), 1.0 if u else 1e-20)))
        if u:
            continue
        n = np.linalg.norm(r) * np.linalg.norm(g)
        c = min(c, float(r @ g / n)) if n > 0 else c
    return (e, c) if e == e else (float("inf"), c)


def session(model):
    import onnxruntime as ort
    o = ort.SessionOptions()
    o.intra_op_num_threads, o.log_severity_level = 1, 4
    return ort.InferenceSession(model.SerializeToString(), o, providers=["CPUExecutionProvider"])


def compare(name, server, path, model, shape, kind, isas, folder, embedding, failures):
    s, unit = session(model), probabilities(model)
    runners = {isa: Ours(server, path, shape, isa) for isa in isas}
    for isa, o in runners.items():
        if not o.ready:
            failures.append(f"{name} {isa}: " + o.p.stderr.read().strip())
    for seed in (1, 2):
        x = inputs(kind, shape, seed)
        refs = s.run(None, {s.get_inputs()[0].name: x})
        for isa, o in runners.items():
            if not o.ready:
                continue
            e, c = worst(refs, o.run(x, refs, folder), unit)
            bad = not e <= BOUND or (embedding and c < COSINE)
            if bad or embedding or kind:
                print(f"{'FAIL' if bad else 'ok  '} {name:44s} {shape[2]}x{shape[3]} {isa:7s} error {e:.1e} cosine {c:.7f}")
            if bad:
                failures.append(f"{name} {isa}")
    for o in runners.values():
        if o.ready:
            o.close()


def operators():
    """(name, nodes, constants, input shape, opset): small graphs, each around one operator."""
    import numpy as np
    from onnx import helper as h
    rng = np.random.default_rng(7)

    def w(*s):
        return rng.standard_normal(s).astype(np.float32) * 0.3

    def n(op, i, o="y", **a):
        return h.make_node(op, i, [o] if isinstance(o, str) else o, **a)

    out = []
    for k, s, p, d, ci, co, g in ((1, 1, 0, 1, 5, 7, 1), (3, 1, 1, 1, 3, 20, 1), (3, 2, 1, 1, 17, 33, 1), (3, 1, 2, 2, 16, 16, 1),
                                  (5, 2, 2, 1, 4, 9, 1), (3, 1, 1, 1, 24, 24, 24), (3, 2, 1, 1, 33, 33, 33), (7, 1, 0, 1, 16, 16, 16),
                                  (3, 1, 1, 1, 12, 18, 3), (1, 2, 0, 1, 20, 40, 1), (3, 1, 1, 1, 1, 1, 1)):
        out.append((f"Conv k{k} s{s} p{p} d{d} {ci}>{co} g{g}",
                    [n("Conv", ["x", "w", "b"], kernel_shape=[k, k], strides=[s, s], pads=[p] * 4, dilations=[d, d], group=g)],
                    {"w": w(co, ci // g, k, k), "b": w(co)}, (1, ci, 13, 17), 11))
    out.append(("Conv asymmetric", [n("Conv", ["x", "w"], kernel_shape=[3, 2], strides=[2, 1], pads=[0, 1, 1, 0])],
                {"w": w(8, 6, 3, 2)}, (1, 6, 12, 11), 11))
    out.append(("Conv SAME_UPPER", [n("Conv", ["x", "w"], auto_pad="SAME_UPPER", strides=[2, 2], kernel_shape=[3, 3])],
                {"w": w(8, 6, 3, 3)}, (1, 6, 12, 11), 11))
    for k, s, p in ((2, 2, 0), (3, 2, 1), (4, 2, 1)):
        out.append((f"ConvTranspose k{k} s{s} p{p}", [n("ConvTranspose", ["x", "w", "b"], kernel_shape=[k, k], strides=[s, s], pads=[p] * 4)],
                    {"w": w(10, 6, k, k), "b": w(6)}, (1, 10, 7, 9), 11))
    bn = {"s": np.abs(w(18)) + 0.5, "h": w(18), "m": w(18), "v": np.abs(w(18)) + 0.5}
    out.append(("Conv+BN+PRelu", [n("Conv", ["x", "w"], "a", kernel_shape=[3, 3], pads=[1] * 4), n("BatchNormalization", ["a", "s", "h", "m", "v"], "b"),
                                  n("PRelu", ["b", "p"])], {"w": w(18, 5, 3, 3), "p": w(18, 1, 1), **bn}, (1, 5, 9, 8), 11))
    out.append(("BN+Conv (padded)", [n("BatchNormalization", ["x", "s", "h", "m", "v"], "b"), n("Conv", ["b", "w"], kernel_shape=[3, 3], pads=[1] * 4)],
                {"w": w(7, 18, 3, 3), **bn}, (1, 18, 9, 8), 11))
    out.append(("residual", [n("Conv", ["x", "w"], "a", kernel_shape=[3, 3], pads=[1] * 4), n("Relu", ["a"], "r"), n("Conv", ["r", "w"], "c", kernel_shape=[3, 3], pads=[1] * 4),
                             n("Add", ["c", "a"], "d"), n("Relu", ["d"])], {"w": w(16, 16, 3, 3)}, (1, 16, 9, 8), 11))
    for op, a in (("Relu", {}), ("LeakyRelu", {"alpha": 0.2}), ("Sigmoid", {}), ("Tanh", {}), ("Exp", {}), ("Neg", {}), ("Abs", {}), ("Floor", {}), ("Ceil", {}),
                  ("Elu", {}), ("Softplus", {}), ("HardSigmoid", {}), ("Erf", {}), ("Identity", {}), ("Softmax", {"axis": 1}), ("Flatten", {}), ("GlobalAveragePool", {})):
        out.append((op, [n(op, ["x"], **a)], {}, (1, 19, 6, 5), 13))
        if op not in ("Flatten", "Softmax"):
            out.append((f"Conv+{op}", [n("Conv", ["x", "w"], "a", kernel_shape=[1, 1]), n(op, ["a"], **a)], {"w": w(21, 19, 1, 1)}, (1, 19, 6, 5), 13))
    out.append(("HardSwish", [n("HardSwish", ["x"])], {}, (1, 19, 6, 5), 14))
    out.append(("Clip", [n("Conv", ["x", "w"], "a", kernel_shape=[1, 1]), n("Clip", ["a", "lo", "hi"])],
                {"w": w(21, 19, 1, 1), "lo": np.float32(0), "hi": np.float32(0.5)}, (1, 19, 6, 5), 13))
    for op in ("MaxPool", "AveragePool"):
        for k, s, p, c in ((2, 2, 0, 0), (3, 2, 1, 0), (3, 2, 0, 1), (3, 1, 1, 0)):
            out.append((f"{op} k{k} s{s} p{p} ceil{c}", [n(op, ["x"], kernel_shape=[k, k], strides=[s, s], pads=[p] * 4, ceil_mode=c)], {}, (1, 18, 11, 8), 11))
    out.append(("AveragePool counted", [n("AveragePool", ["x"], kernel_shape=[3, 3], pads=[1] * 4, count_include_pad=1)], {}, (1, 18, 11, 8), 11))
    for mode, ct, nm in (("nearest", "asymmetric", "floor"), ("nearest", "half_pixel", "round_prefer_floor"), ("linear", "half_pixel", "floor"), ("linear", "align_corners", "floor")):
        out.append((f"Resize {mode} {ct}", [n("Resize", ["x", "", "k"], mode=mode, coordinate_transformation_mode=ct, nearest_mode=nm)],
                    {"k": np.array([1, 1, 2, 2], np.float32)}, (1, 18, 5, 7), 13))
    out.append(("Upsample", [n("Upsample", ["x", "k"])], {"k": np.array([1, 1, 2, 2], np.float32)}, (1, 18, 5, 7), 9))
    for op in ("Add", "Sub", "Mul", "Div", "Max", "Min"):
        out.append((f"{op} scalar", [n(op, ["x", "c"])], {"c": np.array([1.7], np.float32)}, (1, 3, 6, 5), 13))
        out.append((f"{op} channels", [n("Conv", ["x", "w"], "a", kernel_shape=[1, 1]), n(op, ["a", "c"])],
                    {"w": w(18, 3, 1, 1), "c": np.abs(w(18, 1, 1)) + 1}, (1, 3, 6, 5), 13))
        out.append((f"{op} both", [n("Conv", ["x", "w"], "a", kernel_shape=[1, 1]), n("Exp", ["a"], "b"), n("Relu", ["a"], "r"), n(op, ["r", "b"])],
                    {"w": w(18, 3, 1, 1)}, (1, 3, 6, 5), 13))
    out.append(("Pow", [n("Abs", ["x"], "a"), n("Sqrt", ["a"], "q"), n("Pow", ["q", "c"])], {"c": np.array(3, np.float32)}, (1, 3, 6, 5), 13))
    for c1, c2 in ((16, 16), (16, 5), (5, 16)):
        out.append((f"Concat {c1}+{c2}", [n("Conv", ["x", "w1"], "a", kernel_shape=[1, 1]), n("Conv", ["x", "w2"], "b", kernel_shape=[1, 1]), n("Concat", ["a", "b"], axis=1)],
                    {"w1": w(c1, 3, 1, 1), "w2": w(c2, 3, 1, 1)}, (1, 3, 6, 5), 13))
    i64 = lambda *v: np.array(v, np.int64)  # noqa: E731
    out += [("Transpose", [n("Transpose", ["x"], perm=[0, 2, 3, 1])], {}, (1, 5, 6, 7), 13),
            ("Transpose after Conv", [n("Conv", ["x", "w"], "a", kernel_shape=[1, 1]), n("Transpose", ["a"], perm=[0, 2, 3, 1])], {"w": w(21, 5, 1, 1)}, (1, 5, 6, 7), 13),
            ("Reshape", [n("Reshape", ["x", "s"])], {"s": i64(0, -1, 2)}, (1, 5, 6, 7), 13),
            ("Slice", [n("Slice", ["x", "a", "b", "c", "d"])], {"a": i64(1, 0), "b": i64(4, 99), "c": i64(1, 3), "d": i64(1, 2)}, (1, 5, 6, 7), 13),
            ("Split", [n("Split", ["x", "p"], ["a", "b"], axis=1), n("Concat", ["b", "a"], axis=1)], {"p": i64(2, 3)}, (1, 5, 6, 7), 13),
            ("Gather", [n("Gather", ["x", "i"], axis=1)], {"i": i64(3, 0, -1)}, (1, 5, 6, 7), 13),
            ("Pad", [n("Pad", ["x", "p", "v"])], {"p": i64(0, 0, 1, 2, 0, 0, 0, 1), "v": np.float32(0.5)}, (1, 5, 6, 7), 13),
            ("ReduceMean", [n("ReduceMean", ["x"], axes=[2, 3])], {}, (1, 5, 6, 7), 13),
            ("Squeeze Unsqueeze", [n("Squeeze", ["x", "a"], "q"), n("Unsqueeze", ["q", "b"])], {"a": i64(0), "b": i64(0, 4)}, (1, 5, 6, 7), 13),
            ("Gemm", [n("Flatten", ["x"], "f"), n("Gemm", ["f", "w", "b"], transB=1, alpha=0.5, beta=2.0)], {"w": w(21, 210), "b": w(21)}, (1, 5, 6, 7), 13),
            ("Gemm+BN", [n("Flatten", ["x"], "f"), n("Gemm", ["f", "w", "b"], "g", transB=1), n("BatchNormalization", ["g", "s", "h", "m", "v"])],
             {"w": w(18, 210), "b": w(18), **bn}, (1, 5, 6, 7), 13),
            ("MatMul", [n("MatMul", ["x", "w"])], {"w": w(7, 16)}, (1, 5, 6, 7), 13),
            ("MatMul odd", [n("MatMul", ["x", "w"])], {"w": w(7, 11)}, (1, 5, 6, 7), 13),
            ("shape arithmetic", [n("Shape", ["x"], "s"), n("Gather", ["s", "i"], "h"), n("Unsqueeze", ["h", "z"], "u"), n("Concat", ["u", "m"], "t", axis=0), n("Reshape", ["x", "t"])],
             {"i": i64(2).reshape(()), "z": i64(0), "m": i64(-1)}, (1, 5, 6, 7), 13)]
    # networks that a user brings: a residual block of IResNet and a head of SCRFD
    out.append(("IResNet block", [n("BatchNormalization", ["x", "s", "h", "m", "v"], "a"), n("Conv", ["a", "w1"], "b", kernel_shape=[3, 3], pads=[1] * 4), n("PRelu", ["b", "p"], "c"),
                                  n("Conv", ["c", "w2", "bb"], "d", kernel_shape=[3, 3], strides=[2, 2], pads=[1] * 4), n("Conv", ["x", "w3"], "e", kernel_shape=[1, 1], strides=[2, 2]),
                                  n("Add", ["d", "e"])], {"w1": w(18, 18, 3, 3), "p": w(18, 1, 1), "w2": w(18, 18, 3, 3), "bb": w(18), "w3": w(18, 18, 1, 1), **bn}, (1, 18, 14, 14), 11))
    out.append(("SCRFD head", [n("Conv", ["x", "w1"], "a", kernel_shape=[3, 3], pads=[1] * 4), n("Relu", ["a"], "b"), n("Conv", ["b", "w2"], "c", kernel_shape=[3, 3], pads=[1] * 4),
                               n("Transpose", ["c"], "t", perm=[2, 3, 0, 1]), n("Reshape", ["t", "s"], "r"), n("Sigmoid", ["r"])],
                {"w1": w(32, 16, 3, 3), "w2": w(2, 32, 3, 3), "s": i64(-1, 1)}, (1, 16, 10, 12), 11))
    return out


def main():
    restart()
    import onnx
    from onnx import TensorProto as T, helper as h, numpy_helper
    sys.path.insert(0, str(ROOT / "tools"))
    import plain_onnx
    server, failures, missing = sys.argv[1], [], []
    with tempfile.TemporaryDirectory() as tmp:
        folder = Path(tmp)
        isas = levels(server, folder)
        cases = operators()
        for name, nodes, consts, shape, opset in cases:
            g = h.make_graph(nodes, "g", [h.make_tensor_value_info("x", T.FLOAT, shape)], [h.make_tensor_value_info("y", T.FLOAT, None)],
                             [numpy_helper.from_array(v, k) for k, v in consts.items()])
            m = h.make_model(g, opset_imports=[h.make_opsetid("", opset)], ir_version=7)
            path = folder / "case.onnx"
            onnx.save(m, str(path))
            compare(name, server, path, m, shape, "unit", isas, folder, False, failures)
        for file, sizes, kind, embedding in MODELS:
            path = CACHE / "models" / file
            if not path.exists():
                missing.append(file)
                continue
            for hh, ww in sizes:
                m = plain_onnx.plain(onnx.load(str(path)), height=hh, width=ww)
                compare(file[:44], server, path, m, (1, 3, hh, ww), kind, isas, folder, embedding, failures)
    for f in missing:
        print(f"SKIP: {f} is not in {CACHE}/models (tools/setup --test fetches it)")
    print(f"{len(cases)} operator graphs, {len(MODELS) - len(missing)} models, levels {' '.join(isas)}: {len(failures)} failures")
    for f in failures:
        print("FAILED", f)
    return 1 if failures or not isas else 0


if __name__ == "__main__":
    sys.exit(main())
