#!/bin/sh
# tract==0.23.9
#
# Guess:   a one-sided DFT of opset 18 is computed over whatever axis it names, as at opset 20.
# Instead: over any positive axis but 1 the file is refused; the same axis counted from the end is
#          accepted and right, and so is opset 20.
# Seen:    axis 2: refused   axis -2: 5e-08   axis 1: 6e-08   opset 20, axis 2: 5e-08
# Matters: torch.onnx.export writes positive axes at its usual opset, 18: rfft2 does not load.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3.11 -m venv "$work/venv"
"$work/venv/bin/pip" install -q tract==0.23.9 onnx==1.23.2 numpy==2.4.6
cd "$work"
"$work/venv/bin/python" - 2>"$work/log" <<'PYTHON' || { tail -n 40 "$work/log" >&2; exit 1; }
import numpy as np
import onnx
import tract
from onnx import TensorProto, helper, numpy_helper

x = np.random.default_rng(0).standard_normal((2, 6, 8)).astype(np.float32)


def seen(opset, axis):
    """Return the error, of the largest number, or None where the file is refused."""
    inputs, constants, attributes = ["x"], [], {"onesided": 1}
    positive = axis % 4  # of x with its axis of one number
    shape = [*x.shape, 2]
    shape[positive] = shape[positive] // 2 + 1
    if opset >= 20:
        inputs += ["", "axis"]
        constants.append(numpy_helper.from_array(np.array(axis, np.int64), "axis"))
    else:
        attributes["axis"] = axis
    graph = helper.make_graph(
        [helper.make_node("DFT", inputs, ["y"], **attributes)],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, (*x.shape, 1))],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, shape)],
        constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=10)
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, "net.onnx")
    try:
        runnable = tract.onnx().load("net.onnx").into_model().into_runnable()
    except Exception:
        return None
    pairs = runnable.run([x[..., None]])[0].to_numpy()
    expected = np.fft.rfft(x.astype(float), axis=positive)
    return abs(pairs[..., 0] + 1j * pairs[..., 1] - expected).max() / abs(expected).max()


cases = {"axis 2": (18, 2), "axis -2": (18, -2), "axis 1": (18, 1), "opset 20, axis 2": (20, 2)}
errors = {name: seen(*case) for name, case in cases.items()}
print("   ".join(f"{k}: {'refused' if v is None else f'{v:.0e}'}" for k, v in errors.items()))
assert errors.pop("axis 2") is None
assert all(error is not None and error < 1e-5 for error in errors.values())
PYTHON
