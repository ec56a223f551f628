#!/bin/sh
# MNN==3.6.1
#
# Guess:   Round takes halves to the even number, and Mod with fmod=1 the sign of what is divided, as
#          ONNX has them, numpy and PyTorch.
# Instead: Round takes halves away from zero, and Mod the sign of the divisor, as fmod=0 would.
# Seen:    Round of 0.5, 1.5, 2.5: 1, 2, 3 for 0, 2, 2   Mod of -7 by 3: 2 for -1
# Source:  docs of ONNX's operators, Round and Mod
# Matters: quantization written as Round, and torch.fmod.
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


halves = np.array([-2.5, -1.5, -0.5, 0.5, 1.5, 2.5, 2.3], np.float32)
(rounded,) = computed(helper.make_node("Round", ["x"], ["y"]), halves, [(7,)])
print("Round:", *rounded, "for", *np.round(halves))
assert rounded.tolist() == [-3, -2, -1, 1, 2, 3, 2]
x, by = np.array([-7, 7, -7.5], np.float32), np.array([3, -3, 2], np.float32)
node = helper.make_node("Mod", ["x", "by"], ["y"], fmod=1)
(left,) = computed(node, x, [(3,)], {"by": by})
print("Mod:", *left, "for", *np.fmod(x, by))
assert np.allclose(left, np.mod(x, by))
assert not np.allclose(left, np.fmod(x, by))
PYTHON
