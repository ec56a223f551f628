#!/bin/sh
# openvino==2026.4.1
#
# Guess:   an ONNX LSTM, GRU or RNN of layout 1 takes batch x steps x features, or is refused.
# Instead: the attribute is ignored: the batch is read as the sequence, and the steps as the batch.
#          Where both are as many, nothing is said and the numbers are wrong.
# Seen:    layout 0: 1e-07   layout 1: off by 0.5 to 1.9
# Source:  ONNX's LSTM since opset 14: layout 1 is batch-first
# Matters: batch-first is what PyTorch's users write; exporters that keep it as layout 1 fail here.
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

STEPS = BATCH = 3
generator = np.random.default_rng(0)
x = generator.standard_normal((STEPS, BATCH, 4)).astype(np.float32)


def computed(operator, gates, layout):
    weights = np.random.default_rng(1)
    constants = [
        numpy_helper.from_array(weights.standard_normal(shape).astype(np.float32), name)
        for name, shape in (("w", (1, gates * 5, 4)), ("r", (1, gates * 5, 5)))
    ]
    node = helper.make_node(operator, ["x", "w", "r"], ["y"], hidden_size=5, layout=layout)
    shape = (BATCH, STEPS, 1, 5) if layout else (STEPS, 1, BATCH, 5)
    graph = helper.make_graph(
        [node],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, x.shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, shape)],
        constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 22)], ir_version=10)
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, "net.onnx")
    taken = x.transpose(1, 0, 2).copy() if layout else x
    hint = {"INFERENCE_PRECISION_HINT": "f32"}
    found = openvino.Core().compile_model("net.onnx", "CPU", hint)([taken])[0]
    # steps x batch x features, either way
    return found.reshape(BATCH, STEPS, 5).transpose(1, 0, 2) if layout else found[:, 0]




weights = np.random.default_rng(1)
w, r = weights.standard_normal((5, 4)), weights.standard_normal((5, 5))
state, states = np.zeros((BATCH, 5)), []
for step in x:
    state = np.tanh(step @ w.astype(np.float32).T + state @ r.astype(np.float32).T)
    states.append(state)
assert abs(computed("RNN", 1, 0) - np.array(states)).max() < 1e-5
for operator, gates in (("RNN", 1), ("GRU", 3), ("LSTM", 4)):
    first, last = computed(operator, gates, 0), computed(operator, gates, 1)
    print(f"{operator}: layout 1 differs from layout 0 by {abs(first - last).max():.2f}")
    assert abs(first - last).max() > 0.05
PYTHON
