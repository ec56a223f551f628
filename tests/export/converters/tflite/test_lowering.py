"""Tests of what is spared on the way from a network to litert-torch's program."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from torch import Tensor, nn

from affnet.export.converters.tflite.lowering import (
    with_constants_kept_apart,
    with_fewer_traces,
)
from tests.export.operators.test_rules import in_file

pytestmark = [pytest.mark.converters, pytest.mark.filterwarnings("ignore")]


class Small(nn.Module):
    """Operators that litert-torch decomposes, and views."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(3, 4, 3)
        self.norm = nn.BatchNorm2d(4)
        self.linear = nn.Linear(4, 2)

    def forward(self, image: Tensor) -> Tensor:
        x = nn.functional.silu(self.norm(self.convolution(image)))
        x[:, :1] = 0.5
        return self.linear(x.flatten(2).transpose(1, 2).to(torch.float32).mean(1))


def operators(program: torch.export.ExportedProgram) -> list[str]:
    return [str(node.target) for node in program.graph.nodes if node.op == "call_function"]


def test_the_program_is_the_one_that_litert_torch_makes_by_itself() -> None:
    from litert_torch._convert import core
    from litert_torch._convert.signature import Signature

    torch.manual_seed(0)
    signature = Signature("main", Small().eval(), (torch.rand(1, 3, 6, 6),), {})
    own = core.export_torch_signature
    expected = own(signature)
    with pytest.raises(ZeroDivisionError), with_fewer_traces():
        program = core.export_torch_signature(signature, strict_export=False)
        raise ZeroDivisionError
    assert core.export_torch_signature is own
    assert operators(program) == operators(expected)
    torch.testing.assert_close(program.module()(*signature.args), signature.module(*signature.args))


def test_a_version_with_other_names_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    from affnet.export.converters.tflite import lowering

    monkeypatch.setattr(lowering, "import_module", lambda _: SimpleNamespace(other=1))
    with with_fewer_traces(), with_constants_kept_apart():
        assert vars(lowering.import_module("core")) == {"other": 1}


class Transposed(nn.Module):
    """Constants that litert-torch copies, as they lie otherwise in memory."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        for number in range(16):
            self.register_buffer(f"matrix_{number}", torch.randn(64, 64).t())

    def forward(self, x: Tensor) -> Tensor:
        return torch.stack([x @ matrix for matrix in self.buffers()])


def test_transposed_constants_are_not_taken_for_each_other(tmp_path: Path) -> None:
    network, x = Transposed().eval(), torch.randn(1, 64)
    found = in_file(network, x, "tflite", tmp_path)
    torch.testing.assert_close(found, network(x), rtol=1e-4, atol=1e-4)


def test_what_is_not_traced_once_is_left_to_litert_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    from litert_torch._convert import core

    from affnet.export.converters.tflite import lowering

    given: list[object] = []
    monkeypatch.setattr(lowering, "traced_once", lambda *_: None)
    monkeypatch.setattr(core, "export_torch_signature", lambda _, **options: given.append(options))
    with with_fewer_traces():
        core.export_torch_signature(SimpleNamespace(module=None, args=()), strict_export=False)
    assert given == [{"strict_export": False}]


class Rows(nn.Module):
    """A convolution of rows, which litert-torch makes one of maps."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution = nn.Conv1d(3, 4, 3)

    def forward(self, rows: Tensor) -> Tensor:
        return self.convolution(rows)


@pytest.mark.parametrize(("network", "shape"), [(Small, (1, 3, 6, 6)), (Rows, (1, 3, 8))])
def test_the_file_is_the_one_of_four_traces(
    monkeypatch: pytest.MonkeyPatch, network: type[nn.Module], shape: tuple[int, ...]
) -> None:
    import litert_torch

    traces: list[object] = []
    again = torch.export.ExportedProgram.run_decompositions

    def counted(program: torch.export.ExportedProgram, *args: object) -> object:
        traces.append(program)
        return again(program, *args)

    monkeypatch.setattr(torch.export.ExportedProgram, "run_decompositions", counted)
    torch.manual_seed(0)
    made, example = network().eval(), (torch.rand(shape),)
    expected = bytes(litert_torch.convert(made, example).model_content())
    assert len(traces) == 3
    traces.clear()
    with with_fewer_traces():
        found = bytes(litert_torch.convert(made, example).model_content())
    assert len(traces) == 1
    assert found == expected
