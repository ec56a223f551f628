#!/bin/sh
# MNN==3.6.1
#
# Guess:   ReduceL2 over the last axis reduces over the last axis, in every opset, or is refused.
# Instead: where the axes are an input, as since opset 18, MNN ignores them and reduces over all axes:
#          one number for twelve.  ReduceL1, ReduceSumSquare, ReduceLogSum and ReduceLogSumExp alike;
#          ReduceSum, ReduceMean, ReduceMax, ReduceMin and ReduceProd are right.  Nothing is said.
# Seen:    opset 13: (1, 3, 4), off by 0e+00   opset 18: (), the norm of the whole tensor
# Source:  docs of ONNX's operators: axes became an input in opset 18
# Matters: torch.abs of a spectrum, F.normalize and vector_norm become ReduceL2 of opset 18.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3.11 -m venv "$work/venv"
"$work/venv/bin/pip" install -q MNN==3.6.1 onnx==1.23.2 numpy==2.4.6
cd "$work"
"$work/venv/bin/python" - 2>"$work/log" <<'PYTHON' || { tail -n 40 "$work/log" >&2; exit 1; }
import subprocess
import sys
from pathlib import Path

import MNN
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

x = np.random.default_rng(0).random((1, 3, 4, 2), dtype=np.float32)
# the compiled converter: its wrapper MNN.tools.mnnconvert installs a logging SDK when imported
CODE = "import sys, _tools; _tools.mnnconvert(sys.argv)"
OPTIONS = ["-f", "ONNX", "--modelFile", "net.onnx", "--MNNModel", "net.mnn"]


def computed(operator, opset):
    newer = opset >= 18
    axes = {} if newer else {"axes": [-1]}
    graph = helper.make_graph(
        [helper.make_node(operator, ["x", "axes"][: 1 + newer], ["y"], keepdims=0, **axes)],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, x.shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, x.shape[:-1])],
        [numpy_helper.from_array(np.array([-1]), "axes")] if newer else [],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, "net.onnx")
    Path("net.mnn").unlink(missing_ok=True)
    subprocess.run([sys.executable, "-c", CODE, *OPTIONS], capture_output=True, check=True)
    module = MNN.nn.load_module_from_file("net.mnn", ["x"], ["y"])
    given = MNN.expr.placeholder(list(x.shape), MNN.expr.NCHW)
    given.write(x)
    return np.array(module.forward([given])[0].read())


expected = np.linalg.norm(x, axis=-1)
before, after = computed("ReduceL2", 13), computed("ReduceL2", 18)
print(
    f"opset 13: {before.shape}, off by {abs(before - expected).max():.0e}   "
    f"opset 18: {after.shape}, {after} (the norm of all: {np.linalg.norm(x)})"
)
assert np.allclose(before, expected, atol=1e-6)
assert after.shape == ()
assert np.isclose(after, np.linalg.norm(x))
for operator in ("ReduceL1", "ReduceSumSquare", "ReduceLogSum", "ReduceLogSumExp"):
    assert computed(operator, 18).shape == (), operator
assert np.allclose(computed("ReduceMax", 18), x.max(-1))
PYTHON
