"""Running sums: as exact as PyTorch's, in each format."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from affnet.export.operators import running_sums
from tests.export.fourier.rewriting import THIRD_PARTY_WARNINGS
from tests.export.operators.test_rules import in_file

pytestmark = [*THIRD_PARTY_WARNINGS]


@pytest.mark.parametrize(("shape", "dim"), [((70,), 0), ((2, 5000, 3), -2), ((1, 3, 96), 2)])
def test_sums_are_torchs(shape: tuple[int, ...], dim: int) -> None:
    x = torch.randn(shape).double()
    torch.testing.assert_close(running_sums.cumsum(x, dim), x.cumsum(dim))


def test_what_is_infinite_stays_so_from_there_on() -> None:
    x = torch.ones(2, 200)
    x[0, 100], x[1, 50], x[1, 150] = torch.inf, torch.inf, -torch.inf
    torch.testing.assert_close(running_sums.cumsum(x, 1), x.cumsum(1), equal_nan=True)


def test_few_elements_and_integers_are_left() -> None:
    for x in (torch.ones(64), torch.ones(100, dtype=torch.int64), torch.tensor(1.0)):
        assert running_sums.cumsum(x, 0) is NotImplemented
    counted = running_sums.cumsum(torch.arange(100), 0, dtype=torch.float32)
    torch.testing.assert_close(counted, torch.arange(100).cumsum(0, dtype=torch.float32))


@pytest.mark.converters
@pytest.mark.parametrize("format_", ["onnx", "tflite", "coreml", "executorch"])
def test_errors_do_not_grow_with_the_length(format_: str, tmp_path: Path) -> None:
    def phases(x: Tensor) -> Tensor:
        return x.cumsum(1)

    x = torch.full((2, 20_000, 1), 0.1)  # one after another: off by 1.7e-4
    torch.testing.assert_close(in_file(phases, x, format_, tmp_path), phases(x), rtol=1e-6, atol=0)
