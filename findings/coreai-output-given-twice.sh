#!/bin/sh
# coreai-torch==0.4.3, coreai-core==1.0.0b3 (torch==2.13.0)
#
# Guess:   a network that gives its input, another value and its input again has three outputs.
# Instead: the function has two: what is given again is left out.
# Seen:    described x mul   given x mul
# Source:  outputs of the graph are named after what makes them, each name once
# Matters: outputs that the caller counts by their places are others than those of the network.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3.11 -m venv "$work/venv"
"$work/venv/bin/pip" install -q torch==2.13.0 coreai-torch==0.4.3 coreai-core==1.0.0b3 numpy==2.4.6
cd "$work"
"$work/venv/bin/python" - 2>"$work/log" <<'PYTHON' || { tail -n 40 "$work/log" >&2; exit 1; }
import asyncio
import tempfile
from pathlib import Path

import numpy as np
import torch
from coreai.authoring import AIModelAsset
from coreai.runtime import NDArray
from coreai_torch import TorchConverter, get_decomp_table


class Network(torch.nn.Module):
    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x):
        return self.function(x)


async def run(path, x):
    async with AIModelAsset.load(path).executable() as model:
        function = model.load_function("main")
        (name,) = function.desc.input_names
        found = await function({name: NDArray(x.numpy())})
        return [np.array(found[name].numpy()) for name in function.desc.output_names]


def compute(function, x):
    """What Core AI's interpreter computes of a function, and what PyTorch does."""
    network = Network(function).eval()
    program = torch.export.export(network, (x,)).run_decompositions(get_decomp_table())
    with tempfile.TemporaryDirectory() as folder:
        asset = TorchConverter().add_exported_program(program).to_coreai().save_asset(
            Path(folder) / "net.aimodel"
        )
        found = asyncio.run(run(asset.path, x))
    expected = network(x)
    return found, [*expected] if isinstance(expected, tuple) else [expected]


async def names(x):
    program = torch.export.export(Network(lambda x: (x, x * 2, x)).eval(), (x,))
    program = program.run_decompositions(get_decomp_table())
    with tempfile.TemporaryDirectory() as folder:
        asset = TorchConverter().add_exported_program(program).to_coreai().save_asset(
            Path(folder) / "net.aimodel"
        )
        async with asset.executable() as model:
            function = model.load_function("main")
            (name,) = function.desc.input_names
            found = await function({name: NDArray(x.numpy())})
            return list(function.desc.output_names), list(found)


described, given = asyncio.run(names(torch.ones(2)))
print("described", *described, "  given", *given)
assert len(described) == len(given) == 2
PYTHON
