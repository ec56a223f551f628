#!/bin/sh
# onnxruntime==1.32.0 (CPU)
#
# Guess:   Where copies elements, bit by bit: the sign of -0.0 stays, from either branch.
# Instead: a picked -0.0 comes out as +0.0, as if it had been added to a zero.
# Seen:    Where(true, -0.0, -0.0): 0.0   Where(true, -0.0, 5.0): 0.0   1 / each: inf inf
# Matters: a phase by atan2(where(..), x) turns by 2 pi, and 1 / where(..) changes its sign of
#          infinity; multiply by where(.., -1.0, 1.0) to keep a sign.
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

x = np.array([-0.0, -0.0], np.float32)
other = numpy_helper.from_array(np.array([-0.0, 5.0], np.float32), "other")
one = numpy_helper.from_array(np.float32(1), "one")
nodes = [
    helper.make_node("Where", ["c", "x", "other"], ["y"]),
    helper.make_node("Div", ["one", "y"], ["inverse"]),
]
graph = helper.make_graph(
    nodes,
    "g",
    [
        helper.make_tensor_value_info("c", TensorProto.BOOL, [2]),
        helper.make_tensor_value_info("x", TensorProto.FLOAT, [2]),
    ],
    [helper.make_tensor_value_info(name, TensorProto.FLOAT, [2]) for name in ("y", "inverse")],
    [other, one],
)
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
y, inverse = session.run(None, {"c": np.array([True, True]), "x": x})
print(f"Where(true, -0.0, -0.0): {y[0]}   Where(true, -0.0, 5.0): {y[1]}   1 / each:", *inverse)
assert np.signbit(np.where([True, True], x, 5)).all()
assert not np.signbit(y).any()
assert (inverse == np.inf).all()
PYTHON
