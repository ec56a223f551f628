#!/bin/sh
# executorch==1.5.1 (portable kernels; torch==2.13.0)
#
# Guess:   layer_norm of 10000, 10001, 10002, 10003 is that of 0, 1, 2, 3 in float32, which holds all
#          of these exactly; a normalisation has no results far beyond 1.
# Instead: the variance comes out as 0, and the values are divided by the root of epsilon alone.
# Seen:    PyTorch [-1.3416355 ...  1.3416355]   ExecuTorch [-474.34 ...  474.34]
# Matters: it fits a variance taken as the mean square less the squared mean, in float32: far from zero
#          results are hundreds of times too large. Group normalisation of 1000 plus normal noise is
#          already off by 10 %, and becomes NaN where the difference comes out negative.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3.11 -m venv "$work/venv"
"$work/venv/bin/pip" install -q torch==2.13.0 executorch==1.5.1 numpy==2.4.6
cd "$work"
"$work/venv/bin/python" - 2>"$work/log" <<'PYTHON' || { tail -n 40 "$work/log" >&2; exit 1; }
import torch
from executorch.exir import to_edge_transform_and_lower
from executorch.runtime import Runtime


class Network(torch.nn.Module):
    def forward(self, x):
        return torch.nn.functional.layer_norm(x, (4,))


x = torch.tensor([[10000.0, 10001, 10002, 10003]])
program = to_edge_transform_and_lower(torch.export.export(Network().eval(), (x,))).to_executorch()
buffer = program.buffer
loaded = Runtime.get().load_program(buffer)
method = loaded.load_method("forward")
there, here = method.execute((x,))[0][0], Network()(x)[0]
print(f"PyTorch [{here[0]:.7f} ...  {here[3]:.7f}]   ExecuTorch [{there[0]:.2f} ...  {there[3]:.2f}]")
assert abs(here[3] - 1.3416355) < 1e-5
assert there[3] > 100
PYTHON
