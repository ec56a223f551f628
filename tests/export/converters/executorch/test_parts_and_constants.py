"""What ExecuTorch stops at: parts that wait for each other, and constants laid out unusually."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from affnet.artifact import TensorSpec
from affnet.errors import ArtifactError
from affnet.export.converters import ConversionRequest
from affnet.export.converters.executorch.converter import ExecutorchConverter
from affnet.runtimes.executorch import ExecutorchRuntime
from tests.export.fourier.rewriting import THIRD_PARTY_WARNINGS, Program

pytestmark = [*THIRD_PARTY_WARNINGS, pytest.mark.converters]


def _assert_right(
    network: nn.Module, x: Tensor, route: str, folder: Path, parts: int | None = None
) -> None:
    """Compare a file of ``network`` with it, and the delegated parts with ``parts``."""
    expected = [*network.eval()(x)]
    given = tuple(
        TensorSpec(f"output_{i}", tuple(y.shape), "float32") for i, y in enumerate(expected)
    )
    taken = (TensorSpec("input", tuple(x.shape), "float32"),)
    request = ConversionRequest("parts", taken, given, "fp32", route, native_fft=False)
    program = torch.export.export(network, (x,)).module()
    conversion = ExecutorchConverter().convert(program, request, folder)
    found = ExecutorchRuntime.load(conversion.path, threads=1).run(x.numpy())
    for actual, wanted in zip(found, expected, strict=True):
        torch.testing.assert_close(torch.from_numpy(actual), wanted)
    if parts is not None:
        assert conversion.details["delegated_parts"] == parts


class Shared(nn.Module):
    """A layer used three times, and between two of them what XNNPACK has no operator for."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.shared = nn.Linear(4, 4), nn.Linear(4, 4)

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        return self.shared(self.first(x)), self.shared(self.shared(x).cumsum(-1))


def test_parts_with_a_layer_in_common_do_not_wait_for_each_other(tmp_path: Path) -> None:
    _assert_right(Shared(), torch.randn(2, 4), "XNNPACK", tmp_path, parts=2)


def _laid_out(values: Tensor, *strides: int) -> Tensor:
    """Return ``values`` with other strides along axes of one element."""
    return values.as_strided(values.shape, strides)


@pytest.mark.parametrize("route", ["XNNPACK", "portable"])
@pytest.mark.parametrize("strides", [(0, 0, 1, 0), (1, 1, 1, 1), (1, 1, 1, 9)])
def test_strides_of_axes_of_one_element_do_not_matter(
    strides: tuple[int, ...], route: str, tmp_path: Path
) -> None:
    filters = _laid_out(torch.randn(1, 1, 5, 1), *strides)
    assert filters.is_contiguous()
    network = Program(lambda x: (x.cumsum(-1) + filters.select(-1, 0), x * filters))
    _assert_right(network, torch.randn(2, 3, 5, 1), route, tmp_path)
    network = Program(lambda x: (F.conv2d(x, network.filters),), filters=filters)
    _assert_right(network, torch.randn(1, 1, 6, 6), route, tmp_path)


def _file_of(network: nn.Module, x: Tensor, folder: Path) -> Path:
    """Return a file of ``network`` as it is, whether or not ExecuTorch has kernels for it."""
    taken, given = (
        TensorSpec(name, tuple(value.shape), "float32") for name, value in (("x", x), ("y", x))
    )
    request = ConversionRequest("net", (taken,), (given,), "fp32", "portable", native_fft=False)
    return ExecutorchConverter().convert(network, request, folder).path


def test_an_operator_without_a_kernel_is_named(tmp_path: Path) -> None:
    path = _file_of(
        nn.Sequential(nn.AvgPool3d(2), nn.AvgPool3d(2)), torch.ones(1, 4, 4, 4, 4), tmp_path
    )
    with pytest.raises(ArtifactError, match=r": it has no kernel of aten::avg_pool3d\.out\.$"):
        ExecutorchRuntime.load(path, threads=1)


def test_an_operator_whose_kernel_refuses_its_tensors_is_named(tmp_path: Path) -> None:
    x = torch.ones(1, 1, 4, 4, 4)
    session = ExecutorchRuntime.load(_file_of(nn.Conv3d(1, 1, 3), x, tmp_path), threads=1)
    with pytest.raises(RuntimeError, match=r"error 0x12 in aten::convolution\.out$"):
        session.run(x.numpy())
