#!/bin/sh
# MNN==3.6.1
#
# Guess:   ScatterElements and ScatterND with reduction="add" add to what is there, or are refused.
# Instead: they overwrite it, as without a reduction.
# Seen:    1 and 2 added to zeros at one place: 2 for 3; 5 added to 1: 5 for 6
# Matters: torch.index_add, scatter_add and index_put(accumulate=True): overlap-add, histograms.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3.11 -m venv "$work/venv"
"$work/venv/bin/pip" install -q MNN==3.6.1 onnx==1.23.2 numpy==2.4.6
cd "$work"
"$work/venv/bin/python" - 2>"$work/log" <<'PYTHON' || { tail -n 40 "$work/log" >&2; exit 1; }
import subprocess
import sys

import MNN
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

# the compiled converter: its wrapper MNN.tools.mnnconvert installs a logging SDK when imported
CODE = "import sys, _tools; _tools.mnnconvert(sys.argv)"
OPTIONS = ["-f", "ONNX", "--modelFile", "net.onnx", "--MNNModel", "net.mnn"]


def computed(node, x, shapes, constants=(), opset=18):
    graph = helper.make_graph(
        [node],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, x.shape)],
        [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
            for name, shape in zip(node.output, shapes)
        ],
        [numpy_helper.from_array(value, name) for name, value in dict(constants).items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, "net.onnx")
    subprocess.run([sys.executable, "-c", CODE, *OPTIONS], capture_output=True, check=True)
    module = MNN.nn.load_module_from_file("net.mnn", ["x"], list(node.output))
    given = MNN.expr.placeholder(list(x.shape), MNN.expr.NCHW)
    given.write(x)
    found = []
    for value in module.forward([given]):
        if value.data_format == MNN.expr.NC4HW4:
            value = MNN.expr.convert(value, MNN.expr.NCHW)
        found.append(np.array(value.read()).reshape(value.shape))
    return found


x = np.ones((1, 4), np.float32)
places, values = np.array([[0, 0]]), np.array([[1, 2]], np.float32)
node = helper.make_node("ScatterElements", ["x", "i", "u"], ["y"], axis=1, reduction="add")
(found,) = computed(node, x, [(1, 4)], {"i": places, "u": values})
print("ScatterElements:", *found[0], "for 4 1 1 1")
assert found[0].tolist() == [2, 1, 1, 1]
node = helper.make_node("ScatterND", ["x", "i", "u"], ["y"], reduction="add")
(found,) = computed(
    node, x, [(1, 4)], {"i": np.array([[0, 2]]), "u": np.array([5], np.float32)}
)
print("ScatterND:", *found[0], "for 1 1 6 1")
assert found[0].tolist() == [1, 1, 5, 1]
PYTHON
