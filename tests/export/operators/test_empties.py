"""Tensors without elements among others, in each format."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from affnet.export.operators.empties import without_empty_tensors
from tests.export.fourier.rewriting import THIRD_PARTY_WARNINGS, Program
from tests.export.operators.test_rules import in_file

pytestmark = [*THIRD_PARTY_WARNINGS]


def _written(x: Tensor) -> Tensor:
    y = x.clone()
    y[:, 3:3] = x[:, :0] * 2
    return y


FUNCTIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "einsum": lambda x: x + torch.einsum("ab,bc->ac", x[:, :0], x[:0]),
    "product": lambda x: x + (x[:, :0].exp() @ x[:0]),
    "batches": lambda x: x + torch.bmm(x[None, :, :0], x[None, :0] * 2)[0],
    "joined": lambda x: torch.cat([x[:0].exp(), x, x[:0]]),
    "joined alone": lambda x: torch.cat([x[:, 4:4], x * 2], 1),
    "written": _written,
    "sums": lambda x: x + x[:0].sum(0) + x[:0].exp().prod(0),
    "padded": lambda x: x + F.pad(x[:, :0].exp(), (1, 3), value=0.5),
}


def all_(x: Tensor) -> Tensor:
    return torch.stack([function(x) for function in FUNCTIONS.values()])


@pytest.mark.parametrize("name", FUNCTIONS)
def test_no_operator_takes_an_empty_tensor(name: str) -> None:
    x = torch.randn(4, 4)
    program = torch.export.export(Program(FUNCTIONS[name]), (x,))
    without = without_empty_tensors(program)
    values = [n.meta["val"] for n in without.graph.nodes if isinstance(n.meta.get("val"), Tensor)]
    assert all(value.numel() for value in values)
    torch.testing.assert_close(without.module()(x), FUNCTIONS[name](x))


def test_programs_without_any_are_left() -> None:
    program = torch.export.export(Program(lambda x: x @ x), (torch.ones(2, 2),))
    assert without_empty_tensors(program) is program


def test_what_is_no_number_stays() -> None:
    program = torch.export.export(Program(lambda x: x + x[:0].mean()), (torch.ones(2),))
    assert without_empty_tensors(program).module()(torch.ones(2)).isnan().all()


@pytest.mark.converters
@pytest.mark.parametrize("format_", ["onnx", "tflite", "coreml", "executorch"])
def test_files_hold_what_comes_of_them(format_: str, tmp_path: Path) -> None:
    x = torch.randn(4, 4, generator=torch.Generator().manual_seed(3))
    torch.testing.assert_close(in_file(all_, x, format_, tmp_path), all_(x))
