#!/bin/sh
# onnxruntime==1.32.0 (CPU)
#
# Guess:   Sigmoid(-18) is 1.5e-8 in float32, correct to some digits, as Exp is: sigmoids are small
#          there but far from the smallest float32.
# Instead: from -18 down it is exactly 0, and from -15 to -18 it has an error of tens of per cent and
#          is not even monotonic: all values are multiples of 3e-8, the step of float32 below 0.5.
# Seen:    at -15, -17, -17.75, -18, -20:
#          Sigmoid       [3.5762787e-07 8.9406967e-08 5.9604645e-08 0.0000000e+00 0.0000000e+00]
#          1/(1+Exp(-x)) [3.0590220e-07 4.1399378e-08 1.9555682e-08 1.5229981e-08 2.0611537e-09]
# Matters: log(sigmoid(x)) is -infinity for a logit of -18, and gated or focal losses and detector
#          scores compare equal; LiteRT and XNNPACK keep these values.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3.11 -m venv "$work/venv"
"$work/venv/bin/pip" install -q onnx==1.23.2 onnxruntime==1.32.0 numpy==2.4.6
cd "$work"
"$work/venv/bin/python" - 2>"$work/log" <<'PYTHON' || { tail -n 40 "$work/log" >&2; exit 1; }
import numpy as np
import onnxruntime as ort
from onnx import TensorProto, helper, numpy_helper

points = np.array([-15, -17, -17.75, -18, -20], np.float32)
one = numpy_helper.from_array(np.float32(1), "one")
nodes = [
    helper.make_node("Sigmoid", ["x"], ["direct"]),
    helper.make_node("Neg", ["x"], ["minus"]),
    helper.make_node("Exp", ["minus"], ["power"]),
    helper.make_node("Add", ["power", "one"], ["sum"]),
    helper.make_node("Div", ["one", "sum"], ["composed"]),
]
values = {n: helper.make_tensor_value_info(n, TensorProto.FLOAT, [5]) for n in ("x", "direct", "composed")}
graph = helper.make_graph(nodes, "g", [values["x"]], [values["direct"], values["composed"]], [one])
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
direct, composed = session.run(None, {"x": points})
print("at -15, -17, -17.75, -18, -20:")
print("Sigmoid      ", direct)
print("1/(1+Exp(-x))", composed)
true = 1 / (1 + np.exp(-points.astype(np.float64)))
assert abs(composed / true - 1).max() < 1e-5
assert (direct[3:] == 0).all()
assert abs(direct[1] / true[1] - 1) > 0.3
PYTHON
