#!/bin/sh
# MNN==3.6.1
#
# Guess:   mnnconvert --fp16 rounds weights to the nearest number of float16.
# Instead: it cuts them off, towards zero: twice the largest error of one weight, all to one side.
# Seen:    equal to truncation: 64 of 64   to rounding: 0 of 64
# Source:  a convolution of one pixel with weights three quarters of the way between two numbers of float16
# Matters: an fp16 file has ten times the error that it need have.
#          Weights that are rounded before the conversion lose nothing by it.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3.11 -m venv "$work/venv"
"$work/venv/bin/pip" install -q MNN==3.6.1 onnx==1.23.2 numpy==2.4.6
cd "$work"
"$work/venv/bin/python" - 2>"$work/log" <<'PYTHON' || { tail -n 40 "$work/log" >&2; exit 1; }
import subprocess
import sys

import numpy as np
import onnx
from onnx import TensorProto, helper

spacing = 2.0**-10  # of float16 from 1 to 2
weights = (1 + spacing * (np.arange(64) + 0.75)).astype(np.float32).reshape(64, 1, 1, 1)
graph = helper.make_graph(
    [helper.make_node("Conv", ["x", "W"], ["y"])],
    "g",
    [helper.make_tensor_value_info("x", TensorProto.FLOAT, (1, 1, 4, 4))],
    [helper.make_tensor_value_info("y", TensorProto.FLOAT, (1, 64, 4, 4))],
    [onnx.numpy_helper.from_array(weights, "W")],
)
opset = helper.make_opsetid("", 18)
onnx.save(helper.make_model(graph, opset_imports=[opset], ir_version=10), "net.onnx")
# the compiled converter: its wrapper MNN.tools.mnnconvert installs a logging SDK when imported
code = "import sys, _tools; _tools.mnnconvert(sys.argv)"
options = ["-f", "ONNX", "--modelFile", "net.onnx", "--MNNModel", "net.mnn", "--fp16"]
subprocess.run([sys.executable, "-c", code, *options], check=True, stdout=subprocess.DEVNULL)

import _mnncengine as engine

interpreter = engine.Interpreter("net.mnn")
session = interpreter.createSession({"backend": "CPU", "precision": "high", "numThread": 1})
ones = np.ones((1, 1, 4, 4), np.float32)
layout = engine.Tensor_DimensionType_Caffe
interpreter.getSessionInput(session).copyFrom(
    engine.Tensor(ones.shape, engine.Halide_Type_Float, ones, layout)
)
interpreter.runSession(session)
zeros = np.zeros((1, 64, 4, 4), np.float32)
result = engine.Tensor(zeros.shape, engine.Halide_Type_Float, zeros, layout)
interpreter.getSessionOutput(session).copyToHostTensor(result)
found = np.array(result.getNumpyData()).reshape(64, 16)[:, 0]
exact = weights.ravel()
truncated = (1 + spacing * np.floor((exact - 1) / spacing)).astype(np.float32)
rounded = exact.astype(np.float16).astype(np.float32)
cut, nearest = int((found == truncated).sum()), int((found == rounded).sum())
print(f"equal to truncation: {cut} of 64   to rounding: {nearest} of 64")
assert cut == 64
assert nearest == 0
PYTHON
