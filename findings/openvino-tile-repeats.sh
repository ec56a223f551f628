#!/bin/sh
# openvino==2026.4.1
#
# Guess:   Tile gives the same whether its repeats are a constant or an input.
# Instead: of four axes of which all are repeated, repeats that are an input give what stands in
#          memory; nothing is said.  Three axes, or a repeat of 1 among the four, are right.
# Seen:    constant: right   input: no value right, of (2, 2, 2, 2) and of (7, 6, 4, 2)
# Matters: torch.Tensor.repeat and expand by sizes taken from a tensor's shape become such a Tile.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3.11 -m venv "$work/venv"
"$work/venv/bin/pip" install -q openvino==2026.4.1 numpy==2.4.6
cd "$work"
"$work/venv/bin/python" - 2>"$work/log" <<'PYTHON' || { tail -n 40 "$work/log" >&2; exit 1; }
import numpy as np
import openvino
from openvino import opset13 as operators

x = np.arange(1, 121, dtype=np.float32).reshape(2, 3, 4, 5)


def right(taken, repeats, as_input):
    """Return the share of values that are right."""
    repeats = np.array(repeats, np.int64)
    given = operators.parameter(list(taken.shape), np.float32)
    if as_input:
        times = operators.parameter([len(repeats)], np.int64)
    else:
        times = operators.constant(repeats)
    parameters = [given, times] if as_input else [given]
    model = openvino.Model([operators.tile(given, times)], parameters)
    compiled = openvino.Core().compile_model(model, "CPU")
    found = compiled([taken, repeats] if as_input else [taken])[0].copy()
    expected = np.tile(taken, repeats)
    assert found.shape == expected.shape
    return float((found == expected).mean())


for repeats in ((2, 2, 2, 2), (7, 6, 4, 2)):
    constant, given = right(x, repeats, False), right(x, repeats, True)
    print(f"{repeats}: constant {constant:.0%} right, input {given:.0%}")
    assert constant == 1
    assert given < 0.01
for taken, repeats in ((x, (1, 1, 2, 2)), (x, (7, 6, 1, 1)), (x[0], (2, 2, 2))):
    assert right(taken, repeats, True) == 1
PYTHON
