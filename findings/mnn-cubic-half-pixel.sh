#!/bin/sh
# MNN==3.6.1
#
# Guess:   Resize in mode cubic by half pixels, ONNX's default, is bicubic interpolation.
# Instead: it is off by as much as the values themselves; by aligned corners it is right.
# Seen:    half_pixel: off by more than 0.5 of 1   align_corners: 5e-07
# Matters: F.interpolate(mode="bicubic") without align_corners becomes that Resize.
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


from onnx.reference import ReferenceEvaluator

x = np.random.default_rng(0).random((1, 2, 6, 6), dtype=np.float32)
sizes = np.array([1, 2, 9, 9])
for mode, wrong in (("half_pixel", True), ("align_corners", False)):
    node = helper.make_node(
        "Resize",
        ["x", "", "", "sizes"],
        ["y"],
        mode="cubic",
        coordinate_transformation_mode=mode,
    )
    (found,) = computed(node, x, [sizes.tolist()], {"sizes": sizes})
    (expected,) = ReferenceEvaluator("net.onnx").run(None, {"x": x})
    off = abs(found - expected).max()
    print(f"{mode}: off by {off:.0e}")
    assert bool(off > 0.1) is wrong
    assert wrong or off < 1e-5
PYTHON
