"""Places counted, written with comparisons, and what else converters lack."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from affnet.export.operators import activations, logarithms, places
from tests.export.fourier.rewriting import THIRD_PARTY_WARNINGS
from tests.export.operators.test_rules import assert_same_numbers, in_file

pytestmark = [*THIRD_PARTY_WARNINGS]

aten = torch.ops.aten
VALUES = torch.tensor([[-2.0, -1.0, -0.5, 0.0], [0.25, 1.0, 3.0, math.nan]])


@pytest.mark.parametrize("right", [False, True])
@pytest.mark.parametrize("out_int32", [False, True])
def test_buckets_are_torchs(right: bool, out_int32: bool) -> None:
    boundaries = torch.tensor([-1.0, 0.0, 0.25, 0.25, 1.0])
    options: dict[str, Any] = {"right": right, "out_int32": out_int32}
    expected = torch.bucketize(VALUES, boundaries, **options)
    found = places.bucketize(VALUES, boundaries, **options)
    torch.testing.assert_close(found, expected, rtol=0, atol=0)
    found = places.searchsorted(boundaries, VALUES, **options)
    torch.testing.assert_close(found, expected, rtol=0, atol=0)
    rows = torch.stack((boundaries, boundaries - 1))
    expected = torch.searchsorted(rows, VALUES, **options)
    found = places.searchsorted(rows, VALUES, **options)
    torch.testing.assert_close(found, expected, rtol=0, atol=0)


def test_sides_numbers_and_sorters() -> None:
    boundaries = torch.tensor([-1.0, 0.0, 1.0])
    expected = torch.searchsorted(boundaries, VALUES, side="right")
    assert torch.equal(places.searchsorted(boundaries, VALUES, side="right"), expected)
    assert places.searchsorted(boundaries, 0.5) is NotImplemented
    assert places.bucketize(0.5, boundaries) is NotImplemented
    given = places.searchsorted(boundaries, VALUES, sorter=torch.arange(3))
    assert given is NotImplemented


def test_powers_of_two_slopes_and_classes() -> None:
    x = torch.tensor([-126.0, -1.0, -0.0, 0.5, 10.0, 127.0, 200.0, math.inf, -math.inf])
    assert_same_numbers(logarithms.exp2(x), torch.exp2(x), 1e-5)
    torch.testing.assert_close(activations.rrelu(x, 0.1, 0.5), F.rrelu(x, 0.1, 0.5))
    assert activations.rrelu(x, training=True) is NotImplemented
    classes = torch.tensor([[0, 3], [1, 1]])
    assert torch.equal(places.one_hot(classes, 4), F.one_hot(classes, 4))
    assert places.one_hot(classes) is NotImplemented


FUNCTIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "buckets": lambda x: torch.bucketize(x, torch.tensor([-1.0, 0.0, 0.5])).float(),
    "sorted": lambda x: torch.searchsorted(torch.tensor([-1.0, 0.0, 0.5]), x).float(),
    "added slices": lambda x: torch.zeros(1, 4, 8, 4).index_add(3, torch.arange(8) // 2, x),
    "added numbers": lambda x: torch.zeros(1, 4, 8, 4).scatter_add(
        3, (torch.arange(8) // 2).expand(1, 4, 8, 8), x
    ),
    "one hot": lambda x: F.one_hot(x.argmax(-1), 8).float(),
    "exclusive or": lambda x: ((x > 0) ^ (x > 0.5)).float(),
    "power of two": torch.exp2,
    "length": lambda x: torch.hypot(x, x.flip(1)),
    "sign": lambda x: torch.copysign(x, -x.flip(1)),
    "larger number": lambda x: torch.fmax(x, x.flip(1)),
    "cut": lambda x: F.pad(x, (-1, 2, 0, -3)),
    "spread": lambda x: torch.cat(torch.std_mean(x, 1)),
    "cosine": lambda x: F.cosine_similarity(x, x.flip(1) + 1, dim=1),
    "slopes": lambda x: F.rrelu(x, training=False),
    "decimals": lambda x: torch.round(x, decimals=1),
    "maxima": lambda x: F.adaptive_max_pool2d(x, (3, 4)),
}


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize(
    "format_",
    [
        pytest.param(name, marks=[pytest.mark.converters, pytest.mark.slow])
        for name in ("coreml", "tflite", "executorch")
    ],
)
def test_files_hold_them(format_: str, name: str, tmp_path: Path) -> None:
    x = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(0))
    found = in_file(FUNCTIONS[name], x, format_, tmp_path)
    torch.testing.assert_close(found, FUNCTIONS[name](x), rtol=1e-5, atol=1e-5)
