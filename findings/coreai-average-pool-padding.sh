#!/bin/sh
# coreai-torch==0.4.3, coreai-core==1.0.0b3 (torch==2.13.0)
#
# Guess:   avg_pool2d(count_include_pad=False) leaves the padding out of each average, or is refused.
# Instead: the zeros of the padding are counted, at every border.
# Seen:    ones become 0.444 in the corners and 0.667 at the edges, where PyTorch has 1
# Source:  the body of its composite operator, "as if count_include_pad = True and ceil_mode = False
#          at all times"; hardware that knows the composite itself may do better
# Matters: Inception and its kin average so; nothing is said, and the inside of the map is right.
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


ones = torch.ones(1, 1, 5, 5)
(found,), (expected,) = compute(
    lambda x: torch.nn.functional.avg_pool2d(x, 3, 1, 1, count_include_pad=False), ones
)
print(f"corner {found[0, 0, 0, 0]:.3f}   edge {found[0, 0, 0, 2]:.3f}   inside {found[0, 0, 2, 2]:.3f}")
assert torch.equal(expected, ones)
np.testing.assert_allclose(found[0, 0, 0, 0], 4 / 9, rtol=1e-6)
np.testing.assert_allclose(found[0, 0, 0, 2], 6 / 9, rtol=1e-6)
assert found[0, 0, 2, 2] == 1
PYTHON
