#!/bin/sh
# executorch==1.5.1 (portable kernels; torch==2.13.0)
#
# Guess:   the mean of equal float32 values is that value to six digits: PyTorch sums in parts, whose
#          error grows little with their number.
# Instead: one float32 sum takes one value after the other, so that the relative error grows with
#          their number: 1e-4 at 10,000 to 100,000 values, and 1 % at a million.
# Seen:    mean of 0.1: 1,000 0.09999905   10,000 0.09999029   100,000 0.09998557
#          1,000,000 0.10095835 (PyTorch 0.10000001)
# Matters: the mean of an image of a megapixel is off by a hundredth, and beyond 16,777,216 values
#          equal ones no longer add up at all. One axis after the other is better (0.09999859).
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3.11 -m venv "$work/venv"
"$work/venv/bin/pip" install -q torch==2.13.0 executorch==1.5.1 numpy==2.4.6
cd "$work"
"$work/venv/bin/python" - 2>"$work/log" <<'PYTHON' || { tail -n 40 "$work/log" >&2; exit 1; }
from importlib.metadata import version

import numpy as np
import torch
from executorch.exir import to_edge_transform_and_lower
from executorch.runtime import Runtime


class Together(torch.nn.Module):
    def forward(self, x):
        return x.mean((0, 1))


class OneByOne(torch.nn.Module):
    def forward(self, x):
        return x.mean(1).mean(0)


def mean(network, x):
    program = to_edge_transform_and_lower(torch.export.export(network.eval(), (x,))).to_executorch()
    buffer = program.buffer
    loaded = Runtime.get().load_program(buffer)
    method = loaded.load_method("forward")
    return method.execute((x,))[0].item()


print("executorch", version("executorch"))
found = {}
for rows in (1, 10, 100, 1000):
    x = torch.full((rows, 1000), 0.1)
    found[x.numel()] = mean(Together(), x)
    print(f"mean of {x.numel():,} times 0.1: {found[x.numel()]:.8f} (PyTorch {x.mean():.8f})")
    assert abs(x.mean().item() - 0.1) < 1e-7
one_sum = np.cumsum(x.numpy().ravel(), dtype=np.float32)[-1] / np.float32(x.numel())
one_by_one = mean(OneByOne(), x)
print(f"of 1,000,000 by one float32 sum, in NumPy: {one_sum:.8f}; one axis after the other: {one_by_one:.8f}")
assert abs(found[1_000] - 0.1) < 1e-5
assert abs(found[100_000] - 0.1) > 1e-5
assert abs(found[1_000_000] - 0.1) > 9e-4
assert abs(found[1_000_000] - one_sum) < 1e-7
assert abs(one_by_one - 0.1) < 5e-6
PYTHON
