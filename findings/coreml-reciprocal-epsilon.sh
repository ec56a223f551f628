#!/bin/sh
# coremltools==9.0 (torch==2.13.0)
#
# Guess:   x.reciprocal() is 1 / x, and float32 has no epsilon of its own in it.
# Instead: it becomes "inverse", whose epsilon of 1e-4 is added to x: 1 / (x + 0.0001). An x of 0.001
#          gives 909, not 1000. The network's own epsilon (1e-8 here) drowns in it.
# Seen:    1 / (x + 1e-8): add 1e-08, inverse with epsilon 1e-04;
#          at x = 0.001: 909.1, in PyTorch 1000.0
# Matters: a tensor's reciprocal() and 1 / x are different functions on an iPhone (1 / x is made
#          a division); rsqrt has 1e-12 and log 1e-45, found in the same way.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3.11 -m venv "$work/venv"
"$work/venv/bin/pip" install -q torch==2.13.0 coremltools==9.0 numpy==2.4.6
cd "$work"
"$work/venv/bin/python" - 2>"$work/log" <<'PYTHON' || { tail -n 40 "$work/log" >&2; exit 1; }
import coremltools as ct
import torch


class Network(torch.nn.Module):
    def forward(self, x):
        return (x + 1e-8).reciprocal()


program = ct.convert(
    torch.jit.trace(Network().eval(), torch.ones(4)),
    inputs=[ct.TensorType(name="x", shape=(4,))],
    convert_to="milinternal",
    compute_precision=ct.precision.FLOAT32,
    minimum_deployment_target=ct.target.iOS16,
)
add, inverse = (op for op in program.functions["main"].operations if op.op_type != "const")
epsilon = float(inverse.epsilon.val)
there = 1 / (0.001 + float(add.y.val) + epsilon)
here = Network()(torch.tensor([0.001])).item()
print(f"1 / (x + 1e-8): {add.op_type} {add.y.val:.0e}, {inverse.op_type} with epsilon {epsilon:.0e};")
print(f"at x = 0.001: {there:.1f}, in PyTorch {here:.1f}")
assert inverse.op_type == "inverse"
assert abs(epsilon - 1e-4) < 1e-9
PYTHON
