"""Interpolation as recordings of a network have it, in each format."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor

from affnet.export.operators.recorded import interpolation_as_called
from tests.export.fourier.rewriting import THIRD_PARTY_WARNINGS, Program
from tests.export.operators.test_rules import in_file

pytestmark = [*THIRD_PARTY_WARNINGS]

aten = torch.ops.aten

FUNCTIONS: dict[str, Callable[[Tensor], Tensor]] = {  # of 1 x 2 x 6 x 6
    "signals": lambda x: aten.upsample_nearest1d.default(x[0], [12], 2.0),
    "signals of a size": lambda x: aten.upsample_nearest1d.default(x[0], [9]),
    "maps": lambda x: aten.upsample_nearest2d.default(x, [12, 9], 2.0, 1.5),
    "maps of a size": lambda x: aten.upsample_nearest2d.default(x, [12, 9]),
    "volumes": lambda x: aten.upsample_nearest3d.default(x[None], [2, 12, 12], 1.0, 2.0, 2.0),
    "middles": lambda x: aten._upsample_nearest_exact2d.default(x, [12, 9], 2.0, 1.5),
    "linear": lambda x: aten.upsample_linear1d.default(x[0], [12], False, 2.0),
    "bilinear": lambda x: aten.upsample_bilinear2d.default(x, [12, 9], False, 2.0, 1.5),
    "corners": lambda x: aten.upsample_bilinear2d.default(x, [12, 9], True),
    "bicubic": lambda x: aten.upsample_bicubic2d.default(x, [12, 12], False, 2.0, 2.0),
    "trilinear": lambda x: aten.upsample_trilinear3d.default(
        x[None], [2, 12, 12], False, 1.0, 2.0, 2.0
    ),
    "antialiased": lambda x: aten._upsample_bilinear2d_aa.default(x, [3, 3], False, 0.5, 0.5),
}


def all_(x: Tensor) -> Tensor:
    return torch.cat([function(x).flatten() for function in FUNCTIONS.values()])


@pytest.mark.converters
@pytest.mark.parametrize("format_", ["onnx", "tflite", "coreml", "executorch"])
def test_interpolations_are_torchs(format_: str, tmp_path: Path) -> None:
    x = torch.randn(1, 2, 6, 6, generator=torch.Generator().manual_seed(2))
    torch.testing.assert_close(in_file(all_, x, format_, tmp_path), all_(x), rtol=1e-5, atol=1e-5)


def test_a_size_that_the_factors_do_not_give_stays() -> None:
    x = torch.randn(1, 2, 6, 6)
    function = Program(lambda x: aten.upsample_nearest2d.default(x, [9, 9], 2.0, 2.0))
    program = torch.export.export(function, (x,))
    (node,) = program.graph.find_nodes(op="call_function", target=aten.upsample_nearest2d.default)
    assert interpolation_as_called(program).graph.find_nodes(op="call_function", target=node.target)
