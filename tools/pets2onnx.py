#!/usr/bin/env python3
"""The networks of the pet profile from the weight files in their packages to ONNX, with Python's standard
library alone.

usage: pets2onnx.py nanodet.bin nanodet.onnx
       pets2onnx.py efficientnet-lite0-57934424.pth efficientnet_lite0.onnx

nanodet.bin holds NanoDet-g (RangiLyu/nanodet, Apache-2.0) as 16-bit floats without names: CONVS below says where
each layer lies. The outputs are the three maps of 124 channels (80 classes before the sigmoid, then four sides of 11
bins) at strides 8, 16 and 32. The .pth files are EfficientNet-Lite without squeeze-and-excite; the output is the
last map of 1280 channels, before it is averaged: whoever reads it weights its places. The result is the same bytes every time.
"""
import io
import itertools
import struct
import sys

import pt2onnx
from pt2onnx import block, info, number, tensor, varint


def attribute(name, v):
    if isinstance(v, float):
        return block(1, name) + varint(2 << 3 | 5) + struct.pack("<f", v) + number(20, 1)
    if isinstance(v, str):
        return block(1, name) + block(4, v) + number(20, 3)
    return pt2onnx.attribute(name, v)


class Graph:
    def __init__(self):
        self.nodes, self.constants, self.count = [], [], 0

    def constant(self, name, shape, data):
        self.constants.append(tensor(name, shape, data))
        return name

    def op(self, kind, inputs, output=None, **attrs):
        out = output or f"t{self.count}"
        self.count += 1
        body = b"".join(block(1, i) for i in inputs) + block(2, out) + block(3, out) + block(4, kind)
        self.nodes.append(body + b"".join(block(5, attribute(k, v)) for k, v in sorted(attrs.items())))
        return out

    def model(self, name, inputs, outputs):
        graph = b"".join(block(1, n) for n in self.nodes) + block(2, name)
        graph += b"".join(block(5, c) for c in self.constants)
        graph += b"".join(block(11, info(n, s)) for n, s in inputs) + b"".join(block(12, info(n, s)) for n, s in outputs)
        return number(1, 8) + block(2, "vedette pets2onnx") + block(7, graph) + block(8, number(2, 13))


# --- NanoDet-g -----------------------------------------------------------------------------------

NANODET_BYTES = 7574558
# side, channels in, channels out, stride, offset of the weights, offset of the bias
CONVS = (
    (3, 3, 32, 2, 5545944, 5547672), (3, 32, 32, 1, 5547866, 5566298), (3, 32, 16, 1, 5518068, 5527284),
    (3, 16, 16, 1, 5513364, 5517972), (3, 32, 32, 1, 5527384, 5545816), (3, 64, 64, 2, 5566430, 5640158),
    (3, 64, 32, 1, 5365452, 5402316), (3, 32, 32, 1, 5346892, 5365324), (3, 64, 32, 1, 5402448, 5439312),
    (3, 32, 32, 1, 5328332, 5346764), (3, 64, 64, 1, 5439444, 5513172), (3, 128, 128, 2, 5640354, 5935266),
    (3, 128, 64, 1, 4737796, 4885252), (3, 64, 64, 1, 4663876, 4737604), (3, 128, 64, 1, 4885448, 5032904),
    (3, 64, 64, 1, 4589956, 4663684), (3, 128, 128, 1, 5033100, 5328012), (3, 256, 256, 2, 5935590, 7115238),
    (3, 256, 128, 1, 1639288, 2229112), (3, 128, 128, 1, 1344056, 1638968), (3, 256, 128, 1, 2229436, 2819260),
    (3, 128, 128, 1, 1048824, 1343736), (3, 256, 128, 1, 2819584, 3409408), (3, 128, 128, 1, 753592, 1048504),
    (3, 256, 256, 1, 3409732, 4589380), (1, 128, 128, 1, 654680, 687448), (1, 256, 128, 1, 687736, 753272),
    (1, 512, 128, 1, 7115786, 7246858), (3, 128, 128, 1, 120, 295032), (1, 128, 124, 1, 295320, 327064),
    (3, 128, 128, 1, 327408, 622320), (1, 128, 124, 1, 622608, 654352), (3, 128, 128, 1, 7247306, 7542218),
    (1, 128, 124, 1, 7542506, 7574250),
)


