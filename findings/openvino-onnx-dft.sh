#!/bin/sh
# openvino==2026.4.1
#
# Guess:   OpenVINO computes ONNX's DFT as its specification says: over the axis that is given (at opset
#          20 by an input), one-sided with n // 2 + 1 bins and a last axis of two numbers.
# Instead: at opset 20 the input "axis" is ignored and axis 1 transformed, whatever it says: where the
#          axes are equally long only the numbers are wrong. A one-sided result has an axis too many.
# Seen:    opset 20, axis 2: off by 1.1   from the transform over axis 1 by 1e-07
#          opset 18, one-sided: (1, 8, 5, 1, 2) for (1, 8, 5, 2)   two-sided: off by 4e-08
# Matters: a file by torch.onnx.export with opset_version=20 converts, runs and gives other numbers.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3.11 -m venv "$work/venv"
"$work/venv/bin/pip" install -q openvino==2026.4.1 onnx==1.23.2 numpy==2.4.6
cd "$work"
"$work/venv/bin/python" - 2>"$work/log" <<'PYTHON' || { tail -n 40 "$work/log" >&2; exit 1; }
import numpy as np
import onnx
import openvino
from onnx import TensorProto, helper, numpy_helper

N = 8
x = np.random.default_rng(0).standard_normal((1, N, N)).astype(np.float32)


def found(opset, axis, onesided):
    inputs, constants, attributes = ["x"], [], {"onesided": int(onesided)}
    if opset >= 20:
        inputs += ["", "axis"]
        constants.append(numpy_helper.from_array(np.array(axis, np.int64), "axis"))
    else:
        attributes["axis"] = axis
    graph = helper.make_graph(
        [helper.make_node("DFT", inputs, ["y"], **attributes)],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, (1, N, N, 1))],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, (1, N, N // 2 + 1 if onesided else N, 2))],
        constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=10)
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, "net.onnx")
    settings = {"INFERENCE_PRECISION_HINT": "f32"}
    compiled = openvino.Core().compile_model("net.onnx", "CPU", settings)
    return next(iter(compiled([x[..., None]]).values()))


def error(pairs, expected):
    return abs(pairs[..., 0] + 1j * pairs[..., 1] - expected).max() / abs(expected).max()


over_2, over_1 = np.fft.fft(x.astype(float), axis=2), np.fft.fft(x.astype(float), axis=1)
asked_2 = found(20, 2, onesided=False)
right, wrong = error(asked_2, over_1), error(asked_2, over_2)
print(f"opset 20, axis 2: off by {wrong:.1f}   from the transform over axis 1 by {right:.0e}")
half, whole = found(18, 2, onesided=True).shape, error(found(18, 2, onesided=False), over_2)
print(f"opset 18, one-sided: {half} for (1, 8, 5, 2)   two-sided: off by {whole:.0e}")
assert wrong > 0.1
assert right < 1e-5
assert half == (1, 8, 5, 1, 2)
assert whole < 1e-5
PYTHON
