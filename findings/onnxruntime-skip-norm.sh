#!/bin/sh
# onnxruntime==1.26.0, 1.29.0 and 1.32.0 (CPU, x86 with AVX2)
#
# Guess:   y = LayerNormalization(a + b) takes no longer where ONNX Runtime fuses the two into
#          SkipLayerNormalization, and releases differ by some per cent.
# Instead: in 1.32.0 (and 1.30, 1.31) the fused operator takes over four times as long as both; in
#          1.29.0 (and 1.27, 1.28) the unfused LayerNormalization does; in 1.26.0 neither.  On an
#          emulated Arm processor 1.32.0 takes the same for both.
# Seen:    fused over unfused, 512 x 768, one thread:
#          1.26.0  0.77 ( 512 us,  666 us)
#          1.29.0  0.21 ( 538 us, 2544 us)
#          1.32.0  5.50 (2372 us,  431 us)
# Matters: transformers with their norms behind the sums (BERT, FNet) lose several per cent by an
#          update, whichever release it comes from; a Reshape between the sum and the norm prevents
#          the fusion, and so does disabled_optimizers=["SkipLayerNormFusion"].
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3.11 -m venv "$work/venv"
"$work/venv/bin/pip" install -q onnx==1.23.2 numpy==2.4.6 protobuf flatbuffers packaging
for version in 1.26.0 1.29.0 1.32.0; do
    "$work/venv/bin/pip" install -q --no-deps --target "$work/$version" onnxruntime==$version
done
cd "$work"
cat >compare.py <<'PYTHON'
import sys
import time

import numpy as np
import onnxruntime as ort
from onnx import TensorProto, helper, numpy_helper

low, high = map(float, sys.argv[1:])
ones = numpy_helper.from_array(np.ones(768, np.float32), "w")
nodes = [
    helper.make_node("Add", ["a", "b"], ["s"]),
    helper.make_node("LayerNormalization", ["s", "w"], ["y"], axis=-1),
]
values = {n: helper.make_tensor_value_info(n, TensorProto.FLOAT, [1, 512, 768]) for n in "aby"}
graph = helper.make_graph(nodes, "g", [values["a"], values["b"]], [values["y"]], [ones])
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
options = ort.SessionOptions()
options.intra_op_num_threads = 1
sessions = [
    ort.InferenceSession(
        model.SerializeToString(), options, ["CPUExecutionProvider"], disabled_optimizers=names
    )
    for names in ([], ["SkipLayerNormFusion"])
]
random = np.random.default_rng(0)
feed = {name: random.normal(size=(1, 512, 768)).astype(np.float32) for name in "ab"}
times = np.zeros((21, 2))
for turn in range(-2, 21):
    for index, session in enumerate(sessions):
        begin = time.process_time()
        for _ in range(10):
            session.run(None, feed)
        times[turn, index] = (time.process_time() - begin) * 1e5
fused, unfused = np.median(times, axis=0)
print(f"{ort.__version__}  {fused / unfused:.2f} ({fused:.0f} us, {unfused:.0f} us)")
assert low < fused / unfused < high
PYTHON
compare() {
    PYTHONPATH="$work/$1" "$work/venv/bin/python" compare.py "$2" "$3" 2>"$work/log" ||
        { tail -n 40 "$work/log" >&2; exit 1; }
}
compare 1.26.0 0.4 1.6
compare 1.29.0 0.0 0.4
compare 1.32.0 2.5 20
