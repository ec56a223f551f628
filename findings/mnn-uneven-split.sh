#!/bin/sh
# MNN==3.6.1
#
# Guess:   Split into two of seven values gives four and three, as ONNX has it, or is refused.
# Instead: both have three, and the last value is lost.
# Seen:    num_outputs=2: 0 1 2 | 3 4 5, for 0 1 2 3 | 4 5 6   sizes as an input: right
# Source:  docs of ONNX's operators, Split of opset 18: the last chunk is smaller
# Matters: torch.chunk and tensor_split of odd lengths, where they are written so.
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


x = np.arange(7, dtype=np.float32)[None]
node = helper.make_node("Split", ["x"], ["y", "z"], axis=1, num_outputs=2)
uneven = computed(node, x, [(1, 4), (1, 3)])
node = helper.make_node("Split", ["x", "sizes"], ["y", "z"], axis=1)
sized = computed(node, x, [(1, 4), (1, 3)], {"sizes": np.array([4, 3])})
print("num_outputs:", *[part.ravel().tolist() for part in uneven])
assert [part.ravel().tolist() for part in uneven] == [[0, 1, 2], [3, 4, 5]]
assert [part.ravel().tolist() for part in sized] == [[0, 1, 2, 3], [4, 5, 6]]
PYTHON
