"""What ExecuTorch has no kernels of: pools and convolutions over three axes, and joined places."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from affnet.export.operators import scattering, volumes
from tests.export.fourier.rewriting import THIRD_PARTY_WARNINGS
from tests.export.operators.test_rules import in_file

pytestmark = [*THIRD_PARTY_WARNINGS]

KERNEL, STRIDE, PADDING, STEPS = (2, 3, 4), (2, 1, 3), (1, 0, 2), (2, 1, 1)


def _weights(*shape: int) -> Tensor:
    return torch.randn(*shape, *KERNEL, generator=torch.Generator().manual_seed(1)).double()


INWARDS, OUTWARDS = _weights(4, 2).float(), _weights(2, 4).float()


@pytest.mark.parametrize("ceil", [False, True])
@pytest.mark.parametrize("with_padding", [False, True])
@pytest.mark.parametrize("divisor", [None, 5])
def test_average_pools(ceil: bool, with_padding: bool, divisor: int | None) -> None:
    x = torch.randn(2, 3, 6, 7, 9).double()
    settings = (KERNEL, STRIDE, PADDING, ceil, with_padding, divisor)
    torch.testing.assert_close(volumes.avg_pool3d(x, *settings), F.avg_pool3d(x, *settings))


@pytest.mark.parametrize("shape", [(2, 4, 6, 7, 9), (4, 6, 7, 9)])
def test_a_batch_or_one_volume(shape: tuple[int, ...]) -> None:
    x, bias = torch.randn(shape).double(), torch.randn(8).double()
    settings: tuple[Any, ...] = (KERNEL, STRIDE, PADDING, STEPS, True)
    torch.testing.assert_close(volumes.max_pool3d(x, *settings), F.max_pool3d(x, *settings))
    for size in ((4, 3, 9), (1, 1, 1)):
        expected = F.adaptive_avg_pool3d(x, size)
        torch.testing.assert_close(volumes.adaptive_avg_pool3d(x, size), expected)
    settings = (_weights(8, 2), bias, STRIDE, PADDING, STEPS, 2)
    torch.testing.assert_close(volumes.conv3d(x, *settings), F.conv3d(x, *settings))
    settings = (_weights(4, 4), bias, STRIDE, PADDING, (1, 0, 2), 2, STEPS)
    expected = F.conv_transpose3d(x, *settings)
    torch.testing.assert_close(volumes.conv_transpose3d(x, *settings), expected)


PLACES = torch.tensor([[[2, 0, 2, 1], [3, 3, 3, 0]]] * 2)  # 2 x 2 x 4


@pytest.mark.parametrize("kind", ["sum", "mean", "prod", "amax", "amin"])
@pytest.mark.parametrize("include_self", [False, True])
@pytest.mark.parametrize(("dim", "shape"), [(-1, (2, 2, 6)), (1, (2, 5, 4)), (0, (9, 2, 4))])
def test_joined_places(kind: str, include_self: bool, dim: int, shape: tuple[int, ...]) -> None:
    x, source = torch.randn(shape), torch.randn(3, 4, 4)  # of which the first of each axis count
    settings: tuple[Any, ...] = (dim, PLACES, source, kind)
    expected = x.scatter_reduce(*settings, include_self=include_self)
    found = scattering.scatter_reduce(x, *settings, include_self=include_self)
    torch.testing.assert_close(found, expected)


def test_too_many_pairs_of_places_are_left_to_the_converter() -> None:
    x, index = torch.zeros(5000), torch.zeros(5000, dtype=torch.int64)
    assert scattering.scatter_reduce(x, 0, index, x, "amax") is NotImplemented


@pytest.mark.converters
@pytest.mark.parametrize(
    "function",
    [
        lambda x: F.avg_pool3d(x, 2, padding=1),
        lambda x: F.adaptive_avg_pool3d(x, 2),
        lambda x: F.max_pool3d(x, 2),
        lambda x: F.max_pool3d(x, 3, 2, return_indices=True)[0],
        lambda x: F.conv3d(x, INWARDS, stride=2, padding=1),
        lambda x: F.conv3d(x, INWARDS[:, :, :1, :, 1:], padding="same"),
        lambda x: F.conv_transpose3d(x, OUTWARDS, stride=2),
        lambda x: torch.convolution(
            x, INWARDS, None, (1,) * 3, (1,) * 3, (1,) * 3, False, (0,) * 3, 1
        ),
        lambda x: torch.zeros(1, 2, 6, 6, 4).scatter_reduce(4, x.argsort(-1) // 2, x, "amax"),
    ],
)
def test_executorch_files_hold_them(function: Callable[[Tensor], Tensor], tmp_path: Path) -> None:
    x = torch.randn(1, 2, 6, 6, 7, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(in_file(function, x, "executorch", tmp_path), function(x))
