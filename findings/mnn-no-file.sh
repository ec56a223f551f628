#!/bin/sh
# MNN==3.6.1
#
# Guess:   mnnconvert ends with a status other than 0 where it cannot convert a network.
# Instead: of a network with ONNX's DFT it writes no file, names the operator, and ends with status 0.
# Seen:    status 0   file written: False   said: These Op Not Support: ONNX::DFT
# Matters: a script that checks the status, as all do, goes on with the file of the run before.
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

import onnx
from onnx import TensorProto, helper

graph = helper.make_graph(
    [helper.make_node("DFT", ["x"], ["y"], axis=1)],
    "g",
    [helper.make_tensor_value_info("x", TensorProto.FLOAT, (1, 16, 1))],
    [helper.make_tensor_value_info("y", TensorProto.FLOAT, (1, 16, 2))],
)
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
onnx.checker.check_model(model, full_check=True)
onnx.save(model, "net.onnx")
# the compiled converter: its wrapper MNN.tools.mnnconvert installs a logging SDK when imported
code = "import sys, _tools; _tools.mnnconvert(sys.argv)"
options = ["-f", "ONNX", "--modelFile", "net.onnx", "--MNNModel", "net.mnn"]
done = subprocess.run([sys.executable, "-c", code, *options], capture_output=True, text=True)
said = next((line for line in (done.stdout + done.stderr).splitlines() if "Not Support" in line), "")
written = Path("net.mnn").exists()
print(f"status {done.returncode}   file written: {written}   said: {said.strip()}")
assert done.returncode == 0
assert not written
assert "DFT" in done.stdout + done.stderr
PYTHON
