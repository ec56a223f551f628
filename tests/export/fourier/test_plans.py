"""Each plan against numpy's FFT in float64, in both directions, and inside the mixer."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from affnet.export.fourier.plans import PLANS, matrices
from affnet.export.fourier.plans.base import DFTPlan, MapSize
from affnet.export.fourier.plans.channels_last import ChannelsLastPlan
from affnet.export.fourier.plans.dense import DensePlan
from affnet.export.fourier.plans.folded import FoldedPlan
from affnet.export.fourier.plans.folded_channels_last import FoldedChannelsLastPlan
from affnet.export.fourier.plans.mixed_radix import MixedRadixPlan, factors
from affnet.export.fourier.plans.mixed_radix_channels_last import MixedRadixChannelsLastPlan
from affnet.export.fourier.plans.right_products import RightProductsPlan
from affnet.export.fourier.plans.separable import SeparablePlan
from affnet.model.mixer import AdaptiveFrequencyFilter, Spectrum, TorchFFT
from tests.reference import fill, relative_error
from tests.tiny import noise

SIZES = st.tuples(st.integers(1, 40), st.integers(1, 40))
every_plan = pytest.mark.parametrize(
    "plan",
    [
        SeparablePlan,
        FoldedPlan,
        MixedRadixPlan,
        RightProductsPlan,
        DensePlan,
        ChannelsLastPlan,
        FoldedChannelsLastPlan,
        MixedRadixChannelsLastPlan,
    ],
)
drawn_sizes = settings(max_examples=30, deadline=None, derandomize=True)


def to_plan(spectrum: Tensor, plan: type[DFTPlan]) -> Spectrum:
    """Order a complex B x C x H x F spectrum as the plan has it."""
    orders = {
        SeparablePlan: lambda x: x.transpose(-1, -2),
        FoldedPlan: lambda x: both_halves(x).transpose(-1, -2),
        RightProductsPlan: lambda x: x.transpose(-1, -2),
        DensePlan: lambda x: x.flatten(2)[:, :, None],
        ChannelsLastPlan: lambda x: x,
        FoldedChannelsLastPlan: both_halves,
        MixedRadixPlan: by_residues,
        MixedRadixChannelsLastPlan: by_residues,
    }
    ordered = orders[plan](spectrum)
    return Spectrum(ordered.real.float().contiguous(), ordered.imag.float().contiguous())


def both_halves(spectrum: Tensor) -> Tensor:
    """Take rows k = 0 .. H // 2, then rows -k."""
    height = spectrum.shape[-2]
    half = torch.arange(height // 2 + 1)
    return spectrum[..., torch.cat((half, -half % height)), :]


def by_residues(spectrum: Tensor) -> Tensor:
    """Take rows k = k1 + r k2 in the order (k1, k2)."""
    r, m = factors(spectrum.shape[-2])
    return spectrum[..., torch.arange(r * m).reshape(m, r).T.flatten(), :]


def make_plan(plan: type[DFTPlan], size: tuple[int, int]) -> DFTPlan:
    # dense matrices of the largest maps would be of a gigabyte
    if plan is DensePlan and size[0] * size[1] > 400:
        size = (size[0] // 2 + 1, size[1] // 2 + 1)
    return plan(*size)


@every_plan
@drawn_sizes
@given(size=SIZES, seed=st.integers(0, 1000))
def test_analysis_is_the_real_dft(plan: type[DFTPlan], size: tuple[int, int], seed: int) -> None:
    transform = make_plan(plan, size)
    x = noise(2, 3, transform.height, transform.width, seed=seed)
    expected = to_plan(torch.fft.rfft2(x.double(), norm="ortho"), plan)
    actual = transform.analyse(x)
    scale = float(x.abs().max())  # an imaginary part may be zero all over
    for own, reference in zip(actual, expected, strict=True):
        assert own.shape == reference.shape
        assert float((own - reference).abs().max()) < 2e-6 * scale


@every_plan
@drawn_sizes
@given(size=SIZES, seed=st.integers(0, 1000))
def test_synthesis_is_the_real_inverse_of_any_spectrum(
    plan: type[DFTPlan], size: tuple[int, int], seed: int
) -> None:
    transform = make_plan(plan, size)
    height, width = transform.height, transform.width
    # every entry drawn: no conjugate symmetry in the columns 0 and W / 2
    parts = noise(2, 2, 3, height, width // 2 + 1, seed=seed)
    spectrum = torch.complex(parts[0].double(), parts[1].double())
    expected = torch.fft.irfft2(spectrum, s=(height, width), norm="ortho")
    actual = transform.synthesise(to_plan(spectrum, plan), width)
    assert actual.shape == (2, 3, height, width)
    assert float((actual - expected).abs().max()) < 3e-6 * float(parts.abs().max())


@pytest.mark.parametrize("size", [(1, 1), (1, 8), (8, 1), (2, 2), (7, 7), (14, 28), (9, 6)])
@every_plan
def test_numpys_fft_agrees_too(plan: type[DFTPlan], size: tuple[int, int]) -> None:
    x = noise(1, 1, *size)
    expected = np.fft.rfft2(x.numpy().astype(np.float64), norm="ortho")
    actual = plan(*size).analyse(x)
    ordered = to_plan(torch.from_numpy(expected), plan)
    for own, reference in zip(actual, ordered, strict=True):
        assert float((own - reference).abs().max()) < 1e-6 * float(x.abs().max())


@every_plan
@pytest.mark.parametrize("size", [(4, 6), (7, 5), (16, 16)])
def test_a_mixer_and_its_gradients_do_not_depend_on_the_transform(
    plan: type[DFTPlan], size: tuple[int, int]
) -> None:
    torch.manual_seed(0)
    mixer = fill(AdaptiveFrequencyFilter(16, "swish"))
    x = noise(2, 16, *size).requires_grad_()
    direction = noise(2, 16, *size, seed=1)
    results = []
    for transform in (TorchFFT(), plan(*size)):
        mixer.transform = transform
        y = mixer(x)
        inputs = [x, *mixer.parameters()]
        results.append([y, *torch.autograd.grad((y * direction).sum(), inputs)])
    for expected, actual in zip(*results, strict=True):
        assert relative_error(actual, expected) < 1e-5


@every_plan
def test_constants_are_float32_and_no_part_of_the_state_dict(plan: type[DFTPlan]) -> None:
    transform = plan(5, 4)
    assert not transform.state_dict()
    assert not list(transform.parameters())
    assert {buffer.dtype for buffer in transform.buffers()} == {torch.float32}
    assert all(buffer.is_contiguous() for buffer in transform.buffers())


@pytest.mark.parametrize("length", [1, 2, 3, 4, 6, 8, 12, 20, 100])
def test_matrices_hold_exact_zeros_and_ones(length: int) -> None:
    cos, sin = matrices._unit_roots(length, length, length)
    turns = np.outer(np.arange(length), np.arange(length)) % length
    quarters = {0: (1, 0), 1: (0, 1), 2: (-1, 0), 3: (0, -1)}
    for quarter, (cosine, sine) in quarters.items():
        at = 4 * turns == quarter * length
        assert (cos[at] == cosine / np.sqrt(length)).all()
        assert (sin[at] == sine / np.sqrt(length)).all()
    assert (np.count_nonzero(cos) + np.count_nonzero(sin)) == 2 * length**2 - (
        (4 * turns % length == 0).sum()
    )


def test_matrices_of_length_four_hold_halves_and_zeros_only() -> None:
    half = matrices.real_to_half(4)  # w, part, f
    assert half[:, 0].tolist() == [
        [0.5, 0.5, 0.5],
        [0.5, 0, -0.5],
        [0.5, -0.5, 0.5],
        [0.5, 0, -0.5],
    ]
    assert half[:, 1].tolist() == [[0, 0, 0], [0, -0.5, 0], [0, 0, 0], [0, 0.5, 0]]


@pytest.mark.parametrize("length", [1, 2, 5, 8, 13, 32])
def test_matrices_are_inverse_to_each_other(length: int) -> None:
    forward = matrices.real_to_half(length).reshape(length, -1)
    backward = matrices.half_to_real(length).reshape(-1, length)
    assert np.abs(forward @ backward - np.eye(length)).max() < 1e-14
    there = matrices.complex_dft(length).reshape(2 * length, -1)  # (ri', k) x (h, ri)
    back = matrices.complex_dft(length, inverse=True).reshape(2 * length, -1)
    reordered = there.reshape(2, length, -1).transpose(1, 0, 2).reshape(2 * length, -1)
    product = back @ reordered  # (ri, h) x (h, ri)
    identity = np.eye(2 * length).reshape(length, 2, -1).transpose(1, 0, 2).reshape(2 * length, -1)
    assert np.abs(product - identity).max() < 1e-14


@pytest.mark.parametrize(
    ("length", "expected"), [(1, (1, 1)), (7, (1, 7)), (12, (3, 4)), (64, (8, 8)), (128, (8, 16))]
)
def test_factors_are_as_near_as_they_can_be(length: int, expected: tuple[int, int]) -> None:
    assert factors(length) == expected


@pytest.mark.parametrize("length", [2, 5, 8])
def test_imaginary_parts_of_frequencies_that_are_real_carry_nothing(length: int) -> None:
    imaginary = matrices.half_to_real(length)[1]
    assert not imaginary[0].any()
    if length % 2 == 0:
        assert not imaginary[-1].any()


@every_plan
@pytest.mark.parametrize("size", [(8, 8), (7, 5), (6, 10)])
def test_the_cost_is_what_torch_counts(plan: type[DFTPlan], size: tuple[int, int]) -> None:
    from torch.utils.flop_counter import FlopCounterMode

    transform = plan(*size)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        transform.synthesise(transform.analyse(torch.zeros(1, 3, *size)), size[1])
    assert plan.cost(MapSize(3, *size)).macs == counter.get_total_flops() // 2


def test_plans_are_registered_under_their_names() -> None:
    assert list(PLANS) == [
        *["separable", "folded", "right", "dense", "channels_last", "folded_channels_last"],
        *["mixed_radix", "mixed_radix_channels_last"],
    ]
    assert all(plan.name == name for name, plan in PLANS.items())
