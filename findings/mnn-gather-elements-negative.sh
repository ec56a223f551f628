#!/bin/sh
# MNN==3.6.1
#
# Guess:   GatherElements takes negative indices from the end, as Gather does.
# Instead: where an index is negative the result is 0; Gather with the same indices is right.
# Seen:    GatherElements at -1, 0: 0, 1 for 4, 1   Gather: 4, 1
# Source:  docs of ONNX's operators: indices in -s..s-1
# Matters: torch.gather and take_along_dim by indices that count from the end.
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


x = np.array([[1, 2, 3, 4]], np.float32)
places = np.array([[-1, 0]])
node = helper.make_node("GatherElements", ["x", "i"], ["y"], axis=1)
(elements,) = computed(node, x, [(1, 2)], {"i": places})
node = helper.make_node("Gather", ["x", "i"], ["y"], axis=1)
(slices,) = computed(node, x, [(1, 2)], {"i": places[0]})
print("GatherElements:", *elements[0], "  Gather:", *slices[0])
assert elements[0].tolist() == [0, 1]
assert slices[0].tolist() == [4, 1]
PYTHON
