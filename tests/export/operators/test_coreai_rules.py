"""Operators that coreai-torch lacks or gets wrong, alone beside PyTorch and in one file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from affnet.artifact import TensorSpec
from affnet.export.converters import ConversionRequest, get_converter
from affnet.export.operators import averages, replace_operators, statistics, substitutes
from affnet.runtimes import get_runtime
from tests.export.fourier.rewriting import THIRD_PARTY_WARNINGS, Program

pytestmark = [*THIRD_PARTY_WARNINGS]

X = torch.randn(2, 6, 8, 9, generator=torch.Generator().manual_seed(0))
NUMBERS = torch.tensor([-7.5, -1.0, -0.0, 0.0, 2.0, 3.0])

FUNCTIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "average without padding": lambda x: F.avg_pool2d(x, 3, 2, 1, count_include_pad=False),
    "average rounded up": lambda x: F.avg_pool2d(x, 3, 2, 1, ceil_mode=True),
    "average of both": lambda x: F.avg_pool2d(x, 4, 3, 2, True, False),
    "average by a divisor": lambda x: F.avg_pool2d(x, 3, 2, 1, True, False, 5),
    "nearest": lambda x: F.interpolate(x, size=(5, 3), mode="nearest"),
    "places of maxima": lambda x: F.max_pool2d(x, 2, return_indices=True)[1],
    "variance": lambda x: x.var(),
    "deviation": lambda x: x.std((1, -1), keepdim=True),
    "variance with mean": lambda x: torch.cat(torch.var_mean(x, 1, correction=0)),
    "largest of all": torch.amax,
    "smallest of all": torch.amin,
    "place of the smallest": lambda x: x.argmin(1),
    "place of the largest of all": lambda x: x.argmax(keepdim=True),
    "NaN": lambda x: torch.isnan(x.clamp(min=0).log() * 0),
    "remainder": lambda x: torch.remainder(x * 5, 3),
    "ELU": lambda x: F.elu(x * 3, alpha=0.7),
    "SELU": F.selu,
    "sorted": lambda x: x.sort(-1, descending=True).values,
    "windows": lambda x: x.unfold(3, 4, 2),
    "fold": lambda x: F.fold(x.reshape(2, 24, 18)[:, :, :16], (8, 8), 2, stride=2),
}


@pytest.mark.parametrize("ceil_mode", [False, True])
@pytest.mark.parametrize("include", [False, True])
@pytest.mark.parametrize("divisor", [None, 7])
@pytest.mark.parametrize("window", [(3, 2, 1), (2, 2, 0), (4, 3, 2), (5, 1, 2), (3, 4, 1)])
def test_average_pools(
    window: tuple[int, int, int], divisor: int | None, include: bool, ceil_mode: bool
) -> None:
    kernel, stride, padding = window
    arguments = ([kernel], [stride], [padding], ceil_mode, include, divisor)
    found = averages.avg_pool2d(X, *arguments)
    if found is NotImplemented:
        assert not ceil_mode
        assert include or divisor or not padding
        return
    torch.testing.assert_close(found, F.avg_pool2d(X, *arguments))


@pytest.mark.parametrize("correction", [None, 0, 1, 3])
@pytest.mark.parametrize("axes", [None, (1,), (-1, 0)])
def test_variances(axes: tuple[int, ...] | None, correction: float | None) -> None:
    options = {"correction": 1 if correction is None else correction, "keepdim": True}
    found = statistics.variance(X, axes, correction=correction, keepdim=True)
    torch.testing.assert_close(found, torch.var(X, axes, **options))
    found = statistics.deviation(X, axes, correction=correction, keepdim=True)
    torch.testing.assert_close(found, torch.std(X, axes, **options))


def test_substitutes() -> None:
    torch.testing.assert_close(
        substitutes.elu(NUMBERS, 2, 3, 0.5), torch.ops.aten.elu(NUMBERS, 2, 3, 0.5)
    )
    assert torch.equal(substitutes.remainder(NUMBERS, -3), torch.remainder(NUMBERS, -3))
    assert torch.equal(substitutes.argmin(X, 2), X.argmin(2))
    assert substitutes.argmin(torch.tensor([1, 2])) is NotImplemented
    values, places = substitutes.sort(X, 1)
    assert torch.equal(values, X.sort(1).values)
    assert torch.equal(places, X.sort(1).indices)


@pytest.mark.converters
def test_all_of_them_in_a_file(tmp_path: Path) -> None:
    """One file with an output for each, which Core AI's interpreter computes as PyTorch does."""
    pytest.importorskip("coreai_torch", reason="needs coreai-torch (pip install 'affnet[coreai]')")
    program = torch.export.export(
        Program(lambda x: tuple(function(x) for function in FUNCTIONS.values())), (X,)
    )
    expected = dict(zip(FUNCTIONS, program.module()(X), strict=True))
    request = ConversionRequest(
        "rules",
        (TensorSpec("input", tuple(X.shape), "float32"),),
        tuple(
            TensorSpec(f"output{i}", tuple(value.shape), "float32")
            for i, value in enumerate(expected.values())
        ),
        "fp32",
        "torch.export",
        native_fft=False,
    )
    network = replace_operators(program, "coreai").module()
    path = get_converter("coreai")().convert(network, request, tmp_path).path
    found = get_runtime("coreai").load(path, threads=1).run(X.numpy())
    for (name, value), result in zip(expected.items(), found, strict=True):
        torch.testing.assert_close(
            torch.from_numpy(result).to(value.dtype), value, rtol=1e-5, atol=1e-5,
            msg=lambda said, name=name: f"{name}: {said}",
        )  # fmt: skip
