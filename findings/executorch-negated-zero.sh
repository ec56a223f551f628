#!/bin/sh
# executorch==1.5.1 (XNNPACK, by its partitioner; torch==2.13.0)
#
# Guess:   -x changes the sign alone, as in PyTorch and in ExecuTorch's own portable kernel: of 0.0 it
#          is -0.0.
# Instead: once XNNPACK takes it, -0.0 is nowhere: -(0.0) is 0.0, as 0.0 - x would be.
# Seen:    1 / -x of 0.0 and -0.0: PyTorch [-inf, inf]   portable [-inf, inf]   XNNPACK [inf, inf]
# Matters: what depends on the side of zero turns around when a delegate is chosen: 1 / -x, and angles
#          by atan2(-y, x), which are pi instead of -pi. x * -1.0 is right in both.
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


class Negative(torch.nn.Module):
    def forward(self, x):
        return -x


class Product(torch.nn.Module):
    def forward(self, x):
        return x * -1.0


x = torch.tensor([0.0, -0.0])


def inverse(network, partitioner):
    exported = torch.export.export(network.eval(), (x,))
    program = to_edge_transform_and_lower(exported, partitioner=partitioner).to_executorch()
    buffer = program.buffer
    loaded = Runtime.get().load_program(buffer)
    method = loaded.load_method("forward")
    return (1 / method.execute((x,))[0]).tolist()


here, portable, there = (1 / -x).tolist(), inverse(Negative(), None), inverse(Negative(), [XnnpackPartitioner()])
print("executorch", version("executorch"))
print(f"1 / -x of 0.0 and -0.0: PyTorch {here}   portable {portable}   XNNPACK {there}")
inf = float("inf")
assert here == portable == inverse(Product(), [XnnpackPartitioner()]) == [-inf, inf]
assert there == [inf, inf]
PYTHON
