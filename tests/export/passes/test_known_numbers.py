"""Numbers that a network takes out of its buffers, in each format."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from affnet.artifact import TensorSpec
from affnet.export.converters import ConversionRequest, get_converter
from affnet.export.operators import replace_operators
from affnet.export.passes.known_numbers import with_known_numbers
from affnet.runtimes import runtime_for
from tests.export.fourier.rewriting import THIRD_PARTY_WARNINGS, Program

pytestmark = [*THIRD_PARTY_WARNINGS]


class Padded(nn.Module):
    """Margins and a factor of buffers."""

    margins: Tensor
    places: Tensor
    factor: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("margins", torch.tensor([1, 2]))
        self.register_buffer("places", torch.tensor([0, 3, 4, 6]))
        self.register_buffer("factor", torch.tensor([0.5]))

    def forward(self, x: Tensor) -> Tensor:
        padded = F.pad(x, (*self.margins,)) * self.factor.item()
        return padded[:, self.places].exp()


@pytest.mark.converters
@pytest.mark.parametrize("format_", ["onnx", "tflite", "coreml", "executorch"])
def test_files_have_the_shapes_they_make(format_: str, tmp_path: Path) -> None:
    network, x = Padded(), torch.randn(3, 4)
    program = with_known_numbers(torch.export.export(network, (x,)))
    module = replace_operators(program, format_).module()
    converter, expected = get_converter(format_), network(x)
    borders = (
        (TensorSpec("input", tuple(x.shape), "float32"),),
        (TensorSpec("output", tuple(expected.shape), "float32"),),
    )
    request = ConversionRequest("padded", *borders, "fp32", converter.routes[0], native_fft=False)
    path = converter().convert(module, request, tmp_path).path
    (actual,) = runtime_for(format_).load(path, threads=1).run(x.numpy())
    torch.testing.assert_close(torch.from_numpy(actual), expected, rtol=1e-5, atol=1e-6)


def test_nothing_of_them_is_left() -> None:
    x = torch.randn(3, 4)
    known = with_known_numbers(torch.export.export(Padded(), (x,)))
    values = [node.meta.get("val") for node in known.graph.nodes]
    assert all(isinstance(size, int) for v in values if isinstance(v, Tensor) for size in v.shape)
    assert not any(isinstance(v, torch.SymInt | torch.SymFloat | torch.SymBool) for v in values)
    torch.testing.assert_close(known.module()(x), Padded()(x))


def test_what_inputs_decide_is_left() -> None:
    program = torch.export.export(
        Program(lambda x: x.clamp(max=x.max().item() - 1)), (torch.ones(3),)
    )
    assert with_known_numbers(program) is program


class Counting(nn.Module):
    """A buffer that each call changes."""

    count: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("count", torch.tensor(1.0))

    def forward(self, x: Tensor) -> Tensor:
        y = x * self.count.item()
        self.count.add_(1)
        return y


def test_what_a_call_changes_is_left() -> None:
    program = torch.export.export(Counting(), (torch.ones(3),)).run_decompositions({})
    assert with_known_numbers(program) is program
