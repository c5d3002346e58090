#!/usr/bin/env python3
"""Networks whose weights nobody may hand on, built from their published architecture with random weights: speed does not depend on them.

    python bench/made_networks.py FOLDER      # iresnet50.onnx, scrfd25.onnx

IResNet-50: InsightFace's arcface_torch (Deng et al., CVPR 2019). SCRFD-2.5G with key points: Guo et al., 2021, its searched stages
(3, 5, 3, 2) of (24, 48, 48, 80). As their exporters write them: batch norms behind a convolution are folded, those before one are not.
"""
import sys
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


class Net:
    def __init__(self, seed):
        self.rng, self.nodes, self.inits, self.macs = np.random.default_rng(seed), [], [], 0

    def const(self, value):
        name = f"w{len(self.inits)}"
        self.inits.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def op(self, kind, ins, outs=1, **attrs):
        out = [f"{kind.lower()}{len(self.nodes)}_{k}" for k in range(outs)]
        self.nodes.append(helper.make_node(kind, ins, out, **attrs))
        return out[0] if outs == 1 else out

    def conv(self, x, ci, co, k=3, stride=1, act=None, gain=1.0):
        w = self.rng.standard_normal((co, ci, k, k)).astype(np.float32) * np.float32(gain * (2 / (ci * k * k)) ** 0.5)
        b = self.rng.standard_normal(co).astype(np.float32) * np.float32(0.05)
        x = self.op("Conv", [x, self.const(w), self.const(b)], kernel_shape=[k, k], strides=[stride, stride], pads=[k // 2] * 4,
                    dilations=[1, 1], group=1)  # fmt: skip
        if act == "prelu":
            return self.op("PRelu", [x, self.const(self.rng.uniform(0.1, 0.4, (co, 1, 1)).astype(np.float32))])
        return self.op("Relu", [x]) if act == "relu" else x

    def norm(self, x, c):
        near = lambda m, s: self.const((m + s * self.rng.standard_normal(c)).astype(np.float32))  # noqa: E731
        var = self.const(self.rng.uniform(0.8, 1.2, c).astype(np.float32))
        return self.op("BatchNormalization", [x, near(1, 0.1), near(0, 0.1), near(0, 0.1), var], epsilon=1e-5)

    def save(self, path, shape, outs):
        o = [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in outs]
        i = [helper.make_tensor_value_info("input", TensorProto.FLOAT, shape)]
        model = helper.make_model(helper.make_graph(self.nodes, path.stem, i, o, self.inits), opset_imports=[helper.make_opsetid("", 11)])
        model.ir_version = 6
        onnx.checker.check_model(model)
        onnx.save(model, str(path))


def iresnet50(path):
    n = Net(50)
    x, ci = n.conv("input", 3, 64, act="prelu"), 64
    for planes, blocks in ((64, 3), (128, 4), (256, 14), (512, 3)):
        for b in range(blocks):
            stride = 1 if b else 2
            y = n.conv(n.norm(x, ci), ci, planes, act="prelu")
            y = n.conv(y, planes, planes, stride=stride, gain=0.3)
            x = n.op("Add", [y, x if b else n.conv(x, ci, planes, k=1, stride=2, gain=0.7)])
            ci = planes
    x = n.op("Flatten", [n.norm(x, 512)], axis=1)
    w = n.rng.standard_normal((512, 512 * 49)).astype(np.float32) * np.float32(0.01)
    x = n.op("Gemm", [x, n.const(w), n.const(np.zeros(512, np.float32))], transB=1)
    n.save(path, [1, 3, 112, 112], [(n.norm(x, 512), [1, 512])])


def upsample(n, x):
    none = n.const(np.zeros(0, np.float32))
    return n.op("Resize", [x, none, n.const(np.array([1, 1, 2, 2], np.float32))], mode="nearest", coordinate_transformation_mode="asymmetric",
                nearest_mode="floor")  # fmt: skip


def scrfd25(path):
    n = Net(25)
    x = n.conv("input", 3, 12, stride=2, act="relu")
    x = n.conv(n.conv(x, 12, 12, act="relu"), 12, 24, act="relu")
    x = n.op("MaxPool", [x], kernel_shape=[3, 3], strides=[2, 2], pads=[1] * 4)
    ci, levels = 24, []
    for stage, (planes, blocks) in enumerate(((24, 3), (48, 5), (48, 3), (80, 2))):
        for b in range(blocks):
            stride = 2 if stage and not b else 1
            y = n.conv(n.conv(x, ci, planes, stride=stride, act="relu"), planes, planes, gain=0.5)
            if stride == 2:
                x = n.op("AveragePool", [x], kernel_shape=[2, 2], strides=[2, 2])
            if ci != planes or stride == 2:
                x = n.conv(x, ci, planes, k=1, gain=0.7)
            x, ci = n.op("Relu", [n.op("Add", [y, x])]), planes
        levels.append((x, planes))
    lat = [n.conv(x, c, 24, k=1) for x, c in levels[1:]]
    for i in (1, 0):
        lat[i] = n.op("Add", [lat[i], upsample(n, lat[i + 1])])
    out = [n.conv(x, 24, 24) for x in lat]
    for i in (1, 2):
        out[i] = n.op("Add", [out[i], n.conv(out[i - 1], 24, 24, stride=2)])
    out = [out[0]] + [n.conv(x, 24, 24) for x in out[1:]]
    res = []
    for x, stride in zip(out, (8, 16, 32)):
        x = n.conv(n.conv(x, 24, 64, act="relu"), 64, 64, act="relu")
        rows = (640 // stride) ** 2 * 2
        for width, last in ((1, "Sigmoid"), (4, None), (10, None)):
            y = n.conv(x, 64, 2 * width, gain=0.5)
            y = n.op("Reshape", [n.op("Transpose", [y], perm=[0, 2, 3, 1]), n.const(np.array([-1, width], np.int64))])
            res.append((n.op(last, [y]) if last else y, [rows, width]))
    n.save(path, [1, 3, 640, 640], res)


MADE = {"iresnet50.onnx": iresnet50, "scrfd25.onnx": scrfd25}


def made(folder, file):
    """The network's path; written when it is not there yet."""
    path = Path(folder) / file
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        MADE[file](path)
    return path


if __name__ == "__main__":
    for name in MADE:
        print(made(sys.argv[1], name))
