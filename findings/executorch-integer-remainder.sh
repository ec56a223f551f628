#!/bin/sh
# executorch==1.5.1 (portable kernels; torch==2.13.0)
#
# Guess:   x % 3 of integers has the sign of 3, as in Python and PyTorch: -7 % 3 is 2. ExecuTorch's
#          remainder of floats is so.
# Instead: integers get C's remainder, with the sign of x, the same as fmod.
# Seen:    -7 % 3: PyTorch 2 (int32) 2.0 (float32)   ExecuTorch -1 (int32) -1 (int64) 2.0 (float32)
# Matters: places that wrap around, (i - 1) % n in rolled axes, ring buffers or shifted windows, become
#          negative.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3.11 -m venv "$work/venv"
"$work/venv/bin/pip" install -q torch==2.13.0 executorch==1.5.1 numpy==2.4.6
cd "$work"
"$work/venv/bin/python" - 2>"$work/log" <<'PYTHON' || { tail -n 40 "$work/log" >&2; exit 1; }
from importlib.metadata import version

import torch
from executorch.exir import to_edge_transform_and_lower
from executorch.runtime import Runtime


class Network(torch.nn.Module):
    def forward(self, x, y):
        return x % y


def remainder(x, y):
    program = to_edge_transform_and_lower(torch.export.export(Network().eval(), (x, y))).to_executorch()
    buffer = program.buffer
    loaded = Runtime.get().load_program(buffer)
    method = loaded.load_method("forward")
    return method.execute((x, y))[0].item(), (x % y).item()


kinds = (torch.int32, torch.int64, torch.float32)
(small, here), (long, _), (real, real_here) = (
    remainder(torch.tensor([-7], dtype=kind), torch.tensor([3], dtype=kind)) for kind in kinds
)
print("executorch", version("executorch"))
print(
    f"-7 % 3: PyTorch {here} (int32) {real_here} (float32)  ",
    f"ExecuTorch {small} (int32) {long} (int64) {real} (float32)",
)
assert here == 2 and real_here == real == 2
assert small == long == -1
PYTHON
