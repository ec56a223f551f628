#!/bin/sh
# torch==2.13.0
#
# Guess:   torch.export refuses reflection padding beyond a signal's length, as eager PyTorch does, so that a
#          network that catches the error and pads with zeros is exported with the zeros.
# Instead: it lets the padding through: the program holds the reflection, and every run of it raises.
# Seen:    eager: shape (1, 56)   program: RuntimeError, Padding size should be less than the corresponding input dimension
# Matters: front ends of audio (nnAudio's VQT) pad short octaves so; the export succeeds, and its program cannot run.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3.11 -m venv "$work/venv"
"$work/venv/bin/pip" install -q torch==2.13.0 numpy==2.4.6
cd "$work"
"$work/venv/bin/python" - 2>"$work/log" <<'PYTHON' || { tail -n 40 "$work/log" >&2; exit 1; }
import torch
from torch.nn.functional import pad


class PadsAsItCan(torch.nn.Module):
    def forward(self, x):
        try:
            return pad(x, (20, 20), "reflect")
        except RuntimeError:
            return pad(x, (20, 20))


x = torch.ones(1, 16)
network = PadsAsItCan().eval()
eager = network(x)
program = torch.export.export(network, (x,))
try:
    program.module()(x)
    said = "runs"
except RuntimeError as error:
    said = str(error)
print(f"torch {torch.__version__}")
print(f"eager: shape {tuple(eager.shape)}   program: {said.splitlines()[0]}")
assert eager.shape == (1, 56)
assert "Padding size should be less" in said
PYTHON
