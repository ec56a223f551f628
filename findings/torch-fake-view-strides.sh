#!/bin/sh
# torch==2.13.0
#
# Guess:   a fake tensor refuses a view across elements that do not lie together, as eager and meta tensors do,
#          so that a pass over a graph can ask it where a copy is needed.
# Instead: it gives the view, with strides that no memory has; torch.export stores it, and the program cannot run.
# Seen:    eager: refused   meta: refused   fake: strides (560, 140, 1)   exported program: refused
# Matters: passes that build graphs on fake tensors, as converters do, and networks that catch the error and copy.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3.11 -m venv "$work/venv"
"$work/venv/bin/pip" install -q torch==2.13.0 numpy==2.4.6
cd "$work"
"$work/venv/bin/python" - 2>"$work/log" <<'PYTHON' || { tail -n 40 "$work/log" >&2; exit 1; }
import torch
from torch._subclasses import FakeTensorMode


def rows_of_twenty(x):
    return x[:, :, 6:7].view(1, 4, 20)


def told(function, *arguments):
    try:
        found = function(*arguments)
    except RuntimeError:
        return "refused"
    return f"strides {found.stride()}"


class Rows(torch.nn.Module):
    def forward(self, x):
        return rows_of_twenty(x)


x = torch.ones(4, 4, 7, 5)
eager, meta = told(rows_of_twenty, x), told(rows_of_twenty, x.to("meta"))
with FakeTensorMode() as mode:
    fake = told(rows_of_twenty, mode.from_tensor(x))
program = told(torch.export.export(Rows(), (x,)).module(), x)
print(f"torch {torch.__version__}")
print(f"eager: {eager}   meta: {meta}   fake: {fake}   exported program: {program}")
assert (eager, meta, fake, program) == ("refused", "refused", "strides (560, 140, 1)", "refused")
PYTHON
