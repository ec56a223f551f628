"""What a converter lacks is named by the user's line, whatever the converter calls it."""

from __future__ import annotations

import gc
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from affnet.artifact import TensorSpec
from affnet.errors import ConversionError
from affnet.export.converters import ConversionRequest, get_converter
from affnet.export.converters.gaps import with_line
from affnet.export.fourier.rewrite import rewrite_program
from tests.export.fourier.rewriting import THIRD_PARTY_WARNINGS, Program

pytestmark = THIRD_PARTY_WARNINGS


class Several(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        largest = F.max_pool2d(x, 3, dilation=2)
        distances = torch.cdist(largest, largest)
        solved = torch.linalg.solve(distances + torch.eye(2), largest)
        return distances.cummax(-1)[0] + solved


@pytest.mark.parametrize(
    ("problem", "line"),
    [
        ("No ONNX function found for <OpOverload(op='aten.cummax', ..", "cummax(-1)[0]"),
        ("coremltools cannot convert net: Unsupported fx node cummax, kind cummax", "cummax"),
        ("PyTorch convert function for op '_cdist_forward' not implemented", "torch.cdist("),
        ("<OpOverload(op='aten._linalg_solve_ex', overload='default')>", "torch.linalg.solve("),
        ("method->execute() failed with error 0x12 in aten::add_copy.out", "distances + torch.eye"),
        ("@max_pool does not support dilation > 1 (in aten.max_pool2d)", "F.max_pool2d(x, 3, "),
    ],
)
def test_the_line_of_an_operator_is_named(problem: str, line: str) -> None:
    program = torch.export.export(Several(), (torch.ones(1, 2, 9, 9),))
    error = with_line(ConversionError(problem), program)
    assert " is from test_gaps.py:" in error.problem
    assert line in error.problem
    assert error.remedy is not None


def _refusal(network: nn.Module, x: Tensor) -> ConversionError:
    program = torch.export.export(network, (x,))
    with pytest.raises(ConversionError) as caught:
        rewrite_program(program)
    error = with_line(caught.value, program)
    assert isinstance(error, ConversionError)
    return error


def test_another_format_is_no_remedy_for_what_the_rewrite_refuses() -> None:
    error = _refusal(Program(lambda x: torch.linalg.eigvals(x)), torch.eye(3))
    assert error.problem.count("rewriting.py:") == 1
    assert error.remedy is None  # the problem says what to write instead
    solved = _refusal(Program(lambda x: torch.linalg.inv(torch.fft.fft(x))), torch.eye(65))
    assert solved.remedy is not None
    assert solved.remedy.startswith("systems of up to 64 unknowns")


class Masked(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        z = torch.fft.fft(x)
        z[z.real > 0] *= 2
        return z.abs()


def test_a_mask_that_picks_complex_values_is_refused_with_what_to_write() -> None:
    error = _refusal(Masked(), torch.ones(4))
    assert "`z[z.real > 0] *= 2`" in error.problem
    assert error.problem.endswith("torch.where(mask, a, b) in place of x[mask]")


@pytest.mark.converters
@pytest.mark.filterwarnings("ignore:Implicitly cleaning up:ResourceWarning")  # coremltools' folder
def test_coremltools_words_come_with_the_operator(tmp_path: Path) -> None:
    specs = [TensorSpec("x", (1, 2, 9, 9), "float32"), TensorSpec("y", (1, 2, 5, 5), "float32")]
    request = ConversionRequest(
        "net", (specs[0],), (specs[1],), "fp32", "torch.export", native_fft=False
    )
    network = Program(lambda x: F.max_pool2d(x, 3, 1, dilation=2))
    with pytest.raises(ConversionError, match=r"dilation > 1 \(in aten\.max_pool2d\)\.$"):
        get_converter("coreml")().convert(network, request, tmp_path)
    gc.collect()  # while the warning is ignored
