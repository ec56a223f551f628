#!/bin/sh
# tract==0.23.9
#
# Guess:   an LSTM, GRU or RNN of direction "reverse" reads its sequence from the end, or is refused.
# Instead: it reads from the start, as a forward one with the same weights; nothing is said.  Of
#          "bidirectional" both halves are right.
# Seen:    reverse: off by 0.3 to 1, from the forward layer by 0   bidirectional: 1e-07
# Matters: recurrent layers that run backwards, as Keras' go_backwards=True, come out wrong.
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
from onnx.reference import ReferenceEvaluator

generator = np.random.default_rng(0)
x = generator.standard_normal((5, 1, 4)).astype(np.float32)


def model(operator, gates, direction):
    count = 2 if direction == "bidirectional" else 1
    shapes = {"w": (count, gates * 3, 4), "r": (count, gates * 3, 3)}
    weights = np.random.default_rng(1)
    constants = [
        numpy_helper.from_array(weights.standard_normal(shape).astype(np.float32), name)
        for name, shape in shapes.items()
    ]
    node = helper.make_node(
        operator, ["x", "w", "r"], ["y"], hidden_size=3, direction=direction
    )
    given = helper.make_tensor_value_info("y", TensorProto.FLOAT, (5, count, 1, 3))
    taken = helper.make_tensor_value_info("x", TensorProto.FLOAT, x.shape)
    graph = helper.make_graph([node], "g", [taken], [given], constants)
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 22)], ir_version=10)
    onnx.checker.check_model(made, full_check=True)
    return made


def computed(made):
    onnx.save(made, "net.onnx")
    return tract.onnx().load("net.onnx").into_model().into_runnable().run([x])[0].to_numpy()


def reversed_by_hand(operator, gates):
    """Return what the forward layer gives for the reversed sequence, reversed."""
    forward = model(operator, gates, "forward")
    return ReferenceEvaluator(forward).run(None, {"x": x[::-1].copy()})[0][::-1]


for operator, gates in (("LSTM", 4), ("GRU", 3), ("RNN", 1)):
    expected = reversed_by_hand(operator, gates)
    found = computed(model(operator, gates, "reverse"))
    forward = computed(model(operator, gates, "forward"))
    right = ReferenceEvaluator(model(operator, gates, "forward")).run(None, {"x": x})[0]
    print(
        f"{operator}: reverse off by {abs(found - expected).max():.1g}, "
        f"from the forward layer {abs(found - forward).max():.0e}"
    )
    assert abs(forward - right).max() < 1e-5
    assert abs(found - expected).max() > 0.1
    assert abs(found - forward).max() < 1e-6
    if operator == "RNN":  # the halves of a bidirectional one, whose weights differ
        both = model(operator, gates, "bidirectional")
        w, r = map(numpy_helper.to_array, both.graph.initializer)
        halves = computed(both)
        for half, order in ((0, 1), (1, -1)):
            state, states = np.zeros(3), []
            for step in x[::order, 0]:
                state = np.tanh(w[half] @ step + r[half] @ state)
                states.append(state)
            assert abs(halves[:, half, 0] - np.array(states)[::order]).max() < 1e-5
PYTHON
