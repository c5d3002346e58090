#!/usr/bin/env python3
"""Networks in eight bits: near to float, the same bits at every level, and side files that are wrong.

usage: eight_bits.py ENGINE_SERVER

Exit 77: skipped. The pictures are noise with structure; accuracy on faces is measured by `vedette model
quantise` and bench/verify_lfw.py.
"""
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import models  # noqa: E402

COSINE = 0.995


def conv(x, o, w, p, b=None, s=1, pad=0, group=1, act=None):
    """Nodes and constants of a convolution and what follows it."""
    from onnx import helper as h
    k = w.shape[2]
    made, const = f"{o}_c" if act else o, {f"{o}_w": w}
    if b is not None:
        const[f"{o}_b"] = b
    nodes = [h.make_node("Conv", [x, f"{o}_w"] + ([f"{o}_b"] if b is not None else []), [made], kernel_shape=[k, k], strides=[s, s],
                         pads=[pad] * 4, group=group)]
    if act == "PRelu":
        const[f"{o}_s"] = p
        nodes.append(h.make_node("PRelu", [made, f"{o}_s"], [o]))
    elif act == "Clip":
        import numpy as np
        const[f"{o}_lo"], const[f"{o}_hi"] = np.array(0, np.float32), np.array(1.5, np.float32)
        nodes.append(h.make_node("Clip", [made, f"{o}_lo", f"{o}_hi"], [o]))
    elif act:
        nodes.append(h.make_node(act, [made], [o]))
    return nodes, const


