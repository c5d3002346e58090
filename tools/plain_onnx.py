"""A plain fp32 copy of an ONNX model with block-quantised weights, for engines that cannot read those.

The two int8 files that we use by default store weights as int8 in blocks of 64 along one axis behind
DequantizeLinear (opset 21). y = (x - zero_point) * scale, with scale and zero_point repeated
block_size times along axis; a scale of one element is per tensor whatever block_size says.
ONNX Runtime refuses both files as shipped, so tests and benchmarks give it this copy.
"""
import numpy as np
import onnx
from onnx import helper, numpy_helper


def _dequantise(x, scale, zero, attrs):
    x = x.astype(np.float32)
    if scale.size == 1:
        return (x - zero.reshape(())) * scale.reshape(())
    axis, block = attrs.get("axis", 1), attrs.get("block_size", 0)
    if not block:
        shape = [1] * x.ndim
        shape[axis] = -1
        return (x - zero.reshape(shape)) * scale.reshape(shape)
    whole = [slice(None)] * x.ndim
    whole[axis] = slice(0, x.shape[axis])
    spread = [np.repeat(v, block, axis=axis)[tuple(whole)] for v in (scale, zero)]
    return (x - spread[1]) * spread[0]


def plain(model, height=None, width=None):
    """Fold what is constant, drop Dropout, and fix the input size if one is given."""
    g = model.graph
    const = {t.name: numpy_helper.to_array(t) for t in g.initializer}
    folded, rest, alias = set(), [], {}
    for n in g.node:
        attrs = {a.name: helper.get_attribute_value(a) for a in n.attribute}
        ins = [alias.get(i, i) for i in n.input]
        if n.op_type == "Constant":
            const[n.output[0]] = numpy_helper.to_array(attrs["value"])
            folded.add(n.output[0])
        elif n.op_type == "DequantizeLinear" and ins[0] in const:
            scale = const[ins[1]].astype(np.float32)
            zero = const[ins[2]].astype(np.float32) if len(ins) > 2 and ins[2] else np.zeros_like(scale)
            const[n.output[0]] = _dequantise(const[ins[0]], scale, zero, attrs).astype(np.float32)
            folded.add(n.output[0])
        elif n.op_type == "Reshape" and ins[0] in folded:
            const[n.output[0]] = const[ins[0]].reshape([int(v) for v in const[ins[1]]])
            folded.add(n.output[0])
        elif n.op_type == "Dropout":
            alias[n.output[0]] = ins[0]
        else:
            del n.input[:]
            n.input.extend(ins)
            rest.append(n)
    used = {i for n in rest for i in n.input}
    made = {o for n in rest for o in n.output}
    keep = [numpy_helper.from_array(np.array(v, order="C"), k) for k, v in const.items() if k in used]
    names = {t.name for t in keep}
    inputs = [i for i in g.input if i.name in used and i.name not in names and i.name not in made]
    if height is not None:
        dims = inputs[0].type.tensor_type.shape.dim
        for d, v in zip(dims, (1, None, height, width)):
            if v is not None:
                d.dim_value = v
        for o in g.output:
            o.type.tensor_type.ClearField("shape")
    del g.node[:], g.initializer[:], g.input[:], g.value_info[:]
    g.node.extend(rest)
    g.initializer.extend(keep)
    g.input.extend(inputs)
    if any(o.version > 20 for o in model.opset_import):
        for o in model.opset_import:
            o.version = 11
        model.ir_version = 6
    return model
