"""Mixers by Fourier transforms, against their papers' formulas and transformers' FNet."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from transformers import FNetConfig
from transformers.models.fnet.modeling_fnet import FNetBasicFourierTransform

from affnet.model.mixer import FourierTransform, Spectrum, TorchFFT
from affnet.model.mixers.afno import AdaptiveFourierOperator
from affnet.model.mixers.fnet import FourierMixing
from affnet.model.mixers.gfnet import GlobalFilter, frequencies
from affnet.model.mixers.tokens import to_tokens
from tests.reference import relative_error
from tests.tiny import noise


@pytest.mark.parametrize("size", [(4, 6), (5, 7)])
def test_gfnet_is_a_circular_convolution_with_its_filters_inverse_transform(
    size: tuple[int, int],
) -> None:
    """Equation 5 of its paper, by loops over the offsets, in float64."""
    height, width = size
    mixer = GlobalFilter(8, height, width)
    with torch.no_grad():
        mixer.complex_weight.copy_(noise(height, width // 2 + 1, 8, 2))
    x = noise(1, 8, height, width)
    weight = torch.view_as_complex(mixer.complex_weight.detach().double()).permute(2, 0, 1)
    kernel = torch.fft.irfft2(weight, s=size)
    expected = torch.zeros_like(x, dtype=torch.float64)
    for m in range(height):
        for n in range(width):
            expected += kernel[:, m, n, None, None] * x.double().roll((m, n), (-2, -1))
    assert relative_error(mixer(x), expected) < 1e-6


def test_gfnets_filter_is_resampled_for_other_maps() -> None:
    mixer = GlobalFilter(8, 4, 6)
    real, imag = mixer.kernel(7, 10)
    assert real.shape == imag.shape == (8, 7, 6)
    corners = real[:, 0, 0], real[:, -1, -1]
    torch.testing.assert_close(corners[0], mixer.complex_weight[0, 0, :, 0])
    torch.testing.assert_close(corners[1], mixer.complex_weight[-1, -1, :, 0])
    assert mixer(noise(1, 8, 7, 10)).shape == (1, 8, 7, 10)


class Scrambled(FourierTransform):
    """`TorchFFT` of one size whose frequencies stand in another order, columns first."""

    def __init__(self, height: int, width: int) -> None:
        super().__init__()
        self.size = height, width
        self.order = torch.randperm(height * (width // 2 + 1))

    def analyse(self, x: torch.Tensor) -> Spectrum:
        parts = (part.transpose(-1, -2).flatten(2) for part in TorchFFT().analyse(x))
        return Spectrum(*(part[..., None, self.order] for part in parts))

    def synthesise(self, spectrum: Spectrum, width: int) -> torch.Tensor:
        assert self.size is not None
        back = self.order.argsort()
        columns = (part[..., 0, back] for part in spectrum)
        maps = (p.unflatten(-1, (width // 2 + 1, self.size[0])).transpose(-1, -2) for p in columns)
        return TorchFFT().synthesise(Spectrum(*maps), width)


@pytest.mark.parametrize("size", [(4, 6), (5, 7), (1, 8), (6, 1)])
def test_a_frozen_filter_follows_the_order_of_a_transforms_frequencies(
    size: tuple[int, int],
) -> None:
    mixer = GlobalFilter(8, *size)
    x = noise(2, 8, *size)
    expected = mixer(x)
    mixer.transform = Scrambled(*size)
    mixer.freeze()
    torch.testing.assert_close(mixer(x), expected, rtol=1e-4, atol=1e-6)
    rows, columns = frequencies(mixer.transform, *size)
    assert sorted(zip(rows[0].tolist(), columns[0].tolist(), strict=True)) == [
        (k, m) for k in range(size[0]) for m in range(size[1] // 2 + 1)
    ]


def test_afno_is_its_papers_formula() -> None:
    """In complex numbers, one block after the other, in float64."""
    mixer = AdaptiveFourierOperator(24)
    with torch.no_grad():
        for parameter in mixer.parameters():
            parameter.mul_(20)
    x = noise(2, 24, 6, 5).double()
    (w1, w2), (b1, b2) = (
        [torch.complex(p[0].double(), p[1].double()) for p in pair]
        for pair in ((mixer.w1, mixer.w2), (mixer.b1, mixer.b2))
    )
    spectrum = torch.fft.rfft2(x, norm="ortho")
    new = torch.empty_like(spectrum)
    for k in range(8):
        tokens = spectrum[:, 3 * k : 3 * k + 3].movedim(1, -1)
        hidden = tokens @ w1[k] + b1[k]
        hidden = torch.complex(hidden.real.relu(), hidden.imag.relu())
        out = hidden @ w2[k] + b2[k]
        shrunk = torch.complex(F.softshrink(out.real, 0.01), F.softshrink(out.imag, 0.01))
        new[:, 3 * k : 3 * k + 3] = shrunk.movedim(-1, 1)
    expected = torch.fft.irfft2(new, s=(6, 5), norm="ortho") + x
    assert relative_error(mixer(x.float()), expected) < 1e-6


def test_fnet_is_transformers_fnet_and_the_double_sum() -> None:
    x = noise(1, 8, 3, 4)
    mixed = to_tokens(FourierMixing(8)(x))
    theirs = FNetBasicFourierTransform(FNetConfig(use_tpu_fourier_optimizations=False))
    torch.testing.assert_close(mixed, theirs(to_tokens(x))[0])
    tokens = to_tokens(x)[0].double().numpy()
    count, channels = tokens.shape
    for k, c in [(0, 0), (5, 3), (11, 7)]:
        angles = np.add.outer(k * np.arange(count) / count, c * np.arange(channels) / channels)
        expected = (tokens * np.cos(2 * math.pi * angles)).sum()
        assert mixed[0, k, c].item() == pytest.approx(expected, rel=1e-4, abs=1e-4)
