"""The rules themselves, without a converter: what they write equals torch's own operators."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from affnet.export.operators import replace_operators, rules_for

pytestmark = pytest.mark.filterwarnings("ignore:.*:FutureWarning")

Function = Callable[[Tensor], Tensor]


class Applied(nn.Module):
    def __init__(self, function: Function) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x)


def targets(program: torch.export.ExportedProgram) -> set[object]:
    return {node.target for node in program.graph.nodes}


def assert_same(function: Function, x: Tensor, *, tolerance: float = 0.0) -> None:
    program = torch.export.export(Applied(function), (x,))
    replaced = replace_operators(program, "tflite")
    assert replaced is not program
    torch.testing.assert_close(replaced.module()(x), function(x), rtol=0, atol=tolerance)


def places(*numbers: int) -> Tensor:
    return torch.arange(10)[list(numbers)]


@pytest.mark.parametrize(
    "function",
    [
        lambda x: x.repeat(1, 2, 3, 1),
        lambda x: x.repeat(2, 1, 1, 2, 1),
        lambda x: x.repeat(1, 1, 1, 1),
        lambda x: torch.tile(x, (2, 3)),
        lambda x: torch.tile(x, (2, 1, 1, 1, 3)),
        lambda x: x[:, :1].expand(3, 5, -1, -1),
        lambda x: x[:, :, :1].expand(2, 1, 4, 7, 6),
        lambda x: x[..., :1].expand_as(x) + torch.broadcast_to(x[:, :1], (1, 4, 5, 6)),
        lambda x: x.repeat_interleave(3, dim=1),
        lambda x: x.repeat_interleave(2),
        lambda x: x.repeat_interleave(places(1, 0, 3, 2, 1), dim=2, output_size=7),
    ],
)
def test_repetitions_are_torchs(function: Function) -> None:
    assert_same(function, torch.randn(1, 4, 5, 6))


def test_powers_of_many_axes_are_of_one() -> None:
    assert_same(lambda x: x**2 + x.abs() ** 0.5, torch.randn(1, 2, 3, 1, 4))
    for shape, axes in (((1, 2, 3, 4), 4), ((1, 2, 3, 1, 4), 1)):
        program = torch.export.export(Applied(lambda x: x**2), (torch.randn(shape),))
        graph = replace_operators(program, "tflite").graph
        powers = graph.find_nodes(op="call_function", target=torch.ops.aten.pow.Tensor_Scalar)
        assert [node.meta["val"].dim() for node in powers] == [axes]


def test_products_of_which_nothing_is_summed_are_no_contractions() -> None:
    program = torch.export.export(
        Applied(lambda x: torch.einsum("abcd,cd->abdc", x, x[0, 0])), (torch.randn(1, 2, 3, 4),)
    )
    for format_ in ("tflite", "coreml", "onnx"):
        assert torch.ops.aten.einsum.default not in targets(replace_operators(program, format_))
    assert_same(lambda x: torch.einsum("abcd,cd->abdc", x, x[0, 0]), torch.randn(1, 2, 3, 4))


@pytest.mark.parametrize(
    "function",
    [
        lambda x: x[:, places(0, 1, 3)[:, None], places(1, 4)],
        lambda x: x[:, places(0, 1)[:, None], :, places(1, 0, 5)],
        lambda x: x[:, :, places(2, 0, 1), places(1, 0, 3)],
        lambda x: x[places(0, 0)[:, None], places(1, 0, 3) - 4],
        lambda x: torch.cat([part.float() for part in x.topk(3)]),
    ],
)
def test_indexing_is_torchs(function: Function) -> None:
    assert_same(function, torch.randn(1, 4, 5, 6))


@pytest.mark.parametrize(
    "settings",
    [
        {"size": (9, 11)},
        {"size": (4, 5)},
        {"scale_factor": 1.7},
        {"scale_factor": (0.6, 2.0)},
        {"scale_factor": 1.7, "mode": "bilinear"},
        {"scale_factor": (0.6, 2.3), "mode": "bilinear"},
    ],
)
def test_interpolation_is_torchs(settings: dict[str, Any]) -> None:
    x = torch.randn(2, 3, 6, 8)
    assert_same(lambda x: F.interpolate(x, **settings), x, tolerance=4e-6)


def pooled(pool: Callable[..., tuple[Tensor, Tensor]], *args: int, **settings: object) -> Function:
    def both(x: Tensor) -> Tensor:
        values, indices = pool(x, *args, **settings, return_indices=True)
        assert indices.dtype == torch.int64
        return torch.stack([values, indices.to(torch.float32)])

    return both


@pytest.mark.parametrize(
    "function",
    [
        pooled(F.max_pool2d, 2),
        pooled(F.max_pool2d, 3, stride=2, padding=1),
        pooled(F.max_pool2d, 3, stride=2, padding=1, ceil_mode=True),
        pooled(F.max_pool2d, 3, stride=1, padding=1, dilation=2),
        pooled(F.max_pool2d, 2, stride=3, ceil_mode=True),
        pooled(F.adaptive_max_pool2d, 1),
        pooled(F.adaptive_max_pool2d, (4, 5)),
        lambda x: pooled(F.max_pool1d, 3, stride=2, padding=1)(x.flatten(2)),
        lambda x: pooled(F.max_pool3d, 2)(x[:, None]),
        lambda x: pooled(F.adaptive_max_pool1d, 5)(x.flatten(2)),
    ],
)
@pytest.mark.parametrize("ties", [False, True])
def test_maxima_and_their_places_are_torchs(function: Function, ties: bool) -> None:
    x = torch.randn(2, 3, 7, 8)
    assert_same(function, x.round() if ties else x)


@pytest.mark.parametrize("axes", [1, 2])
@pytest.mark.parametrize(
    ("kernel", "stride", "padding", "output_padding", "dilation", "groups", "bias"),
    [
        (3, 2, 1, 1, 1, 1, True),
        (3, 2, 1, 0, 1, 1, False),
        (5, 3, 2, 2, 1, 2, True),
        (2, 3, 0, 2, 1, 1, True),
        (3, 2, 2, 1, 2, 4, True),
        (4, 1, 1, 0, 3, 1, False),
    ],
)
def test_transposed_convolutions_are_torchs(
    axes: int,
    kernel: int,
    stride: int,
    padding: int,
    output_padding: int,
    dilation: int,
    groups: int,
    bias: bool,
) -> None:
    torch.manual_seed(0)
    layer = (nn.ConvTranspose1d, nn.ConvTranspose2d)[axes - 1](
        4, 8, kernel, stride, padding, output_padding, groups, bias, dilation
    )
    x = torch.randn((2, 4, 5, 6)[: axes + 2])
    assert_same(layer, x, tolerance=1e-6)

    def recorded(x: Tensor) -> Tensor:
        settings = ([stride], [padding], [dilation], True, [output_padding], groups)
        return torch.ops.aten.convolution(x, layer.weight, layer.bias, *settings)

    assert_same(recorded, x, tolerance=1e-6)


@pytest.mark.parametrize(
    ("groups", "settings"),
    [(2, {"padding": 1, "stride": 2}), (4, {"padding": "same", "dilation": 2, "bias": False})],
)
def test_grouped_convolutions_of_volumes_are_torchs(groups: int, settings: dict[str, Any]) -> None:
    torch.manual_seed(0)
    layer = nn.Conv3d(4, 8, 3, groups=groups, **settings)
    for shape in ((2, 4, 5, 6, 7), (4, 5, 6, 7)):
        assert_same(layer, torch.randn(shape), tolerance=1e-6)


@pytest.mark.parametrize("boolean", [True, False])
def test_attention_of_queries_without_keys_is_torchs(boolean: bool) -> None:
    mask = torch.rand(5, 5, generator=torch.Generator().manual_seed(0)) > 0.3
    mask[1] = False
    bias = mask if boolean else torch.where(mask, 0.5, -torch.inf)
    x = torch.randn(1, 2, 5, 4)
    assert_same(lambda x: F.scaled_dot_product_attention(x, x, x, bias), x, tolerance=1e-6)
    assert not F.scaled_dot_product_attention(x, x, x, bias)[:, :, 1].any()


def test_what_changes_nothing_stays() -> None:
    x = torch.randn(1, 2, 3, 4)
    program = torch.export.export(Applied(lambda x: x.relu() + 1), (x,))
    assert replace_operators(program, "tflite") is program
    assert replace_operators(program, "of nothing") is program
    kept = torch.export.export(Applied(lambda x: x[:, torch.arange(2)]), (x,))
    ruled = set(rules_for("tflite"))
    assert targets(kept) & ruled == targets(replace_operators(kept, "tflite")) & ruled
