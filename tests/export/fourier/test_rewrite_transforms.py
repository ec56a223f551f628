"""Every transform of `torch.fft` against PyTorch, in float64, on random shapes and settings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import Tensor

from tests.export.fourier.rewriting import THIRD_PARTY_WARNINGS, assert_same

pytestmark = THIRD_PARTY_WARNINGS

ONE_AXIS = ("fft", "ifft", "rfft", "irfft", "hfft", "ihfft")
TWO_AXES = ("fft2", "ifft2", "rfft2", "irfft2", "hfft2", "ihfft2")
MANY_AXES = ("fftn", "ifftn", "rfftn", "irfftn", "hfftn", "ihfftn")
REAL_ONLY = ("rfft", "rfft2", "rfftn", "ihfft", "ihfft2", "ihfftn")
NORMS = (None, "backward", "ortho", "forward")


@dataclass(frozen=True)
class Transform:
    """One call of `torch.fft` on one tensor."""

    name: str
    shape: tuple[int, ...]
    is_complex: bool
    lengths: Any
    axes: Any
    norm: str | None

    def __call__(self, x: Tensor) -> Tensor:
        function = getattr(torch.fft, self.name)
        return function(x, self.lengths, self.axes, self.norm)

    def input(self) -> Tensor:
        """Return a random input; the imaginary parts at 0 and Nyquist are there on purpose."""
        torch.manual_seed(0)
        dtype = torch.complex128 if self.is_complex else torch.float64
        return torch.randn(*self.shape, dtype=dtype)


@st.composite
def transforms(draw: st.DrawFn) -> Transform:
    """Draw a transform, its settings and the shape it goes over."""
    name = draw(st.sampled_from(ONE_AXIS + TWO_AXES + MANY_AXES))
    least = 2 if name in TWO_AXES else 1
    shape = tuple(draw(st.lists(st.integers(1, 9), min_size=least, max_size=4)))
    rank = len(shape)
    count = {ONE_AXIS: 1, TWO_AXES: 2, MANY_AXES: draw(st.integers(1, rank))}[
        next(family for family in (ONE_AXIS, TWO_AXES, MANY_AXES) if name in family)
    ]
    axes: Any = draw(st.permutations(range(rank)))[:count]
    axes = [axis - draw(st.sampled_from((0, rank))) for axis in axes]
    returns_real = name.startswith(("irfft", "hfft"))
    # one bin stands for no signal, unless its length is said
    needs_lengths = returns_real and shape[axes[-1]] == 1
    lengths: Any = None
    if needs_lengths or draw(st.booleans()):
        lengths = draw(st.lists(st.integers(1, 11), min_size=count, max_size=count))
    is_complex = name not in REAL_ONLY and draw(st.booleans())
    if name in ONE_AXIS:
        axes, lengths = axes[0], lengths and lengths[0]
    elif count == rank and name in MANY_AXES and lengths is None and draw(st.booleans()):
        axes = None if shape[-1] > 1 or not returns_real else axes
    return Transform(name, shape, is_complex, lengths, axes, draw(st.sampled_from(NORMS)))


def assert_rewritten_right(transform: Transform) -> None:
    assert_same(transform, transform.input())


_COMMON: dict[str, Any] = {
    "deadline": None,
    "suppress_health_check": list(HealthCheck),
    "database": None,
    "derandomize": True,
}


@given(transform=transforms())
@settings(max_examples=8, **_COMMON)
def test_a_transform(transform: Transform) -> None:
    assert_rewritten_right(transform)


@pytest.mark.exhaustive
@given(transform=transforms())
@settings(max_examples=600, **_COMMON)
def test_six_hundred_transforms(transform: Transform) -> None:
    assert_rewritten_right(transform)


@pytest.mark.parametrize("names", [ONE_AXIS, TWO_AXES], ids=["one axis", "two axes"])
@pytest.mark.parametrize("dtype", [torch.float64, torch.complex128], ids=["real", "complex"])
def test_every_transform_with_every_norm(names: tuple[str, ...], dtype: torch.dtype) -> None:
    """All norms, odd and even lengths, padding and trimming, in one graph."""

    def graph(x: Tensor, y: Tensor) -> list[Tensor]:
        results = []
        for name in names:
            if dtype.is_complex and name in REAL_ONLY:
                continue
            function = getattr(torch.fft, name)
            for norm, length in zip(NORMS, (None, 4, 11, 12), strict=True):
                lengths: Any = (length, length + 1) if length and names is TWO_AXES else length
                results += [function(y, norm=norm), function(x, lengths, norm=norm)]
        return results

    torch.manual_seed(0)
    assert_same(graph, torch.randn(2, 7, 8, dtype=dtype), torch.randn(8, 7, dtype=dtype))


def test_float32_is_exact_up_to_its_own_rounding() -> None:
    def graph(x: Tensor) -> Tensor:
        return torch.fft.irfft2(torch.fft.rfft2(x))

    result = assert_same(graph, torch.randn(2, 32, 33), tolerance=1e-6)
    constants = [tensor for name, tensor in result.program.constants.items() if "dft" in name]
    assert {tensor.dtype for tensor in constants} == {torch.float32}


def test_a_long_transform_keeps_its_accuracy() -> None:
    assert_same(torch.fft.rfft, torch.randn(1000, dtype=torch.float64))


def test_shifts_and_frequencies() -> None:
    def graph(x: Tensor) -> list[Tensor]:
        z = torch.fft.fft2(x)
        return [
            torch.fft.fftshift(z),
            torch.fft.ifftshift(z, dim=1),
            torch.fft.fftshift(x, dim=(0, 2)),
            z * torch.fft.fftfreq(7, dtype=torch.float64),
            torch.fft.rfft(x) * torch.fft.rfftfreq(7, dtype=torch.float64),
        ]

    assert_same(graph, torch.randn(3, 4, 7, dtype=torch.float64))


@pytest.mark.parametrize("center", [True, False])
@pytest.mark.parametrize(("hop", "onesided"), [(4, True), (5, False)])
def test_stft_and_back(center: bool, hop: int, onesided: bool) -> None:
    window = torch.hamming_window(16, dtype=torch.float64)

    def graph(x: Tensor) -> list[Tensor]:
        z = torch.stft(
            x, 16, hop, window=window, center=center, onesided=onesided, return_complex=True
        )
        back = torch.istft(
            z * 0.5j, 16, hop, window=window, center=center, onesided=onesided,
            return_complex=not onesided,
        )  # fmt: skip
        return [z, z.abs(), back]

    assert_same(graph, torch.randn(2, 80, dtype=torch.float64))


def test_stft_with_short_window_padding_and_normalisation() -> None:
    def graph(x: Tensor) -> Tensor:
        window = torch.hann_window(10, dtype=torch.float64)
        return torch.stft(
            x, 16, 3, 10, window, pad_mode="constant", normalized=True, return_complex=True
        )

    assert_same(graph, torch.randn(61, dtype=torch.float64))