def nanodet(data):
    if len(data) != NANODET_BYTES:
        sys.exit(f"pets2onnx: nanodet.bin has {len(data)} bytes instead of {NANODET_BYTES}")
    g = Graph()

    def conv(k, x, leaky=True):
        side, ci, co, stride, at, bias_at = CONVS[k]
        n = side * side * ci * co
        w = struct.unpack_from(f"<{n}e", data, at)  # [y][x][in][out]; ONNX wants [out][in][y][x]
        w = b"".join(struct.pack(f"<{side * side}f", *w[o + i * co::ci * co]) for o in range(co) for i in range(ci))
        b = struct.pack(f"<{co}f", *struct.unpack_from(f"<{co}e", data, bias_at))
        y = g.op("Conv", [x, g.constant(f"w{k}", (co, ci, side, side), w), g.constant(f"b{k}", (co,), b)],
                 kernel_shape=[side, side], pads=[side // 2] * 4, strides=[stride, stride])
        return g.op("LeakyRelu", [y], alpha=0.1) if leaky else y

    def stage(k, x):
        a = conv(k, x)
        b = conv(k + 1, a)
        c = g.op("Concat", [conv(k + 2, b), b], axis=1)
        return a, c, k + 3

    def scale(x, name):
        return g.op("Resize", [x, "", name], mode="linear", coordinate_transformation_mode="half_pixel")

    g.constant("twice", (4,), struct.pack("<4f", 1, 1, 2, 2))
    g.constant("half", (4,), struct.pack("<4f", 1, 1, 0.5, 0.5))
    x = conv(0, "input")
    x = g.op("MaxPool", [x], kernel_shape=[3, 3], pads=[1] * 4, strides=[2, 2])
    a, c, k = stage(1, x)  # one "tiny CSP" of one bottleneck, then with two, two and three
    x = g.op("Concat", [conv(k, c), a], axis=1)
    k += 1
    maps = []
    for bottlenecks in (2, 2, 3):
        a, c, k = stage(k, x)
        for _ in range(bottlenecks - 1):
            b = conv(k, c)
            c = g.op("Concat", [conv(k + 1, b), b], axis=1)
            k += 2
        x = g.op("Concat", [conv(k, c), a], axis=1)
        maps.append(x)
        k += 1
    assert k == 25
    c3, c4, c5 = (conv(25 + i, m, leaky=False) for i, m in enumerate(maps))
    p4 = g.op("Add", [c4, scale(c5, "twice")])
    p3 = g.op("Add", [c3, scale(p4, "twice")])
    n4 = g.op("Add", [p4, scale(p3, "half")])
    n5 = g.op("Add", [c5, scale(n4, "half")])
    outs = []
    for i, m in enumerate((p3, n4, n5)):
        y = conv(29 + 2 * i, conv(28 + 2 * i, m), leaky=False)
        outs.append((g.op("Identity", [y], f"stride{8 << i}"), (1, 124, 52 >> i, 52 >> i)))
    return g.model("nanodet-g", [("input", (1, 3, 416, 416))], outs)


# --- EfficientNet-Lite ---------------------------------------------------------------------------

REPEATS = {16: (1, 2, 2, 3, 3, 4, 1), 18: (1, 2, 2, 3, 3, 4, 1), 21: (1, 3, 3, 4, 4, 5, 1)}
STRIDES = (1, 2, 2, 2, 1, 2, 1)
SIDE = {16: 224, 21: 260}


class Reader(pt2onnx.Reader):
    allowed = {**pt2onnx.Reader.allowed, ("torch", "LongStorage"): "long"}


def load(data):
    """name -> (shape, bytes of floats); counters of batches are left out."""
    f = io.BytesIO(data)
    for _ in range(3):
        Reader(f).load()
    state, keys, raw, sizes = Reader(f).load(), Reader(f).load(), {}, {}
    for name, (storage, *_) in state.items():
        sizes[storage.key] = 8 if name.endswith("num_batches_tracked") else 4
    for key in keys:
        (count,) = struct.unpack("<q", f.read(8))
        raw[key] = f.read(sizes[key] * count)
    out = {}
    for name, (storage, offset, size, stride) in state.items():
        if sizes[storage.key] == 8:
            continue
        step = 1
        for n, s in zip(reversed(size), reversed(stride)):
            if n != 1 and s != step:
                step = None
                break
            step *= n
        if step is None:  # some kernels lie channel by channel
            values = struct.unpack(f"<{len(raw[storage.key]) // 4}f", raw[storage.key])
            picked = [values[offset + sum(i * s for i, s in zip(at, stride))]
                      for at in itertools.product(*(range(n) for n in size))]
            out[name] = (tuple(size), struct.pack(f"<{len(picked)}f", *picked))
        else:
            out[name] = (tuple(size), raw[storage.key][4 * offset:4 * (offset + step)])
    return out


def lite(weights):
    blocks = 1 + max(int(n.split(".")[1]) for n in weights if n.startswith("_blocks."))
    if blocks not in SIDE:
        sys.exit(f"pets2onnx: an EfficientNet-Lite of {blocks} blocks is not known here")
    g, side = Graph(), SIDE[blocks]

    def layer(x, h, conv, norm, stride=1, act=True):
        size, data = weights[conv + ".weight"]
        k, out = size[2], -(-h // stride)
        pad = max((out - 1) * stride + k - h, 0)  # as TensorFlow's "same" does: the odd one to the right
        attrs = {"group": size[0]} if size[1] == 1 and size[0] > 1 else {}
        y = g.op("Conv", [x, g.constant(conv, size, data)], kernel_shape=[k, k], strides=[stride, stride],
                 pads=[pad // 2, pad // 2, pad - pad // 2, pad - pad // 2], **attrs)
        y = g.op("BatchNormalization", [y] + [g.constant(f"{norm}.{p}", *weights[f"{norm}.{p}"])
                                              for p in ("weight", "bias", "running_mean", "running_var")], epsilon=1e-3)
        return (g.op("Clip", [y, "zero", "six"]) if act else y), out

    g.constant("zero", (), struct.pack("<f", 0))
    g.constant("six", (), struct.pack("<f", 6))
    x, h = layer("input", side, "_conv_stem", "_bn0", 2)
    i = 0
    for repeat, stride in zip(REPEATS[blocks], STRIDES):
        for r in range(repeat):
            p, y = f"_blocks.{i}.", x
            cin = None
            if p + "_expand_conv.weight" in weights:
                cin = weights[p + "_expand_conv.weight"][0][1]
                y, h = layer(y, h, p + "_expand_conv", p + "_bn0")
            else:
                cin = weights[p + "_depthwise_conv.weight"][0][0]
            y, h = layer(y, h, p + "_depthwise_conv", p + "_bn1", stride if r == 0 else 1)
            y, h = layer(y, h, p + "_project_conv", p + "_bn2", act=False)
            whole = (r > 0 or stride == 1) and cin == weights[p + "_project_conv.weight"][0][0]
            x = g.op("Add", [y, x]) if whole else y
            i += 1
    x, h = layer(x, h, "_conv_head", "_bn1")
    g.op("Identity", [x], "map")
    return g.model("efficientnet-lite", [("input", (1, 3, side, side))], [("map", (1, 1280, h, h))])


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    with open(sys.argv[1], "rb") as f:
        data = f.read()
    made = lite(load(data)) if sys.argv[1].endswith(".pth") else nanodet(data)
    with open(sys.argv[2], "wb") as f:
        f.write(made)


if __name__ == "__main__":
    main()
