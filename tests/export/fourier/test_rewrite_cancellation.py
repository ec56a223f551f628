"""Transforms, shifts and conjugates that take each other back leave no product behind."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.fft import fftn, fftshift, ifftn, ifftshift, irfft, irfftn, rfft, rfftn

from tests.export.fourier.rewriting import THIRD_PARTY_WARNINGS, assert_same

pytestmark = THIRD_PARTY_WARNINGS

NOTHING: dict[str, Callable[[Tensor], Tensor]] = {
    "rfft": lambda x: irfft(rfft(x)) + 1,
    "ortho": lambda x: irfft(rfft(x, norm="ortho"), norm="ortho") * 2,
    "forward": lambda x: irfft(rfft(x, norm="forward"), norm="forward") * 2,
    "rfftn": lambda x: irfftn(rfftn(x, dim=(0, 1)), dim=(0, 1), s=x.shape),
    "fftn": lambda x: fftn(ifftn(torch.complex(x, 2 * x), dim=(0, -1)), dim=(1, 0)).imag,
    "transposed": lambda x: irfft(rfft(x.transpose(0, 1)), n=6).reshape(-1),
    "shift": lambda x: irfftn(ifftshift(fftshift(rfftn(x), dim=0), dim=0)),
    "shift only": lambda x: ifftshift(fftshift(x)),
    "conj": lambda x: irfft(rfft(x).conj().conj()),
}

SOMETHING: dict[str, Callable[[Tensor], Tensor]] = {
    "length": lambda x: irfft(rfft(x), n=6),
    "norm": lambda x: irfft(rfft(x), norm="ortho"),
    "axes": lambda x: irfft(rfft(x, dim=0), dim=1),
    "last axis": lambda x: irfftn(rfftn(x, dim=(0, 1)), dim=(1, 0)),
    "twice": lambda x: fftn(fftn(x)).real,
    "odd shift": lambda x: irfft(fftshift(fftshift(rfft(x)))),
}


@pytest.mark.parametrize("name", NOTHING)
def test_what_comes_to_nothing_is_removed(name: str) -> None:
    result = assert_same(NOTHING[name], torch.randn(6, 8, dtype=torch.float64))
    assert not [name for name in result.program.constants if "dft" in name]


@pytest.mark.parametrize("name", SOMETHING)
def test_what_does_not_is_kept(name: str) -> None:
    result = assert_same(SOMETHING[name], torch.randn(6, 8, dtype=torch.float64))
    assert [name for name in result.program.constants if "dft" in name]


def test_a_spectrum_that_is_read_elsewhere_stays() -> None:
    def function(x: Tensor) -> tuple[Tensor, Tensor]:
        z = rfft(x)
        return irfft(z), z.abs()

    assert_same(function, torch.randn(3, 8, dtype=torch.float64))
