#!/bin/sh
# openvino==2026.4.1 (torch==2.13.0)
#
# Guess:   a slice of a complex tensor is complex, or is refused.
# Instead: OpenVINO's reader of PyTorch modules keeps the real part only, and says nothing; so it does
#          with cat.  A slice of an FFT's result is right.
# Seen:    slice (2, 4) for (2, 4, 2)   cat (4, 16) for (4, 16, 2)   product 4e-08
# Source:  the PyTorch frontend's translation of aten::slice and aten::cat of complex tensors
# Matters: where a mean or a sum hides the shape, only the numbers are wrong.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3.11 -m venv "$work/venv"
"$work/venv/bin/pip" install -q torch==2.13.0 openvino==2026.4.1 numpy==2.4.6
cd "$work"
"$work/venv/bin/python" - 2>"$work/log" <<'PYTHON' || { tail -n 40 "$work/log" >&2; exit 1; }
import openvino
import torch

FUNCTIONS = {
    "slice": lambda x: torch.complex(x, x * x)[..., :4],
    "cat": lambda x: torch.cat([torch.complex(x, x * x), torch.complex(x * x, x)]),
    "product": lambda x: torch.complex(x, x * x) * torch.complex(x * x, x),
}


class Network(torch.nn.Module):
    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x):
        return torch.view_as_real(self.function(x))


def shapes(function):
    network, x = Network(function).eval(), torch.randn(2, 16)
    model = openvino.convert_model(network, example_input=x, input=[2, 16])
    compiled = openvino.Core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    found = next(iter(compiled([x.numpy()]).values()))
    return tuple(found.shape), tuple(network(x).shape)


seen = {name: shapes(function) for name, function in FUNCTIONS.items()}
print("   ".join(f"{name} {found} for {expected}" for name, (found, expected) in seen.items()))
assert seen["slice"] == ((2, 4), (2, 4, 2))
assert seen["cat"] == ((4, 16), (4, 16, 2))
assert seen["product"][0] == seen["product"][1]
PYTHON
