#!/bin/sh
# onnxruntime==1.32.0 (CPU)
#
# Guess:   the DFT operator in float32 is correct to about 1e-6 of the largest value for any length,
#          as numpy.fft is.
# Instead: only powers of two are. At all other lengths tried, 1000 and 1536 as well as primes, the
#          error is 40 to 800 times that, and grows with the length.
# Seen:    error by the largest value, DFT operator and numpy.fft in float32:
#          64: 4.9e-07 4.2e-08   97: 1.9e-05 2.8e-08   1000: 3.3e-04 4.2e-08   1024: 7.4e-07 2.7e-08
# Matters: transforms of image sides like 224 or of audio frames like 400 lose two or three of
#          float32's seven digits; with sides padded to a power of two, or with a matrix product, they do not.
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


def errors(n):
    x = np.random.default_rng(0).standard_normal((1, n, 1)).astype(np.float32)
    axis = numpy_helper.from_array(np.array(1, np.int64), "axis")
    node = helper.make_node("DFT", ["x", "", "axis"], ["y"])
    graph = helper.make_graph(
        [node],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, x.shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, n, 2])],
        [axis],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    pair = session.run(None, {"x": x})[0]
    true = np.fft.fft(x[..., 0].astype(np.float64))
    here = pair[..., 0] + 1j * pair[..., 1]
    return [abs(found - true).max() / abs(true).max() for found in (here, np.fft.fft(x[..., 0]))]


found = {n: errors(n) for n in (64, 97, 1000, 1024)}
print("error by the largest value, DFT operator and numpy.fft in float32:")
print("   ".join(f"{n}: {a:.1e} {b:.1e}" for n, (a, b) in found.items()))
assert all(found[n][1] < 1e-6 for n in found)
assert max(found[64][0], found[1024][0]) < 5e-6
assert found[97][0] > 1e-5
assert found[1000][0] > 1e-4
PYTHON
