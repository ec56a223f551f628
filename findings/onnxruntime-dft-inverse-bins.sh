#!/bin/sh
# onnxruntime==1.32.0
#
# Guess:   the inverse one-sided DFT with dft_length 16 of 4 bins pads the spectrum to 9 bins with zeros,
#          as numpy.fft.irfft(X, 16) and onnx's reference do, or is refused.
# Instead: it computes other numbers, and says nothing.  With the 9 bins of 16 points it is right.
# Seen:    9 bins: ONNX Runtime 7e-08, onnx's reference 6e-08   4 bins: 2e-01, 1e-07   12 bins: 7e-01, 7e-08
# Matters: low-passes, which give irfft fewer bins than it could have.  torch's exporter always writes
#          the right number of bins; other writers may not.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3.11 -m venv "$work/venv"
"$work/venv/bin/pip" install -q onnxruntime==1.32.0 onnx==1.23.2 numpy==2.4.6
cd "$work"
"$work/venv/bin/python" - 2>"$work/log" <<'PYTHON' || { tail -n 40 "$work/log" >&2; exit 1; }
import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

POINTS = 16
generator = np.random.default_rng(0)


def errors(bins):
    """Return those of ONNX Runtime and of onnx's reference, of the largest number."""
    spectrum = generator.standard_normal((1, bins, 2)).astype(np.float32)
    spectrum[:, 0, 1] = 0  # as of a real signal; with 9 bins so is the last
    if bins == POINTS // 2 + 1:
        spectrum[:, -1, 1] = 0
    graph = helper.make_graph(
        [helper.make_node("DFT", ["x", "points", "axis"], ["y"], inverse=1, onesided=1)],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, spectrum.shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [
            numpy_helper.from_array(np.array(POINTS, np.int64), "points"),
            numpy_helper.from_array(np.array(1, np.int64), "axis"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    expected = np.fft.irfft(spectrum[..., 0] + 1j * spectrum[..., 1].astype(float), POINTS)
    session = onnxruntime.InferenceSession(model.SerializeToString())
    results = session.run(None, {"x": spectrum}), ReferenceEvaluator(model).run(None, {"x": spectrum})
    return [abs(one[0].reshape(expected.shape) - expected).max() / abs(expected).max() for one in results]


right, fewer, more = errors(9), errors(4), errors(12)
for name, (here, reference) in {"9 bins": right, "4 bins": fewer, "12 bins": more}.items():
    print(f"{name}: ONNX Runtime {here:.0e}, onnx's reference {reference:.0e}   ", end="")
print()
assert right[0] < 1e-5
assert fewer[0] > 0.01
assert more[0] > 0.01
PYTHON
