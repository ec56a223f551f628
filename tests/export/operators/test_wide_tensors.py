"""Tensors of more axes than a format holds, written with fewer."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from affnet.errors import RewriteError
from affnet.export.operators import replace_operators
from affnet.export.operators.wide_tensors import without_wide_tensors
from tests.export.fourier.rewriting import THIRD_PARTY_WARNINGS, Program
from tests.export.operators.test_rules import in_file

pytestmark = THIRD_PARTY_WARNINGS

SHAPE = (2, 3, 2, 1, 3, 2, 2)
PICKED = torch.tensor([1, -3])

Function = Callable[[Tensor], Tensor]
MOVING: list[Function] = [
    lambda x: x.permute(6, 1, 4, 3, 2, 5, 0),
    lambda x: x.transpose(1, 5),
    lambda x: x.movedim((1, 5), (4, 0)),
    lambda x: x.flip(1, 4, 5),
    lambda x: x.roll((1, -1), (1, 4)),
    lambda x: x.repeat(1, 2, 1, 1, 1, 3, 1),
    lambda x: x[:, :1].expand(2, 4, 2, 2, 3, 2, 2),
    lambda x: x[:, :, :, 0].unsqueeze(2).squeeze(3) * 2,
    lambda x: x[:, PICKED],
    lambda x: x[:, PICKED[:, None], :, :, PICKED],
    lambda x: F.pad(x, (1, 2, 0, 0, 3, 0)),
    lambda x: torch.stack((x[:, 0], x[:, 1]), 3),
    lambda x: torch.cat((x, x.unbind(4)[1].unsqueeze(4)), 4),
    lambda x: x.select_scatter(x[:, 0], 1, 2) + torch.zeros(SHAPE) + torch.ones_like(x),
]
COMPUTING: list[Function] = [
    lambda x: x + x[:1, :, :1] * 1.5,
    lambda x: torch.where(x > 0, x, x.amax((1, 4), keepdim=True)),
    lambda x: x.sum((1, 4, 6)),
    lambda x: x.mean((0, 2, 5), keepdim=True),
    lambda x: x.var((1, 4)),
    lambda x: x.logsumexp((1, 5)),
    lambda x: (x > 0).any(4).float(),
    lambda x: x.softmax(4),
    lambda x: x.cumsum(2),
    lambda x: x.topk(2, 4).values,
    lambda x: x.scatter(4, torch.zeros(SHAPE).long()[:, :, :, :, :1], 2.0),
    lambda x: x @ x.transpose(-1, -2),
    lambda x: torch.einsum("abcdefg,abcdefh->abcdehgf", x, x),
    lambda x: F.layer_norm(F.linear(x, torch.ones(3, 2)), (3,)),
]


def most_axes(program: torch.export.ExportedProgram) -> int:
    """Return how many axes a tensor of the program has at most."""
    values = (node.meta.get("val") for node in program.graph.nodes if node.op != "output")
    return max(value.dim() for value in values if isinstance(value, Tensor))


@pytest.mark.parametrize("functions", [MOVING, COMPUTING])
def test_operators_on_tensors_of_many_axes(functions: list[Function]) -> None:
    def each(x: Tensor) -> tuple[Tensor, ...]:
        return tuple(function(x.view(SHAPE)).flatten() for function in functions)

    x = torch.randn(6, 24, generator=torch.Generator().manual_seed(0))
    program = torch.export.export(Program(each), (torch.ones(6, 24),))
    assert most_axes(program) > 5
    found = without_wide_tensors(program, 5, "coreml")
    assert most_axes(found) <= 5
    for actual, expected in zip(found.module()(x), each(x), strict=True):
        torch.testing.assert_close(actual, expected)


def test_a_program_of_few_axes_is_returned_as_it_is() -> None:
    program = torch.export.export(Program(lambda x: x.permute(1, 0)), (torch.ones(2, 3),))
    assert without_wide_tensors(program, 5, "coreml") is program


class Weights(nn.Module):
    """Weights of more axes than the format holds."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(SHAPE))

    def forward(self, x: Tensor) -> Tensor:
        return (x.view(SHAPE) * self.weight).sum((1, 4)).flatten(1)


