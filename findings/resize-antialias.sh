#!/bin/sh
# openvino==2026.4.1 MNN==3.6.1
#
# Guess:   Resize with antialias=1 (opset 18) is computed with a filter that grows with the factor, as ONNX
#          Runtime computes it, or is refused.
# Instead: OpenVINO and MNN compute Resize without antialiasing; nothing is said.
# Seen:    ONNX Runtime: 1e-07   OpenVINO and MNN: off by 0.33 of 1, from antialias=0 by 6e-08
# Matters: preprocessing inside a file: photographs made smaller get other pixels than in training.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3.11 -m venv "$work/venv"
"$work/venv/bin/pip" install -q openvino==2026.4.1 MNN==3.6.1 onnxruntime==1.32.0 onnx==1.23.2 numpy==2.4.6
cd "$work"
"$work/venv/bin/python" - 2>"$work/log" <<'PYTHON' || { tail -n 40 "$work/log" >&2; exit 1; }
import subprocess
import sys

import MNN
import numpy as np
import onnx
import onnxruntime
import openvino
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

x = np.random.default_rng(0).random((1, 1, 32, 32), dtype=np.float32)
SIZES = np.array([1, 1, 8, 8])
# the compiled converter: its wrapper MNN.tools.mnnconvert installs a logging SDK when imported
CODE = "import sys, _tools; _tools.mnnconvert(sys.argv)"
OPTIONS = ["-f", "ONNX", "--modelFile", "net.onnx", "--MNNModel", "net.mnn"]


def write(antialias):
    node = helper.make_node("Resize", ["x", "", "", "sizes"], ["y"], mode="linear", antialias=antialias)
    graph = helper.make_graph(
        [node],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, x.shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, SIZES.tolist())],
        [numpy_helper.from_array(SIZES, "sizes")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, "net.onnx")


def in_onnxruntime():
    session = onnxruntime.InferenceSession("net.onnx", providers=["CPUExecutionProvider"])
    return session.run(None, {"x": x})[0]


def in_openvino():
    hint = {"INFERENCE_PRECISION_HINT": "f32"}
    return openvino.Core().compile_model("net.onnx", "CPU", hint)([x])[0].copy()


def in_mnn():
    subprocess.run([sys.executable, "-c", CODE, *OPTIONS], capture_output=True, check=True)
    module = MNN.nn.load_module_from_file("net.mnn", ["x"], ["y"])
    given = MNN.expr.placeholder(list(x.shape), MNN.expr.NCHW)
    given.write(x)
    return np.array(MNN.expr.convert(module.forward([given])[0], MNN.expr.NCHW).read())


write(0)
plain = in_onnxruntime()[0, 0]
write(1)
expected = ReferenceEvaluator("net.onnx").run(None, {"x": x})[0][0, 0]
print(f"ONNX Runtime: {abs(in_onnxruntime()[0, 0] - expected).max():.0e}")
assert abs(in_onnxruntime()[0, 0] - expected).max() < 1e-6
for name, run in (("OpenVINO", in_openvino), ("MNN", in_mnn)):
    found = run().reshape(8, 8)
    off, same = abs(found - expected).max(), abs(found - plain).max()
    print(f"{name}: off by {off:.2f}, from antialias=0 by {same:.0e}")
    assert off > 0.1
    assert same < 1e-6
PYTHON
