#!/bin/sh
# coremltools==9.0 (torch==2.13.0)
#
# Guess:   the cosines and sines that stand for torch.fft.rfft are rounded float32 constants, so
#          within 6e-8 of the true ones, also for 1024 points.
# Instead: the angle is 2 pi j k / n with j k up to (n - 1)^2, never reduced, and it is computed in
#          float32: the angle itself is off by some 1e-4, and so are the constants in the file.
# Seen:    n = 64: 2.3e-05   n = 1024: 4.1e-04
# Source:  _calculate_dft_matrix in mil/passes/defs/lower_complex_dialect_ops.py
# Matters: a "float32" transform of 1024 points has an error as if it were of float16. It can be seen
#          without a Mac, in the constants; j k modulo n before the cosine would make it exact.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3.11 -m venv "$work/venv"
"$work/venv/bin/pip" install -q torch==2.13.0 coremltools==9.0 numpy==2.4.6
cd "$work"
"$work/venv/bin/python" - 2>"$work/log" <<'PYTHON' || { tail -n 40 "$work/log" >&2; exit 1; }
import coremltools as ct
import numpy as np
import torch


class Network(torch.nn.Module):
    def forward(self, x):
        return torch.view_as_real(torch.fft.rfft(x))


def largest_error(n):
    program = ct.convert(
        torch.jit.trace(Network().eval(), torch.ones(2, n)),
        inputs=[ct.TensorType(name="x", shape=(2, n))],
        convert_to="milinternal",
        compute_precision=ct.precision.FLOAT32,
    )
    angles = np.outer(np.arange(n), np.arange(n)) % n * (2 * np.pi / n)
    errors = []
    for op in program.functions["main"].operations:
        if op.op_type == "matmul":
            held = [v.val for v in (op.x, op.y) if v.val is not None and v.val.shape == (n, n)]
            errors += [min(abs(held[0] - true).max() for true in (np.cos(angles), np.sin(angles)))]
    return max(errors)


small, large = largest_error(64), largest_error(1024)
print(f"n = 64: {small:.1e}   n = 1024: {large:.1e}")
assert small > 1e-6
assert large > 1e-4
PYTHON
