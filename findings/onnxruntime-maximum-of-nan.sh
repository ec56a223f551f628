#!/bin/sh
# onnxruntime==1.32.0 (CPU)
#
# Guess:   a maximum over a NaN is NaN, as in PyTorch and NumPy, or never is: one rule for all.
# Instead: ReduceMax gives NaN if the NaN comes first and the largest number otherwise; MaxPool always
#          drops it; Max (of two tensors) and Relu always keep it.
# Seen:    ReduceMax of [nan 1 2]: nan  of [1 nan 2]: 2.0  MaxPool: 2.0 2.0  Max: nan nan
# Matters: a NaN inside a network with pooling comes out as a plausible number, so that looking for NaN
#          in the outputs finds nothing, and PyTorch and the file seem to disagree without reason.
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


def run(operator, *inputs, shape, **attributes):
    names = [f"x{i}" for i in range(len(inputs))]
    graph = helper.make_graph(
        [helper.make_node(operator, names, ["y"], **attributes)],
        "g",
        [
            helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(x.dtype), x.shape)
            for name, x in zip(names, inputs)
        ],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, shape)],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, dict(zip(names, inputs)))[0].reshape(-1)[0]


first, second = (np.array(x, np.float32) for x in ([np.nan, 1, 2], [1, np.nan, 2]))
reduced = [run("ReduceMax", x, np.array([0]), shape=[1]) for x in (first, second)]
pooled = [run("MaxPool", x.reshape(1, 1, 3), shape=[1, 1, 1], kernel_shape=[3]) for x in (first, second)]
of_two = [run("Max", x, y, shape=[1]) for x, y in [(first[:1], second[:1]), (second[:1], first[:1])]]
print("ReduceMax of [nan 1 2]:", reduced[0], " of [1 nan 2]:", reduced[1], end="  ")
print("MaxPool:", *pooled, " Max:", *of_two)
assert np.isnan(reduced[0]) and reduced[1] == 2
assert pooled == [2, 2]
assert np.isnan(of_two).all()
PYTHON
