"""The borders of a program: inputs, weights, buffers, outputs, constants, dynamic lengths."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn
from torch.export import Dim

from affnet.export.fourier.rewrite import rewrite_program
from tests.export.fourier.rewriting import THIRD_PARTY_WARNINGS, as_real, assert_same, rewrite

pytestmark = THIRD_PARTY_WARNINGS


class Filter(nn.Module):
    """Complex in every role: input, parameter, buffer, constant, output; a buffer is written."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(4, dtype=torch.complex64))
        self.register_buffer("state", torch.randn(4, dtype=torch.complex64))
        self.constant = torch.randn(4, dtype=torch.complex64)

    def forward(self, x: Tensor, z: Tensor) -> dict[str, Tensor]:
        y = torch.fft.fft(x) * self.weight + self.constant * z
        self.state.add_(y.sum(0))
        return {
            "spectrum": y,
            "same": z,
            "energy": (y * y.conj()).real.sum(-1) + self.state.abs().sum(),
        }


def test_every_complex_border_becomes_a_trailing_axis_and_is_noted() -> None:
    model, x, z = Filter(), torch.randn(3, 4), torch.randn(3, 4, dtype=torch.complex64)
    program = torch.export.export(copy.deepcopy(model), (x, z))
    result = rewrite_program(program)
    names = ("'weight'", "'state'", "'constant'", "'z'", "'0'", "'1'")
    for name in names:
        assert any(name in note for note in result.notes), (name, result.notes)
    assert len(result.notes) == len(names)
    assert result.program.state_dict["weight"].shape == (4, 2)
    assert isinstance(result.program.state_dict["weight"], nn.Parameter)
    assert program.state_dict["weight"].is_complex()  # the given program is left as it was
    runner = result.program.module()
    for _ in range(2):  # the second run sees the state that the first one wrote
        expected, actual = model(x, z), runner(x, torch.view_as_real(z))
        assert list(actual) == list(expected)
        for key, value in expected.items():
            torch.testing.assert_close(actual[key].detach(), as_real(value), rtol=1e-5, atol=1e-5)


def test_a_program_without_complex_numbers_is_returned_as_it_is() -> None:
    program = torch.export.export(nn.Linear(3, 3), (torch.randn(2, 3),))
    result = rewrite_program(program)
    assert result.program is program
    assert result.notes == ()


def test_the_same_transform_shares_its_constants() -> None:
    def graph(x: Tensor) -> list[Tensor]:
        return [torch.fft.rfft(x).abs(), torch.fft.rfft(x + 1).abs(), torch.fft.rfft(x, dim=0).real]

    result = assert_same(graph, torch.randn(6, 6, dtype=torch.float64))
    assert len(result.program.constants) == 2


def test_a_part_that_is_not_used_costs_nothing() -> None:
    result = rewrite(lambda x: torch.fft.fft(x).real, torch.randn(3, 6))
    calls = [node for node in result.program.graph.nodes if node.op == "call_function"]
    assert [node.target for node in calls] == [torch.ops.aten.linear.default]
    assert len(result.program.constants) == 1


def test_the_result_can_be_exported_again_saved_and_loaded(tmp_path: object) -> None:
    x = torch.randn(3, 6)
    result = rewrite(lambda x: torch.fft.irfft(torch.fft.rfft(x) * 1j), x)
    path = f"{tmp_path}/program.pt2"
    torch.export.save(result.program, path)
    loaded = torch.export.load(path).module()
    again = torch.export.export(result.program.module(), (x,)).module()
    expected = torch.fft.irfft(torch.fft.rfft(x) * 1j)
    torch.testing.assert_close(loaded(x), expected, atol=1e-6, rtol=1e-5)
    torch.testing.assert_close(again(x), expected, atol=1e-6, rtol=1e-5)


def test_rank_four_stays_within_rank_five() -> None:
    def graph(x: Tensor) -> Tensor:
        z = torch.fft.fftn(x, dim=(0, 1, 2, 3))
        return torch.fft.irfftn(z.permute(3, 1, 0, 2) * 2j, s=(3, 3), dim=(1, 2))

    result = assert_same(graph, torch.randn(2, 3, 4, 5, dtype=torch.float64))
    values = [node.meta["val"] for node in result.program.graph.nodes if node.op != "output"]
    assert max(value.dim() for value in values) <= 4


def test_dynamic_lengths_that_are_not_transformed() -> None:
    class Model(nn.Module):
        def forward(self, x: Tensor) -> list[Tensor]:
            z = torch.fft.rfft(x) * 1j + x[..., :4].mean(1, keepdim=True)
            flat = z.transpose(0, 1).reshape(-1, 4)
            return [torch.fft.irfft(z + torch.ones(5, 1, 1, 1), 6), flat.abs(), z.sum(0)]

    assert_same(
        Model(),
        torch.randn(3, 4, 6, dtype=torch.float64),
        others=(torch.randn(5, 7, 6, dtype=torch.float64),),
        dynamic_shapes=({0: Dim("a", min=2), 1: Dim("b", min=2)},),
    )


def test_complex_constants_may_be_lazily_conjugated() -> None:
    weight = torch.randn(4, dtype=torch.complex128)

    class Model(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("weight", weight.conj())

        def forward(self, x: Tensor) -> Tensor:
            return (torch.fft.fft(x) * self.weight).imag

    assert_same(Model(), torch.randn(3, 4, dtype=torch.float64))
