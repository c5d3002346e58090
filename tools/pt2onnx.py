#!/usr/bin/env python3
"""MTCNN's O-Net from its PyTorch weight file to ONNX, with Python's standard library alone.

usage: pt2onnx.py onet.pt mtcnn_onet.onnx

The weight file is a pickle, and a pickle can run code: this reader knows two names (an ordered dict
and a float storage) and refuses everything else. The result is the same bytes every time, so that its
digest can be pinned too. Outputs: prob [1,2], box [1,4], landmarks [1,10] (five x, then five y).
"""
import collections
import io
import itertools
import pickle
import struct
import sys


class Storage:
    def __init__(self, key, count):
        self.key, self.count = key, count


def _rebuild(storage, offset, size, stride, *_):
    return storage, offset, size, stride


class Reader(pickle.Unpickler):
    allowed = {
        ("collections", "OrderedDict"): collections.OrderedDict,
        ("torch._utils", "_rebuild_tensor_v2"): _rebuild,
        ("torch", "FloatStorage"): "float",
    }

    def find_class(self, module, name):
        if (module, name) not in self.allowed:
            raise pickle.UnpicklingError(f"the weight file names {module}.{name}, which is refused")
        return self.allowed[(module, name)]

    def persistent_load(self, pid):
        return Storage(pid[2], pid[4])


def load(data):
    """name -> (shape, bytes of little-endian floats). The legacy format: three headers, the state,
    the keys, then each storage as a count and its floats."""
    f = io.BytesIO(data)
    for _ in range(3):
        Reader(f).load()
    state, keys, raw = Reader(f).load(), Reader(f).load(), {}
    for key in keys:
        (count,) = struct.unpack("<q", f.read(8))
        raw[key] = f.read(4 * count)
    out = {}
    for name, (storage, offset, size, stride) in state.items():
        values = [v for (v,) in struct.iter_unpack("<f", raw[storage.key])]
        order = (offset + sum(i * s for i, s in zip(at, stride))
                 for at in itertools.product(*(range(n) for n in size)))
        picked = [values[i] for i in order]
        out[name] = (tuple(size), struct.pack(f"<{len(picked)}f", *picked))
    return out


# --- protocol buffers, as much as ONNX needs ---------------------------------------------------

def varint(v):
    v &= (1 << 64) - 1
    out = bytearray()
    while v > 127:
        out.append(v & 127 | 128)
        v >>= 7
    out.append(v)
    return bytes(out)


def number(field, v):
    return varint(field << 3) + varint(v)


def block(field, data):
    data = data.encode() if isinstance(data, str) else data
    return varint(field << 3 | 2) + varint(len(data)) + data


def tensor(name, shape, data):
    return b"".join(number(1, d) for d in shape) + number(2, 1) + block(8, name) + block(9, data)


def info(name, shape):
    dims = b"".join(block(1, number(1, d)) for d in shape)
    return block(1, name) + block(2, block(1, number(1, 1) + block(2, dims)))


def attribute(name, v):
    if isinstance(v, int):
        return block(1, name) + number(3, v) + number(20, 2)
    return block(1, name) + b"".join(number(8, i) for i in v) + number(20, 7)


class Graph:
    def __init__(self, weights):
        self.weights, self.nodes, self.constants, self.count = weights, [], [], 0

    def constant(self, name, shape=None):
        size, data = self.weights[name]
        self.constants.append(tensor(name, shape or size, data))
        return name

    def op(self, kind, inputs, output=None, **attrs):
        out = output or f"t{self.count}"
        self.count += 1
        body = b"".join(block(1, i) for i in inputs) + block(2, out) + block(3, out) + block(4, kind)
        self.nodes.append(body + b"".join(block(5, attribute(k, v)) for k, v in attrs.items()))
        return out

    def conv(self, x, n):
        kernel = self.weights[n + ".weight"][0][2:]
        return self.op("Conv", [x, self.constant(n + ".weight"), self.constant(n + ".bias")], kernel_shape=list(kernel))

    def prelu(self, x, n, flat=False):
        c = self.weights[n + ".weight"][0][0]
        return self.op("PRelu", [x, self.constant(n + ".weight", (c,) if flat else (c, 1, 1))])

    def pool(self, x, k):
        return self.op("MaxPool", [x], kernel_shape=[k, k], strides=[2, 2], ceil_mode=1)

    def dense(self, x, n, output=None):
        return self.op("Gemm", [x, self.constant(n + ".weight"), self.constant(n + ".bias")], output, transB=1)


def onet(weights):
    g = Graph(weights)
    x = "input"
    for i, k in ((1, 3), (2, 3), (3, 2)):
        x = g.pool(g.prelu(g.conv(x, f"conv{i}"), f"prelu{i}"), k)
    x = g.prelu(g.conv(x, "conv4"), "prelu4")
    x = g.op("Flatten", [g.op("Transpose", [x], perm=[0, 3, 2, 1])], axis=1)
    x = g.prelu(g.dense(x, "dense5"), "prelu5", flat=True)
    g.op("Softmax", [g.dense(x, "dense6_1")], "prob", axis=1)
    g.dense(x, "dense6_2", "box")
    g.dense(x, "dense6_3", "landmarks")
    graph = b"".join(block(1, n) for n in g.nodes) + block(2, "mtcnn-onet")
    graph += b"".join(block(5, c) for c in g.constants) + block(11, info("input", (1, 3, 48, 48)))
    for name, n in (("prob", 2), ("box", 4), ("landmarks", 10)):
        graph += block(12, info(name, (1, n)))
    return number(1, 6) + block(2, "vedette") + block(7, graph) + block(8, number(2, 11))


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    with open(sys.argv[1], "rb") as f:
        weights = load(f.read())
    with open(sys.argv[2], "wb") as f:
        f.write(onet(weights))


if __name__ == "__main__":
    main()
