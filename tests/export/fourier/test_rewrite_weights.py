"""What depends on weights alone is a constant, computed once; checks of solutions are dropped."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from tests.export.fourier.rewriting import (
    THIRD_PARTY_WARNINGS,
    Program,
    assert_real,
    relative_error,
    rewrite,
)

pytestmark = THIRD_PARTY_WARNINGS

X = torch.randn(2, 4, 12, 12, generator=torch.Generator().manual_seed(0))


def operators(program: torch.export.ExportedProgram) -> list[str]:
    return [str(node.target) for node in program.graph.nodes if node.op == "call_function"]


def rewritten(module: nn.Module, *inputs: Tensor) -> list[str]:
    """Return the operators that are left, of a program that computes the same."""
    result = rewrite(module, *inputs)
    assert_real(result)
    assert relative_error(result.program.module()(*inputs), module(*inputs)) < 1e-5
    return operators(result.program)


def test_linear_algebra_of_spectra_of_weights_is_computed_once() -> None:
    def convolution(x: Tensor) -> Tensor:
        w = network.w
        spectra = torch.fft.fft2(w, s=(12, 12)).permute(2, 3, 0, 1)
        largest = torch.linalg.svdvals(spectra).amax()  # of a circular convolution
        return torch.conv2d(x, w / largest).abs()

    network = Program(convolution, w=torch.randn(4, 4, 3, 3))
    found = rewritten(network, X)
    assert not any("svd" in name for name in found)
    assert "aten.div.Tensor" not in found and "aten.amax.default" not in found


def test_spectra_of_weights_that_lie_otherwise_in_memory_are_computed_once() -> None:
    def filtered(x: Tensor) -> Tensor:
        spectrum = torch.fft.rfft(weight).transpose(0, 1) * 2
        return torch.fft.irfft(torch.fft.rfft(x) * spectrum, n=12)

    weight = torch.randn(12, 4, 12)
    found = rewritten(Program(filtered), X)
    assert found.count("aten.mul.Tensor") == 4  # one complex product
    assert found.count("aten.linear.default") == 3  # two parts of a spectrum, and the inverse


def test_no_check_is_left_of_a_solution() -> None:
    def solved(x: Tensor) -> Tensor:
        z = torch.fft.fft(x)
        return torch.linalg.solve(z + 4 * torch.eye(3), z[..., 0]).abs()

    found = rewritten(Program(solved), torch.rand(2, 3, 3))
    assert not any("check" in name or "effects" in name for name in found)


def test_a_product_of_two_numbers_is_computed_once() -> None:
    def normed(x: Tensor) -> Tensor:
        z = torch.fft.fft2(x)
        return torch.einsum("bchw,bdhw->bcd", z, z.conj()).real / torch.mul(*x.shape[-2:])

    program = rewrite(Program(normed), X).program
    products = program.graph.find_nodes(op="call_function", target=torch.ops.aten.mul.Tensor)
    assert all(node.all_input_nodes for node in products)
    assert relative_error(program.module()(X), normed(X)) < 1e-5


class StateSpace(nn.Module):
    """A diagonal state space layer, whose kernel is made of its weights."""

    def __init__(self, channels: int = 4, states: int = 8) -> None:
        super().__init__()
        self.c = nn.Parameter(torch.randn(channels, states, dtype=torch.complex64))
        self.rate = nn.Parameter(torch.rand(channels, states))
        self.turn = nn.Parameter(torch.rand(channels, states))

    def forward(self, x: Tensor) -> Tensor:
        a = torch.complex(-self.rate, self.turn)
        powers = torch.exp(a.unsqueeze(-1) * torch.arange(x.shape[-1]))
        kernel = torch.einsum("cn,cnt->ct", self.c, powers).real
        size = 2 * x.shape[-1]
        # its spectrum: with the transform back it would be found to be a convolution
        return (torch.fft.rfft(x, size) * torch.fft.rfft(kernel, size)).abs()


def test_the_kernel_of_a_state_space_is_computed_once() -> None:
    with torch.no_grad():
        found = rewritten(StateSpace().eval(), torch.randn(2, 4, 20))
    assert not {"aten.exp.default", "aten.cos.default", "aten.sin.default"} & {*found}


def test_what_weights_are_spread_to_is_not_stored() -> None:
    def outer(x: Tensor) -> Any:
        tall = network.w[:, None] * network.w  # 16 MB
        return torch.fft.rfft(x).abs().sum() * tall.sum(), x.sum() * tall

    network = Program(outer, w=torch.randn(2048))
    result = rewrite(network, torch.randn(16))
    stored = [value for value in result.program.constants.values() if isinstance(value, Tensor)]
    assert all(value.numel() < 2**18 for value in stored)
