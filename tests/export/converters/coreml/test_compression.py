"""Core ML programs whose weights have 8 bits, or 4 and a table."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from affnet.artifact import TensorSpec
from affnet.errors import ConversionError
from affnet.export.converters import ConversionRequest
from affnet.export.converters.coreml.converter import CoreMLConverter
from affnet.runtimes.coreml import CoreMLRuntime, EvaluatorSession
from tests.tiny import noise

pytest.importorskip("coremltools")
pytestmark = [pytest.mark.converters, pytest.mark.filterwarnings("ignore")]


class Products(nn.Module):
    """A product as the Fourier transforms', then a weight for 8 bits and one for a table."""

    transform: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("transform", noise(32, 32))
        self.small = nn.Linear(32, 128)
        self.large = nn.Linear(128, 128)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.large(self.small(torch.matmul(self.transform, x)).relu())
        return y


def request(precision: str) -> ConversionRequest:
    taken = TensorSpec("x", (1, 1, 32, 32), "float32")
    given = TensorSpec("y", (1, 1, 32, 128), "float32")
    return ConversionRequest(
        "tiny", (taken,), (given,), precision, "torch.export", native_fft=False
    )


@pytest.mark.parametrize(
    ("precision", "operators", "most_bytes", "largest_error"),
    [
        ("int8-weights", {"constexpr_affine_dequantize": 2}, 26_000, 0.02),
        ("palette4", {"constexpr_affine_dequantize": 1, "constexpr_lut_to_dense": 1}, 18_000, 0.2),
    ],
)
def test_weights_are_small_but_for_those_of_transforms(
    tmp_path: Path,
    precision: str,
    operators: dict[str, int],
    most_bytes: int,
    largest_error: float,
) -> None:
    network, x = Products().eval(), noise(1, 1, 32, 32, seed=1)
    with torch.inference_mode():
        expected = network(x).numpy()
    path = CoreMLConverter().convert(network, request(precision), tmp_path).path
    found = CoreMLRuntime.operators(path)
    assert {name: found[name] for name in found if name.startswith("constexpr_")} == operators
    assert found["matmul"] == 1  # of the transform, whose constant is a plain one
    (weights,) = path.rglob("weight.bin")
    assert weights.stat().st_size < most_bytes  # of 43 kB in float16
    (actual,) = EvaluatorSession(path).run(x.numpy())
    error = np.abs(actual - expected).max() / np.abs(expected).max()
    assert 1e-4 < error < largest_error  # rounded, and no more


def test_what_coremltools_cannot_compress_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    optimize = pytest.importorskip("coremltools.optimize.coreml")

    def fail(*_: object) -> None:
        raise AssertionError("planted")

    monkeypatch.setattr(optimize, "linear_quantize_weights", fail)
    with pytest.raises(ConversionError, match=r"^coremltools cannot compress the weights: planted"):
        CoreMLConverter().convert(Products().eval(), request("int8-weights"), tmp_path)