def network():
    """Every kind of step that bytes may meet; its input has 20 channels, so the first layer is bytes too."""
    import numpy as np
    import onnx
    from onnx import TensorProto as T, helper as h, numpy_helper
    rng = np.random.default_rng(3)

    def w(co, ci, k, group=1):
        return (rng.standard_normal((co, ci // group, k, k)) * (2 / (k * k * ci / group)) ** 0.5).astype(np.float32)

    def v(n, *more):
        return (rng.standard_normal((n, *more)) * 0.2).astype(np.float32)

    parts = [
        conv("x", "a", w(33, 20, 1), v(33, 1, 1) + 0.3, v(33), act="PRelu"),
        conv("a", "b", w(33, 33, 3, 33), None, v(33), pad=1, group=33, act="Relu"),
        conv("b", "c", w(32, 33, 3), None, v(32), pad=1, act="Clip"),
        ([h.make_node("MaxPool", ["c"], ["d"], kernel_shape=[2, 2], strides=[2, 2])], {}),
        conv("d", "e", w(32, 32, 1), None, v(32)),
        conv("e", "f", w(32, 32, 3), None, v(32), pad=1, act="Relu"),
        conv("f", "g0", w(32, 32, 1), None, None),
        ([h.make_node("Add", ["g0", "e"], ["g1"]), h.make_node("Relu", ["g1"], ["g"])], {}),
        conv("g", "i", w(32, 32, 3, 32), v(32, 1, 1), v(32), s=2, pad=1, group=32, act="PRelu"),
        conv("i", "j", w(32, 32, 1), None, v(32), act="Relu"),
        ([h.make_node("Resize", ["j", "", "up"], ["k"], mode="nearest", coordinate_transformation_mode="asymmetric", nearest_mode="floor"),
          h.make_node("Add", ["k", "g"], ["l"])], {"up": np.array([1, 1, 2, 2], np.float32)}),
        conv("l", "m", w(19, 32, 1), None, v(19)),
        conv("m", "y", w(19, 19, 3, 19), None, v(19), pad=1, group=19),
        ([h.make_node("Sigmoid", ["l"], ["z"])], {}),
    ]
    nodes, const = [], {}
    for n, c in parts:
        nodes += n
        const.update(c)
    g = h.make_graph(nodes, "g", [h.make_tensor_value_info("x", T.FLOAT, [1, 20, "h", "w"])],
                     [h.make_tensor_value_info(o, T.FLOAT, None) for o in ("y", "z")],
                     [numpy_helper.from_array(a, k) for k, a in const.items()])
    return h.make_model(g, opset_imports=[h.make_opsetid("", 13)], ir_version=8)


class Eight(models.Ours):
    def __init__(self, server, path, shape, isa, side):
        cmd = [server, str(path), str(shape[2]), str(shape[3]), isa, str(shape[1]), str(side)]
        self.p = subprocess.Popen(cmd, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.ready = self.p.stdout.readline().startswith("ready")


def calibrate(server, path, shape, kind, side, folder):
    o = Eight(server, path, shape, "auto", "calibrate")
    assert o.ready, o.p.stderr.read()
    for seed in range(10, 18):
        models.inputs(kind, shape, seed).astype("float32").tofile(folder / "in")
        assert o.ask(f"in {folder / 'in'}") == "ok" and o.ask("1")
    assert o.ask(f"side {side}") == "ok"
    o.close()


def compare(name, server, path, model, shape, kind, isas, folder, bound, same, failures):
    import numpy as np
    side, s = folder / "side", models.session(model)
    calibrate(server, path, shape, kind, side, folder)
    x = models.inputs(kind, shape, 2)
    refs, first = s.run(None, {s.get_inputs()[0].name: x}), None
    for isa in isas:
        o = Eight(server, path, shape, isa, side)
        if not o.ready:
            failures.append(f"{name} {isa}: {o.p.stderr.read().strip()}")
            continue
        got = o.run(x, refs, folder)
        o.close()
        cos = min(float((r.ravel() @ g.ravel()) / (np.linalg.norm(r) * np.linalg.norm(g))) for r, g in zip(refs, got))
        first = got if first is None else first
        equal = all(np.array_equal(a, b) for a, b in zip(first, got))
        # sigmoid is float and may differ in the last places between levels
        near = all(np.allclose(a, b, rtol=2e-6, atol=1e-6) for a, b in zip(first, got))
        exact = all(np.array_equal(a, b) for a, b in zip(first[:1], got[:1]))
        bad = cos < bound or (same and not (exact and near)) or all(np.array_equal(r, g) for r, g in zip(refs, got))
        print(f"{'FAIL' if bad else 'ok  '} {name:20s} {isa:7s} cosine {cos:.5f}{'' if equal else ', not the bits of c'}")
        if bad:
            failures.append(f"{name} {isa}")


def wrong_files(server, path, shape, side, folder, failures):
    """Each must be refused with a reason, and none may crash."""
    text = side.read_text()
    lines = text.split("\n")
    at = next(i for i, l in enumerate(lines) if l.startswith("value "))
    other = lines[at].split(" ", 3)

    def put(i, new):
        return "\n".join(lines[:i] + [new] + lines[i + 1:])

    cases = {
        "empty line": "\n", "another kind of file": "hello\n", "cut": text[:len(text) // 2], "no end": text[:-4], "more after the end": text + "x\n",
        "unknown line": put(at, "valve"), "index too large": put(at, f"value 99999 {other[2]} {other[3]}"), "negative index": put(at, f"value -1 {other[2]} {other[3]}"),
        "another name": put(at, f"value {other[1]} {other[2]} nobody"), "no channels": put(at, f"value {other[1]} 0 {other[3]}"),
        "too many channels": put(at, f"value {other[1]} 2000000000 {other[3]}"), "one channel more": put(at, f"value {other[1]} {int(other[2]) + 1} {other[3]}"),
        "not hex": put(at + 1, "g" * 32), "NaN": put(at + 1, "7fc00000" * 4), "infinite": put(at + 1, "ff8000007f8000000000000000000000"),
        "upside down": put(at + 1, "3f800000bf8000000000000000000000"), "negative square": put(at + 1, "bf8000003f80000000000000bf800000"),
        "twice": "\n".join(lines[:at] + lines[at:at + 1 + int(other[2])] * 2 + lines[at + 1 + int(other[2]):]),
        "a NUL": text.replace("value", "val\0e", 1),
    }  # fmt: skip
    for i, line in enumerate(lines):  # ranges of fewer channels than the value has, everywhere
        if line.startswith("value "):
            k, index, c, label = line.split(" ", 3)
            cases[f"{label} of fewer channels"] = "\n".join(lines[:i] + [f"{k} {index} {int(c) // 2} {label}"] + lines[i + 1:i + 1 + int(c) // 2] + lines[i + 1 + int(c):])
    for name, bad in cases.items():
        (folder / "bad").write_text(bad)
        p = subprocess.run([server, str(path), str(shape[2]), str(shape[3]), "auto", str(shape[1]), str(folder / "bad")], input="", capture_output=True, text=True, timeout=60)
        fine = p.returncode == 1 and "engine_server: " in p.stderr and len(p.stderr) > 30
        if name.startswith(("d of", "k of", "y of")):  # a pool's, a resize's and a float's: not used then
            fine = p.returncode == 0
        print(f"{'ok  ' if fine else 'FAIL'} refused: {name}: {p.stderr.strip()[:110]}")
        if not fine:
            failures.append(f"wrong file: {name} ({p.returncode})")


def main():
    models.restart()
    import onnx
    server, failures = sys.argv[1], []
    with tempfile.TemporaryDirectory() as tmp:
        folder = Path(tmp)
        isas = models.levels(server, folder)
        model, path = network(), folder / "net.onnx"
        onnx.save(model, str(path))
        for h, w in ((24, 32), (16, 12), (8, 200)):
            compare(f"all steps {h}x{w}", server, path, model, (1, 20, h, w), None, isas, folder, COSINE, True, failures)
        calibrate(server, path, (1, 20, 16, 16), None, folder / "side", folder)
        wrong_files(server, path, (1, 20, 16, 16), folder / "side", folder, failures)
    for f in failures:
        print("FAILED", f)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
