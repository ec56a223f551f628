#!/bin/sh
# coremltools==9.0 (torch==2.13.0)
#
# Guess:   a network that returns its input beside a result, return x, conv(x), converts with or without
#          names for its outputs: names only name.
# Instead: without names it converts, with an output "x" that is the input "x"; with names it ends in an
#          AssertionError, as the name of the output is given to the input, too.
# Seen:    without names: ['x', 'var_13']
#          with names: Main block's input name, 'x', is different from its corresponding var's name, 'a'.
#          of x + 0 beside conv(x), with names: ['a', 'b']
# Matters: networks that hand an image or a mask on fail with a message about the input, once an app's
#          names are given. Return x + 0 instead.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3.11 -m venv "$work/venv"
"$work/venv/bin/pip" install -q torch==2.13.0 coremltools==9.0 numpy==2.4.6
cd "$work"
"$work/venv/bin/python" - 2>"$work/log" <<'PYTHON' || { tail -n 40 "$work/log" >&2; exit 1; }
from importlib.metadata import version

import coremltools as ct
import torch


class Network(torch.nn.Module):
    def __init__(self, before):
        super().__init__()
        self.before, self.conv = before, torch.nn.Conv2d(3, 3, 1)

    def forward(self, x):
        return self.before(x), self.conv(x)


def outputs(names, before=lambda x: x):
    model = ct.convert(
        torch.jit.trace(Network(before).eval(), torch.ones(1, 3, 4, 4)),
        inputs=[ct.TensorType(name="x", shape=(1, 3, 4, 4))],
        outputs=names and [ct.TensorType(name=name) for name in names],
        convert_to="mlprogram",
        compute_precision=ct.precision.FLOAT32,
        minimum_deployment_target=ct.target.iOS16,
        skip_model_load=True,
    )
    return [output.name for output in model.get_spec().description.output]


def names_or_refusal(before):
    try:
        return outputs(["a", "b"], before)
    except AssertionError as error:
        return str(error)


print("coremltools", version("coremltools"))
plain, named, with_zero = outputs(None), names_or_refusal(lambda x: x), names_or_refusal(lambda x: x + 0)
print("without names:", plain)
print("with names:", named)
print("of x + 0 beside conv(x), with names:", with_zero)
assert plain[0] == "x"
assert "Main block's input name, 'x', is different" in named
assert with_zero == ["a", "b"]
PYTHON
