"""Maps and signals without a batch, in each format."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from tests.export.fourier.rewriting import THIRD_PARTY_WARNINGS
from tests.export.operators.test_rules import in_file

pytestmark = [*THIRD_PARTY_WARNINGS, pytest.mark.converters]

aten = torch.ops.aten

WEIGHT = torch.arange(36.0).reshape(4, 3, 3) / 8 - 2
SPREAD = WEIGHT.flip(0)
MARGINS = (1, 0, 1, 1)  # up to one element, where litert-torch repeats by a mirror
FUNCTIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "average": lambda x: F.avg_pool2d(x, 2, 1, 1, count_include_pad=False),
    "maximum": lambda x: F.max_pool2d(x, 3, 2, 1),
    "reflected": lambda x: F.pad(x, (2, 1, 1, 2), mode="reflect"),
    "replicated": lambda x: F.pad(x, MARGINS, mode="replicate"),
    "recorded": lambda x: aten.replication_pad2d(aten.reflection_pad2d(x, MARGINS), MARGINS),
    "signals averaged": lambda x: F.avg_pool1d(x[0], 2),
    "signals convolved": lambda x: F.conv1d(x[:, 0], WEIGHT),
    "signals' maximum": lambda x: F.max_pool1d(x[0], 2),
    "signals spread": lambda x: F.conv_transpose1d(x[0], SPREAD, stride=2),
    "convolved": lambda x: F.conv2d(x, WEIGHT[:, :, None], padding="same"),
    "a batch": lambda x: F.avg_pool2d(F.pad(x[None], MARGINS, mode="reflect"), 2),
}


def volumes(x: Tensor) -> Tensor:
    convolved = F.conv3d(x[None], WEIGHT[:, :1, None, None], WEIGHT[:, 0, 0])
    return F.max_pool3d(F.avg_pool3d(convolved, (1, 2, 1)), (3, 1, 2))


def all_(x: Tensor) -> Tensor:
    return torch.cat([function(x).flatten() for function in FUNCTIONS.values()])


@pytest.mark.parametrize("format_", ["onnx", "tflite", "coreml", "executorch"])
def test_pools_borders_and_convolutions(format_: str, tmp_path: Path) -> None:
    x = torch.randn(3, 4, 6, generator=torch.Generator().manual_seed(2))
    torch.testing.assert_close(in_file(all_, x, format_, tmp_path), all_(x), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("format_", ["onnx", "tflite", "coreml"])
def test_volumes(format_: str, tmp_path: Path) -> None:
    x = torch.randn(3, 4, 6, generator=torch.Generator().manual_seed(2))
    found = in_file(volumes, x, format_, tmp_path)
    torch.testing.assert_close(found, volumes(x), rtol=1e-5, atol=1e-5)
