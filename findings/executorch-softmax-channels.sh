#!/bin/sh
# executorch==1.5.1 (XNNPACK, by its partitioner; torch==2.13.0)
#
# Guess:   softmax(-1) of a map of four axes sums to 1 over the last axis, whatever stands before it.
# Instead: behind a convolution it sums to 1 over the channels: XNNPACK keeps the map with channels last, and
#          its softmax takes the innermost axis.  A partitioner that is content and no error say nothing of it.
# Seen:    sums over the last axis, of 1x4x8x8: portable 1.000 .. 1.000   XNNPACK 1.260 .. 2.661
#          the same flattened to three axes before and restored behind: 1.000 .. 1.000 in XNNPACK
# Matters: any attention over rows of a map, a spatial softmax for key points, a cost volume behind a convolution.
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


class Rows(torch.nn.Module):
    def __init__(self, flat):
        super().__init__()
        torch.manual_seed(0)
        self.conv, self.flat = torch.nn.Conv2d(3, 4, 3, padding=1), flat

    def forward(self, x):
        y = self.conv(x)
        if not self.flat:
            return y.softmax(-1)
        return y.reshape(4, 8, 8).softmax(-1).reshape(1, 4, 8, 8)


x = torch.randn(1, 3, 8, 8, generator=torch.Generator().manual_seed(0))


def sums(flat, partitioner):
    exported = torch.export.export(Rows(flat).eval(), (x,))
    program = to_edge_transform_and_lower(exported, partitioner=partitioner).to_executorch()
    buffer = program.buffer
    loaded = Runtime.get().load_program(buffer)
    method = loaded.load_method("forward")
    found = method.execute((x,))[0].sum(-1)
    return float(found.min()), float(found.max())


print("executorch", version("executorch"))
portable, there, flat = sums(False, None), sums(False, [XnnpackPartitioner()]), sums(True, [XnnpackPartitioner()])
for name, (low, high) in (("portable", portable), ("XNNPACK", there), ("XNNPACK, flattened", flat)):
    print(f"sums over the last axis: {name} {low:.3f} .. {high:.3f}")
assert max(abs(s - 1) for s in (*portable, *flat)) < 1e-5
assert abs(there[1] - 1) > 0.1
PYTHON
