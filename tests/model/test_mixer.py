"""The mixer against the paper's complex-valued formula, written here once more."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from affnet.model.layers import make_activation
from affnet.model.mixer import AdaptiveFrequencyFilter, Spectrum, TorchFFT, complex_product
from tests.reference import fill, relative_error
from tests.tiny import noise


def by_parts(function: Callable[[Tensor], Tensor], z: Tensor) -> Tensor:
    return torch.complex(function(z.real), function(z.imag))


def papers_filter(
    x: Tensor, w1: Tensor, b1: Tensor, w2: Tensor, b2: Tensor, activation: str
) -> Tensor:
    """Section 3.2 in complex numbers: M(F(x)) * F(x) back in space, plus x."""
    _, channels, height, width = x.shape
    w1, b1, w2, b2 = (torch.complex(part[0], part[1]) for part in (w1, b1, w2, b2))
    spectrum = torch.fft.rfft2(x, norm="ortho")
    blocks = spectrum.unflatten(1, (8, channels // 8))
    act = make_activation(activation)
    hidden = by_parts(act, torch.einsum("bkihw,kio->bkohw", blocks, w1) + b1[..., None, None])
    mask = torch.einsum("bkihw,kio->bkohw", hidden, w2) + b2[..., None, None]
    mask = by_parts(lambda part: F.softshrink(part, 0.01), mask).reshape(spectrum.shape)
    return torch.fft.irfft2(mask * spectrum, s=(height, width), norm="ortho") + x


def make_filter(channels: int, activation: str) -> AdaptiveFrequencyFilter:
    class Holder(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.filter = AdaptiveFrequencyFilter(channels, activation)

    return fill(Holder()).filter


def weights(mixer: AdaptiveFrequencyFilter) -> list[Tensor]:
    return [mixer.w1, mixer.b1, mixer.w2, mixer.b2]


@pytest.mark.parametrize("activation", ["swish", "relu", "tanh"])
@pytest.mark.parametrize("size", [(8, 8), (7, 7), (5, 12), (1, 9), (6, 1), (1, 1)])
@pytest.mark.parametrize("channels", [8, 24])
def test_the_mixer_computes_the_papers_formula(
    channels: int, size: tuple[int, int], activation: str
) -> None:
    mixer = make_filter(channels, activation)
    x = noise(2, channels, *size)
    double = [weight.detach().double() for weight in weights(mixer)]
    expected = papers_filter(x.double(), *double, activation)
    assert relative_error(mixer(x), expected) < 1e-6
    assert relative_error(mixer(x) - x, expected - x) < 1e-6  # what it adds, by itself


def test_the_mask_is_shrunk_softly_at_a_hundredth() -> None:
    mixer = make_filter(8, "relu")
    values = torch.tensor([-0.5, -0.01, -0.004, 0.0, 0.01, 0.0125, 2.0])
    expected = F.softshrink(values, 0.01)
    assert float((mixer.shrink(values) - expected).abs().max()) < 1e-7
    assert mixer.shrink(values[1:5]).tolist() == [0, 0, 0, 0]


def test_a_mask_of_zeros_leaves_the_input_unchanged() -> None:
    mixer = make_filter(16, "swish")
    with torch.no_grad():
        for weight in (mixer.w2, mixer.b2):
            weight.zero_()
    x = noise(1, 16, 5, 6)
    assert torch.equal(mixer(x), x)


def test_the_mask_is_not_conjugate_symmetric() -> None:
    mixer = make_filter(8, "relu")
    mask = mixer.shrunk(TorchFFT().analyse(noise(1, 8, 6, 6)))
    # were it symmetric, the imaginary parts of the four real frequencies would be zero
    own = mask.imag[..., [0, 0, 3, 3], [0, 3, 0, 3]]
    assert float(own.detach().abs().max()) > 0.05


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_the_mixer_computes_in_float32_and_returns_the_inputs_type(dtype: torch.dtype) -> None:
    mixer = make_filter(8, "swish")
    x = noise(1, 8, 7, 5).to(dtype)
    y = mixer(x)
    assert y.dtype == dtype
    assert torch.equal(y, mixer(x.float()).to(dtype))


def test_half_precision_maps_reach_the_transform_in_float32() -> None:
    mixer = make_filter(8, "relu")
    seen = []
    analyse = mixer.transform.analyse
    mixer.transform.analyse = lambda x: seen.append(x.dtype) or analyse(x)  # type: ignore[method-assign]
    mixer(noise(1, 8, 4, 4).half())
    assert seen == [torch.float32]


@pytest.mark.parametrize("activation", ["swish", "tanh"])
def test_gradients_are_those_of_the_papers_formula(activation: str) -> None:
    mixer = make_filter(16, activation)
    x = noise(2, 16, 6, 7).requires_grad_()
    direction = noise(2, 16, 6, 7, seed=1)
    actual = torch.autograd.grad((mixer(x) * direction).sum(), [x, *weights(mixer)])
    double = [t.detach().double().requires_grad_() for t in (x, *weights(mixer))]
    formula = (papers_filter(*double, activation=activation) * direction.double()).sum()
    expected = torch.autograd.grad(formula, double)
    for own, reference in zip(actual, expected, strict=True):
        assert relative_error(own, reference) < 1e-5


def test_gradients_are_the_slopes_of_the_function() -> None:
    # a central difference of the formula in float64 that the test above compares with
    double = [t.detach().double().requires_grad_() for t in weights(make_filter(8, "tanh"))]
    x = noise(1, 8, 2, 3).double().requires_grad_()
    assert torch.autograd.gradcheck(lambda *t: papers_filter(*t, activation="tanh"), (x, *double))


def test_initial_weights_are_small_and_differ_between_blocks() -> None:
    torch.manual_seed(0)
    mixer = AdaptiveFrequencyFilter(64, "swish")
    assert mixer.w1.shape == mixer.w2.shape == (2, 8, 8, 8)
    assert mixer.b1.shape == mixer.b2.shape == (2, 8, 8)
    assert float(mixer.w1.detach().std()) == pytest.approx(0.02, rel=0.1)
    assert not torch.equal(mixer.w1[0, 0], mixer.w1[0, 1])


@pytest.mark.parametrize("size", [(4, 6), (5, 7), (1, 2), (2, 1)])
def test_torchs_transform_returns_what_it_was_given(size: tuple[int, int]) -> None:
    x = noise(1, 2, *size)
    transform = TorchFFT()
    assert relative_error(transform.synthesise(transform.analyse(x), size[1]), x) < 1e-6


def test_complex_product_multiplies_element_by_element() -> None:
    a, b = noise(2, 3, 4), noise(2, 3, 4, seed=1)
    product = complex_product(Spectrum(*a), Spectrum(*b))
    expected = torch.complex(*a) * torch.complex(*b)
    assert relative_error(product.real, expected.real) < 1e-6
    assert relative_error(product.imag, expected.imag) < 1e-6


def test_autocast_does_not_reach_the_filter() -> None:
    torch.manual_seed(0)
    mixer = AdaptiveFrequencyFilter(16, "swish")
    x = torch.randn(1, 16, 8, 8)
    with torch.no_grad():
        expected = mixer(x)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            assert torch.equal(mixer(x), expected)
