"""Contractions in which an axis of one meets a longer one."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from tests.export.fourier.rewriting import THIRD_PARTY_WARNINGS
from tests.export.operators.test_rules import in_file

pytestmark = [*THIRD_PARTY_WARNINGS]


@pytest.mark.parametrize("format_", ["onnx", pytest.param("coreml", marks=pytest.mark.converters)])
def test_axes_of_one_are_broadcast(format_: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    square, matrix = torch.randn(8, 8), torch.randn(8, 5)

    def broadcast(x: Tensor) -> Tensor:
        scaled = torch.einsum("bid,dd->bid", x, square)  # FreTS
        scaled = torch.einsum("...d,de->...e", scaled, square)
        return (
            torch.einsum("bid,de->bie", x, matrix)
            + torch.einsum("bid,bid->bi", scaled, x)[..., None]
        )

    x = torch.randn(2, 6, 1)
    actual = in_file(broadcast, x, format_, tmp_path)
    torch.testing.assert_close(actual, broadcast(x), rtol=1e-5, atol=1e-5)
