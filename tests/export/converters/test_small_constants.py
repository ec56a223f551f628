"""Constants that are nearly neutral, 1e-8 in a sum or 1 + 1e-6 in a product, reach the file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from affnet.artifact import TensorSpec
from affnet.export.converters import ConversionRequest, get_converter
from affnet.export.operators import replace_operators
from affnet.runtimes import runtime_for

SMALL = (1e-3, 1e-6, 1e-8, 1e-12, 1e-15, 1e-20)
EXTREMES = (1e-6, 1e-20)  # what loses another of them loses one of these, in a sum or a product
WIDTH = 4
ROWS = np.array(  # at 0 each constant alone is the result; at 1 so is what a factor differs by
    [[0, 0, 0, 0], [1e-18, 1e-9, 1e-5, 1], [1, 2, 0.5, 3], [1e-10, 1e-10, 1e-10, 1e-10]],
    np.float32,
)


class SmallConstants(nn.Module):
    """A row per operator and constant.

    No logarithm is taken near 1, where XNNPACK's and LiteRT's kernels are off by 1e-7 and the
    result is small.
    """

    def __init__(self, constants: tuple[float, ...]) -> None:
        super().__init__()
        self.constants = constants
        self.register_buffer("small", torch.tensor(constants))

    def forward(self, x: Tensor) -> Tensor:
        rows = []
        for index, small in enumerate(self.constants):
            stored = self.small[index]
            rows += [
                x + small, x - small, small - x, x + stored, x * small, x / small,
                x / (x.abs() + small), torch.log(3 * (x + small)), torch.sqrt(x + small),
                torch.rsqrt(x + small), torch.reciprocal(x + small), x.clamp(min=small),
                torch.log10(x.clamp(min=small)), torch.maximum(x, stored),
                x / (x.norm(dim=1, keepdim=True) + small), F.normalize(x, dim=1, eps=small),
                torch.where(x > small, x, x + small), (x + small) ** 0.5,
            ]  # fmt: skip
            if small > np.finfo(np.float32).eps:
                rows += [x * (1 + small), x * (1 - small), x / (1 + small)]
        return torch.stack(rows, 1)


def relative_errors(
    actual: NDArray[np.float32], expected: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Return the error of each element by its own size: no large one hides that of a small one."""
    difference = np.abs(actual - expected)
    return np.divide(difference, np.abs(expected), out=difference, where=expected != 0)


def slow(format_: str, route: str) -> list[Any]:
    """Return a route of a format that takes long: with all constants only exhaustively."""
    return [
        pytest.param(format_, route, EXTREMES, marks=(pytest.mark.converters, pytest.mark.slow)),
        pytest.param(format_, route, SMALL, marks=pytest.mark.exhaustive),
    ]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("format_", "route", "constants"),
    [
        ("onnx", "torch.export", SMALL),
        pytest.param("onnx", "TorchScript", SMALL, marks=pytest.mark.slow),
        *slow("executorch", "XNNPACK"),
        *slow("coreml", "torch.export"),
        *slow("tflite", "torch.export"),
    ],
    ids=lambda value: value if isinstance(value, str) else f"{len(value)} constants",
)
def test_small_constants_reach_the_file(
    format_: str, route: str, constants: tuple[float, ...], tmp_path: Path
) -> None:
    network, example = SmallConstants(constants).eval(), torch.ones(1, WIDTH)
    expected = [network(torch.from_numpy(row[None])).numpy() for row in ROWS]
    program = replace_operators(torch.export.export(network, (example,)), format_)
    request = ConversionRequest(
        "small",
        (TensorSpec("x", (1, WIDTH), "float32"),),
        (TensorSpec("y", expected[0].shape, "float32"),),
        "fp32",
        route,
        native_fft=False,
    )
    converted = get_converter(format_)().convert(program.module(), request, tmp_path)
    session = runtime_for(format_).load(converted.path, threads=1)
    for row, wanted in zip(ROWS, expected, strict=True):
        (found,) = session.run(row[None])
        normal = np.abs(wanted) >= np.finfo(np.float32).tiny  # smaller results are flushed to 0
        errors = relative_errors(found, wanted)[normal | (wanted == 0)]
        assert errors.max() < 5e-7  # half of what 1 + 1e-6 differs by