def test_weights_are_stored_with_fewer_axes() -> None:
    network, x = Weights(), torch.randn(6, 24)
    found = without_wide_tensors(torch.export.export(network, (x,)), 5, "coreml")
    assert most_axes(found) <= 5
    assert found.state_dict["weight"].dim() == 5
    torch.testing.assert_close(found.module()(x), network(x))


@pytest.mark.parametrize(
    ("function", "shape"),
    [
        (lambda x: x.view(SHAPE).gather(1, torch.zeros((2, 1, 1, 1, 1, 1, 1)).long()), (6, 24)),
        (lambda x: x * 2, SHAPE),  # the border of the network
        (lambda x: x.view(SHAPE), (6, 24)),
    ],
)
def test_what_needs_its_axes_is_refused(function: Any, shape: tuple[int, ...]) -> None:
    program = torch.export.export(Program(function), (torch.ones(shape),))
    with pytest.raises(RewriteError) as caught:
        without_wide_tensors(program, 5, "coreml")
    assert "of 7 axes" in caught.value.problem or "has 7 axes" in caught.value.problem
    assert caught.value.remedy is not None and "flatten" in caught.value.remedy


def test_a_format_may_hold_more_axes_for_some_operators() -> None:
    def function(x: Tensor) -> Tensor:
        wide = x.view(SHAPE)
        picked = wide.gather(1, torch.zeros((2, 1, 1, 1, 1, 1, 1)).long())
        return picked.flatten(1) + wide.permute(0, 2, 1, 4, 3, 6, 5).flatten(1)

    program = torch.export.export(Program(function), (torch.randn(6, 24),))
    found = replace_operators(program, "tflite")
    wide = {
        node.target
        for node in found.graph.nodes
        if node.op == "call_function" and node.meta["val"].dim() > 5
    }
    assert wide == {torch.ops.aten.gather.default, torch.ops.aten.view.default}
    x = torch.randn(6, 24)
    torch.testing.assert_close(found.module()(x), function(x))


@pytest.mark.converters
@pytest.mark.slow
def test_a_tflite_file_of_six_axes(tmp_path: Path) -> None:
    """LiteRT has no product of matrices of six axes, and XNNPACK joins none of seven."""

    def wide(x: Tensor) -> Tensor:
        x = x.view(1, 2, 3, 2, 4, 4)
        return torch.einsum("...ij,...jk->...ik", x, x.flip(1)).unfold(-1, 2, 1).flatten(1)

    x = torch.randn(1, 6, 32)
    torch.testing.assert_close(in_file(wide, x, "tflite", tmp_path), wide(x), rtol=1e-4, atol=1e-5)


@pytest.mark.converters
@pytest.mark.slow
def test_a_core_ml_file_of_windows_assigned_places_and_contractions(tmp_path: Path) -> None:
    """Windows of a batch, six axes; places beside whole axes, which coremltools has one of."""
    first, last = torch.randn(2, 6, 6)

    def assigned(x: Tensor) -> Tensor:
        windows = x.view(2, 3, 2, 2, 2, 2).permute(0, 2, 4, 3, 5, 1).reshape(2, 4, 4, 3)
        out = torch.zeros(2, 4, 6, 3)
        out[:, :, PICKED] = windows[:, :, :2]
        out[:, :, [0]] = torch.scalar_tensor(1).expand(2, 4, 1, 3)
        return torch.einsum("...hw,hi,wj->...ij", out, first, last[:3, :3])

    x = torch.randn(2, 3, 4, 4)
    torch.testing.assert_close(
        in_file(assigned, x, "coreml", tmp_path), assigned(x), rtol=1e-4, atol=1e-5
    )


@pytest.mark.converters
def test_parts_of_six_axes_are_written_in_tflite(tmp_path: Path) -> None:
    """AFNO writes each frequency's block, real and imaginary part apart; TFLite pads five axes."""

    def written(x: Tensor) -> Tensor:
        x = x.reshape(2, 3, 4, 2, 2, 1)
        part = torch.select_scatter(torch.zeros(2, 3, 4, 2, 2, 2), x[..., 0].relu(), -1, 1)
        y = torch.slice_scatter(torch.ones(2, 5, 4, 2, 2, 2), part, 1, 1, 4)
        return F.pad(y, (0, 0, 1, 0, 0, 0, 0, 1)).sum((3, 4))

    x = torch.randn(6, 16)
    torch.testing.assert_close(in_file(written, x, "tflite", tmp_path), written(x))
