"""Medians, sorted values and those of a place: equal to torch's, alone and in files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor

from affnet.export.operators import order_statistics
from tests.export.fourier.rewriting import THIRD_PARTY_WARNINGS
from tests.export.operators.test_rules import in_file

pytestmark = [*THIRD_PARTY_WARNINGS]

NUMBERS = torch.randn(3, 4, 7, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("x", [NUMBERS, NUMBERS[..., :6], (100 * NUMBERS).long().unique()])
def test_rules_are_torchs(x: Tensor) -> None:
    for keepdim in (False, True):
        for dim in (0, -1):
            actual = order_statistics.median_of_axis(x, dim, keepdim)
            torch.testing.assert_close(actual, tuple(x.median(dim, keepdim)))
            for k in range(1, x.shape[dim] + 1):
                actual = order_statistics.kthvalue(x, k, dim, keepdim)
                torch.testing.assert_close(actual, tuple(x.kthvalue(k, dim, keepdim)))
    torch.testing.assert_close(order_statistics.median(x), x.median())
    for descending in (False, True):
        actual = order_statistics.sort(x, 0, descending)
        torch.testing.assert_close(actual, tuple(x.sort(0, descending)))


@pytest.mark.parametrize("interpolation", ["linear", "lower", "higher", "midpoint", "nearest"])
@pytest.mark.parametrize("q", [0.0, 0.3, 0.5, 1.0])
def test_quantiles_are_torchs(q: float, interpolation: str) -> None:
    for dim, keepdim in ((None, False), (None, True), (0, False), (-1, True)):
        actual = order_statistics.quantile(NUMBERS, q, dim, keepdim, interpolation=interpolation)
        wanted = NUMBERS.quantile(q, dim, keepdim, interpolation=interpolation)
        torch.testing.assert_close(actual, wanted)


def of_an_order(x: Tensor) -> Tensor:
    """Return values alone: where nothing asks for places, litert-torch has another operator."""
    parts: tuple[Callable[[Tensor], Tensor], ...] = (
        lambda x: x.median(-1).values,
        lambda x: x.median(1, keepdim=True).values,
        lambda x: x.median(),
        lambda x: x.kthvalue(2).values,
        lambda x: x.sort(1).values,
        lambda x: x.sort(-1, descending=True).values,
        lambda x: x.topk(3, 1).values,
        lambda x: x.argsort(1).to(torch.float32),
        lambda x: x.sort(dim=1, stable=True, descending=True).values,
        lambda x: x.msort(),
        lambda x: x.quantile(0.3),
        lambda x: x.quantile(0.8, dim=1, keepdim=True, interpolation="higher"),
    )
    return torch.cat([part(x).reshape(-1) for part in parts])


@pytest.mark.parametrize(
    "format_",
    [
        "onnx",
        *(
            pytest.param(name, marks=[pytest.mark.converters, pytest.mark.slow])
            for name in ("coreml", "tflite", "executorch")
        ),
    ],
)
def test_files_hold_them(format_: str, tmp_path: Path) -> None:
    actual = in_file(of_an_order, NUMBERS, format_, tmp_path)
    torch.testing.assert_close(actual, of_an_order(NUMBERS))
