#!/bin/sh
# executorch==1.5.1 (XNNPACK, by its partitioner; torch==2.13.0)
#
# Guess:   gelu(x, approximate="tanh") is the GELU by tanh, as in PyTorch and in ExecuTorch's portable kernel.
# Instead: once XNNPACK takes it, it is the exact GELU; the argument is ignored.
# Seen:    largest distance from PyTorch's on -4 .. 4: portable 1e-07   XNNPACK 5e-04, and that from the exact one 5e-07
# Matters: networks trained with the approximation (GPT-2, ConvNeXt V2 of some authors, ViTs from JAX) err in every layer.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3.11 -m venv "$work/venv"
"$work/venv/bin/pip" install -q torch==2.13.0 executorch==1.5.1 numpy==2.4.6
cd "$work"
"$work/venv/bin/python" - 2>"$work/log" <<'PYTHON' || { tail -n 40 "$work/log" >&2; exit 1; }
from importlib.metadata import version

import torch
from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
from executorch.exir import to_edge_transform_and_lower
from executorch.runtime import Runtime
from torch.nn.functional import gelu


class Tanh(torch.nn.Module):
    def forward(self, x):
        return gelu(x, approximate="tanh")


x = torch.linspace(-4, 4, 1001)


def run(partitioner):
    exported = torch.export.export(Tanh().eval(), (x,))
    program = to_edge_transform_and_lower(exported, partitioner=partitioner).to_executorch()
    buffer = program.buffer
    loaded = Runtime.get().load_program(buffer)
    method = loaded.load_method("forward")
    return method.execute((x,))[0]


here, exact = gelu(x, approximate="tanh"), gelu(x)
portable, there = run(None), run([XnnpackPartitioner()])
print("executorch", version("executorch"))
errors = [float((a - b).abs().max()) for a, b in ((portable, here), (there, here), (there, exact))]
print("from PyTorch: portable {:.0e}   XNNPACK {:.0e}, and that from the exact GELU {:.0e}".format(*errors))
assert errors[0] < 1e-6 and errors[2] < 1e-6 < 1e-4 < errors[1]
PYTHON
