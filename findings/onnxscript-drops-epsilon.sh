#!/bin/sh
# onnxscript==0.7.2 (through torch.onnx.export of torch==2.13.0, optimize=True by default)
#
# Guess:   optimising keeps values: x + 0 and x * 1 may go, x + 1e-8 and x * (1 + 1e-6) stay, as both
#          constants are far from 0 and 1 for float32.
# Instead: the rules for what does nothing take any constant within 1e-8 of 0 or 1e-5 of 1.
# Seen:    x / (norm(x) + 1e-8) of zeros: optimised [nan nan nan]   not [0. 0. 0.]   PyTorch [0. 0. 0.]
#          x * (1 + 1e-6) becomes ['Identity']
# Source:  _pattern_ir.py (rel_tol 1e-5, abs_tol 1e-8), rules in rewriter/rules/common/_no_op.py
# Matters: the guard against division by zero, 1e-8 in most code, is what goes first: a black image
#          gives NaN in the file and zeros in PyTorch.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3.11 -m venv "$work/venv"
"$work/venv/bin/pip" install -q torch==2.13.0 onnx==1.23.2 onnxscript==0.7.2 onnxruntime==1.32.0 numpy==2.4.6
cd "$work"
"$work/venv/bin/python" - 2>"$work/log" <<'PYTHON' || { tail -n 40 "$work/log" >&2; exit 1; }
import contextlib
import io

import onnxruntime as ort
import torch


def exported(function, x, optimize):
    class Network(torch.nn.Module):
        def forward(self, x):
            return function(x)

    with contextlib.redirect_stdout(io.StringIO()):
        program = torch.onnx.export(Network().eval(), (x,), dynamo=True, optimize=optimize)
    model = program.model_proto
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    (y,) = session.run(None, {session.get_inputs()[0].name: x.numpy()})
    return [node.op_type for node in model.graph.node], y


def normed(x):
    return x / (x.norm() + 1e-8)


zeros = torch.zeros(3)
(_, with_rules), (_, without) = (exported(normed, zeros, optimize) for optimize in (True, False))
kinds, _ = exported(lambda x: x * (1 + 1e-6), torch.ones(3), True)
here = normed(zeros).numpy()
print("x / (norm(x) + 1e-8) of zeros: optimised", with_rules, "  not", without, "  PyTorch", here)
print("x * (1 + 1e-6) becomes", kinds)
assert (with_rules != with_rules).all()
assert (without == 0).all() and (here == 0).all()
assert kinds == ["Identity"]
PYTHON
