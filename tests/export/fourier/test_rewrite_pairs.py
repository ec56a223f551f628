"""Pairs stacked beside a transform, contractions of several tensors, and the sign of zero."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from affnet.errors import ConversionError
from affnet.export.fourier.rewrite.contraction import contraction_order
from tests.export.fourier.rewriting import THIRD_PARTY_WARNINGS, Program, assert_same, rewrite

pytestmark = THIRD_PARTY_WARNINGS


@pytest.mark.parametrize(
    "cast",
    [
        lambda pair: pair.float(),
        lambda pair: pair.double().float(),
        lambda pair: pair.half().float(),
        lambda pair: torch.stack((pair[..., 0].argmax(-1), pair[..., 1].argmax(-1)), -1).float(),
    ],
)
def test_a_stack_that_is_cast(cast: Callable[[Tensor], Tensor]) -> None:
    def function(x: Tensor) -> Tensor:
        magnitude = torch.fft.rfft(x).abs()
        return cast(torch.stack((magnitude, magnitude.flip(-1)), -1))

    assert_same(function, torch.randn(2, 16), tolerance=1e-3)


def test_a_part_that_is_assigned_takes_its_place() -> None:
    def function(x: Tensor) -> Tensor:
        z, out = torch.fft.rfft(x), torch.zeros(2, 9, dtype=torch.complex128)
        z.imag *= -1
        out.real, out.imag = z.imag, z.real[0]
        return torch.fft.irfft(out) + z.imag.sum()

    x = torch.randn(2, 16, dtype=torch.float64)
    assert_same(function, x)
    operators = {str(node.target) for node in rewrite(function, x).program.graph.nodes}
    assert operators.isdisjoint(
        ("aten.stack.default", "aten.select_scatter.default", "aten.copy.default")
    )


def test_a_real_signal_in_a_pair_of_zeros_is_transformed_as_one() -> None:
    """As kymatio's scattering has it: a pair is made of a real map, and the real part returned."""

    def function(x: Tensor) -> Tensor:
        pair = torch.zeros(*x.shape, 2, dtype=x.dtype)
        pair[..., 0] = x.abs()[..., None][..., 0]
        z = torch.fft.fft2(torch.view_as_complex(pair))
        pair = torch.view_as_real(z).view(-1, 12, 10, 2).view(2, 12, 10, 2)
        back = torch.fft.ifft2(torch.view_as_complex(pair)).real[..., None]
        return back[..., 1:-1, 2:-2, :].reshape(2, 10, 6)

    x = torch.randn(2, 12, 10, dtype=torch.float64)
    assert_same(function, x)
    calls = [n for n in rewrite(function, x).program.graph.nodes if n.op == "call_function"]
    names = {node.target.overloadpacket.__name__ for node in calls}
    assert names.isdisjoint({"constant_pad_nd", "full", "unsqueeze", "slice", "view"})
    first, *others = [node for node in calls if node.target is torch.ops.aten.linear.default]
    assert first.args[0] is others[0].args[0] is calls[0]  # cosines and sines of the modulus


def test_views_of_an_output_and_an_input_are_outputs_of_their_own() -> None:
    def function(x: Tensor) -> tuple[Tensor, ...]:
        y = torch.fft.rfft(x).abs()
        return y, y.view(2, 9, 1).view(2, 9), x.view(2, 16)

    assert_same(function, torch.randn(2, 16, dtype=torch.float64))


def test_a_contraction_of_several_complex_tensors() -> None:
    core, left, right = (
        torch.randn(*shape, dtype=torch.complex128) for shape in ((3, 2), (4, 3), (9, 2))
    )

    def function(x: Tensor) -> Tensor:
        return torch.einsum("bcx,rs,cr,xs->bx", torch.fft.rfft(x), core, left, right)

    assert_same(function, torch.randn(2, 4, 16, dtype=torch.float64))


def test_the_factors_of_a_contraction_meet_before_their_outer_product() -> None:
    lengths = dict.fromkeys("bo", 6) | dict.fromkeys("ixy", 5) | dict.fromkeys("pqrs", 2)
    terms = ["bixy", "pqrs", "ip", "oq", "xr", "ys"]
    steps = contraction_order(terms, "boxy", lengths)
    assert len(steps) == 5
    assert max(len(step.equation.partition("->")[2]) for step in steps) <= 5
    assert steps[-1].equation.endswith("->boxy")


def test_a_contraction_without_an_output_is_refused() -> None:
    weight = torch.randn(9, dtype=torch.complex64)

    def function(x: Tensor) -> Tensor:
        return torch.einsum("...x,x,x", torch.fft.rfft(x), weight, weight).abs()

    with pytest.raises(ConversionError, match="contract two tensors at a time"):
        rewrite(Program(function), torch.randn(2, 16))


@pytest.mark.parametrize("length", [15, 16])
def test_real_bins_lie_on_the_cut_as_in_pytorch(length: int) -> None:
    """The imaginary part of the zero and the Nyquist bin is +0: the angle is 0 or pi."""
    bins = [0] if length % 2 else [0, -1]

    def function(x: Tensor) -> Tensor:
        spectrum = torch.fft.rfft(x)[..., bins]
        return torch.stack((spectrum.angle(), spectrum.conj().angle()))

    x = torch.rand(2, length, dtype=torch.float64) + 0.1
    x[:, ::2] += 1  # the Nyquist bin is positive
    result = assert_same(function, x)
    for other in (-x, x.flip(0)):
        assert torch.equal(result.program.module()(other), function(other))
    constants = result.program.constants
    sines = [value for name, value in constants.items() if name.endswith("_sin")]
    assert sines
    assert not any(torch.signbit(sine[sine == 0]).any() for sine in sines)
