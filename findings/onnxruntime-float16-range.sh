#!/bin/sh
# onnxruntime==1.32.0 (CPU, without float16 arithmetic for these operators)
#
# Guess:   in a float16 model every value is a float16: 300 * 300 is infinity, and so is what follows.
# Instead: the CPU's kernels are in float32; of the casts around each node those between two nodes
#          are removed, so that values between nodes are float32 as well, and 300 * 300 * 0.01 is 900.
# Seen:    float16 model: [900.]   by the type of its tensors: [inf]
#          with the value in between as an output too: [inf] then [900.]
# Matters: a test of a float16 file on such a machine shows neither overflow nor float16's rounding;
#          the same file overflows where float16 is computed, as on phones. An output in between has
#          float16's infinity and does not alter what comes after it.
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


def run(outputs):
    nodes = [
        helper.make_node("Mul", ["x", "x"], ["square"]),
        helper.make_node("Mul", ["square", "hundredth"], ["y"]),
    ]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT16, [1])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT16, [1]) for name in outputs],
        [numpy_helper.from_array(np.array([0.01], np.float16), "hundredth")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, {"x": np.array([300], np.float16)})


with np.errstate(over="ignore"):
    typed = np.array([300], np.float16) * np.array([300], np.float16) * np.float16(0.01)
(y,) = run(["y"])
square, beside = run(["square", "y"])
print("float16 model:", y, "  by the type of its tensors:", typed)
print("with the value in between as an output too:", square, "then", beside)
assert np.isinf(typed).all()
assert abs(float(y[0]) - 900) < 1
PYTHON
