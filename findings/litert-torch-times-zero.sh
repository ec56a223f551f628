#!/bin/sh
# litert-torch==0.10.0 (ai-edge-litert==2.3.0, torch==2.13.0)
#
# Guess:   x * 0.0 is NaN where x is infinite or NaN, and -0.0 of negative numbers: without a flag for
#          fast mathematics a converter keeps IEEE 754, as PyTorch does.
# Instead: the product is folded to 0 and the sum to its other part; the file has no operator left.
# Seen:    y + x * 0.0 for x of inf, NaN, 1 and y of 1:
#          PyTorch [nan, nan, 1.0]   TFLite [1.0, 1.0, 1.0]   with operators []
# Matters: a check that spreads NaN and infinity on purpose (loss + x * 0) vanishes, and a network that
#          would show that its input is broken answers as if it were not.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3.11 -m venv "$work/venv"
"$work/venv/bin/pip" install -q torch==2.13.0 litert-torch==0.10.0 litert-converter==0.5.0 \
    ai-edge-litert==2.3.0 jax==0.10.2 jaxlib==0.10.2 numpy==2.4.6
cd "$work"
"$work/venv/bin/python" - 2>"$work/log" <<'PYTHON' || { tail -n 40 "$work/log" >&2; exit 1; }
import contextlib
import io
from importlib.metadata import version

import litert_torch
import numpy as np
import torch
from ai_edge_litert.interpreter import Interpreter


class Network(torch.nn.Module):
    def forward(self, x, y):
        return y + x * 0.0


x, y = torch.tensor([float("inf"), float("nan"), 1.0]), torch.ones(3)
with contextlib.redirect_stdout(io.StringIO()):
    model = litert_torch.convert(Network().eval(), (x, y))
    model.export("network.tflite")
there = np.asarray(model(x, y)).tolist()
here = Network()(x, y).tolist()
operators = [operator["op_name"] for operator in Interpreter("network.tflite")._get_ops_details()]
print("litert-torch", version("litert-torch"))
print(f"PyTorch {here}   TFLite {there}   with operators {operators}")
assert np.isnan(here[:2]).all() and here[2] == 1
assert there == [1, 1, 1]
assert "MUL" not in operators
PYTHON
