#!/bin/sh
# tract==0.23.9
#
# Guess:   Swish of opset 24 with alpha 1.702 gives x * sigmoid(1.702 * x).
# Instead: alpha is ignored: x * sigmoid(x).  Written as Mul and Sigmoid the same is right.
# Seen:    Swish: off by 0.17, from alpha 1: 2e-07   Mul and Sigmoid: 2e-07
# Matters: the quick GELU of CLIP and of ViTs is Swish with alpha 1.702.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3.11 -m venv "$work/venv"
"$work/venv/bin/pip" install -q tract==0.23.9 onnx==1.23.2 numpy==2.4.6
cd "$work"
"$work/venv/bin/python" - 2>"$work/log" <<'PYTHON' || { tail -n 40 "$work/log" >&2; exit 1; }
import numpy as np
import onnx
import tract
from onnx import TensorProto, helper, numpy_helper

x = np.linspace(-4, 4, 17, dtype=np.float32)
ALPHA = 1.702


def computed(nodes, constants=()):
    value = [helper.make_tensor_value_info(name, TensorProto.FLOAT, x.shape) for name in "xy"]
    graph = helper.make_graph(nodes, "g", value[:1], value[1:], list(constants))
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 24)], ir_version=10)
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, "net.onnx")
    return tract.onnx().load("net.onnx").into_model().into_runnable().run([x])[0].to_numpy()


def swish(alpha):
    return x / (1 + np.exp(-alpha * x.astype(float)))


one = computed([helper.make_node("Swish", ["x"], ["y"], alpha=ALPHA)])
factor = numpy_helper.from_array(np.array(ALPHA, np.float32), "alpha")
steps = computed(
    [
        helper.make_node("Mul", ["x", "alpha"], ["scaled"]),
        helper.make_node("Sigmoid", ["scaled"], ["gate"]),
        helper.make_node("Mul", ["x", "gate"], ["y"]),
    ],
    [factor],
)
print(
    f"Swish: off by {abs(one - swish(ALPHA)).max():.2f}, from alpha 1: "
    f"{abs(one - swish(1)).max():.0e}   Mul and Sigmoid: {abs(steps - swish(ALPHA)).max():.0e}"
)
assert abs(one - swish(ALPHA)).max() > 0.1
assert abs(one - swish(1)).max() < 1e-6
assert abs(steps - swish(ALPHA)).max() < 1e-6
PYTHON
