#!/bin/sh
# onnxsim==0.8.1
#
# Guess:   a valid model stays valid when it is simplified.
# Instead: of a GRU whose first output and whose sequence_lens are omitted, both by the empty name as ONNX
#          has it, onnxsim writes down the type of the omitted output; ONNX's checker takes it for that of
#          the omitted input, and rejects the result.
# Seen:    before: passes   after: "sequence_lens typestr: T1, has unsupported type: tensor(float)"
# Matters: torch.onnx.export omits outputs that nobody uses: a network that takes a GRU's last state.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3.11 -m venv "$work/venv"
"$work/venv/bin/pip" install -q onnxsim==0.8.1 onnx==1.23.2 onnxruntime==1.32.0 numpy==2.4.6
cd "$work"
"$work/venv/bin/python" - 2>"$work/log" <<'PYTHON' || { tail -n 40 "$work/log" >&2; exit 1; }
import numpy as np
import onnx
import onnxsim
from onnx import TensorProto, helper, numpy_helper

generator = np.random.default_rng(0)
SHAPES = {"w": (1, 9, 4), "r": (1, 9, 3), "b": (1, 18), "h0": (1, 1, 3)}
constants = [
    numpy_helper.from_array(generator.standard_normal(shape).astype(np.float32), name)
    for name, shape in SHAPES.items()
]
graph = helper.make_graph(
    [helper.make_node("GRU", ["x", "w", "r", "b", "", "h0"], ["", "h"], hidden_size=3)],
    "g",
    [helper.make_tensor_value_info("x", TensorProto.FLOAT, (5, 1, 4))],
    [helper.make_tensor_value_info("h", TensorProto.FLOAT, (1, 1, 3))],
    constants,
)
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
onnx.checker.check_model(model, full_check=True)
simplified, same = onnxsim.simplify(model)
print("names with a type:", [value.name for value in simplified.graph.value_info])
assert same
assert "" in [value.name for value in simplified.graph.value_info]
try:
    onnx.checker.check_model(simplified, full_check=True)
except Exception as error:
    print("after:", str(error).splitlines()[0])
    assert "sequence_lens typestr: T1, has unsupported type: tensor(float)" in str(error)
else:
    raise AssertionError("it passes")
PYTHON
