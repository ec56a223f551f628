"""The rows of the table: small networks of one input, with a batch of one.

All give real numbers: what is complex is given as pairs.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Function = Callable[[Any], Any]
Row = tuple[Function, tuple[int, ...]]  # of a real tensor of this shape to a real one

SIGNAL, TWELVE, IMAGE, LONG = (1, 3, 16), (1, 3, 12), (1, 6, 8, 8), (1, 64)


def rows() -> dict[str, Row]:
    """Return each row's function with its input's shape, by the row's name."""
    return {**_real(), **_two_axes(), **_complex(), **_of_time()}


def network_of(function: Function) -> Any:
    """Return a module that computes ``function``."""
    from torch import nn

    class Network(nn.Module):
        def forward(self, x: Any) -> Any:
            return function(x)

    return Network().eval()


def _real() -> dict[str, Row]:
    from torch import fft, view_as_real

    return {
        "rfft": (lambda x: view_as_real(fft.rfft(x)), SIGNAL),
        "rfft, norm='ortho'": (lambda x: view_as_real(fft.rfft(x, norm="ortho")), SIGNAL),
        "rfft, norm='forward'": (lambda x: view_as_real(fft.rfft(x, norm="forward")), SIGNAL),
        "rfft, length 14": (lambda x: view_as_real(fft.rfft(x)), (1, 3, 14)),
        "rfft, length 7": (lambda x: view_as_real(fft.rfft(x)), (1, 3, 7)),
        "rfft, length 400": (lambda x: view_as_real(fft.rfft(x)), (1, 3, 400)),
        "rfft over axis 1 of 3": (lambda x: view_as_real(fft.rfft(x, dim=1)), (1, 6, 6)),
        "rfft, n= pads": (lambda x: view_as_real(fft.rfft(x, n=24)), SIGNAL),
        "rfft, n= cuts": (lambda x: view_as_real(fft.rfft(x, n=10)), SIGNAL),
        "abs(rfft)": (lambda x: fft.rfft(x).abs(), SIGNAL),
        "irfft(rfft)": (lambda x: fft.irfft(fft.rfft(x) * 2.0, n=x.shape[-1]), SIGNAL),
        "irfft, n= pads the spectrum": (lambda x: fft.irfft(fft.rfft(x), n=24), SIGNAL),
        "irfft, n= cuts the spectrum": (lambda x: fft.irfft(fft.rfft(x), n=10), SIGNAL),
    }


def _two_axes() -> dict[str, Row]:
    import torch
    from torch import fft, view_as_real

    generator = torch.Generator().manual_seed(0)
    half = torch.randn(6, 8, 5, dtype=torch.complex64, generator=generator)
    whole = torch.randn(6, 8, 8, dtype=torch.complex64, generator=generator)

    def filtered(x: Any) -> Any:
        return fft.irfft2(fft.rfft2(x, norm="ortho") * half, s=(8, 8), norm="ortho")

    return {
        "rfft2": (lambda x: view_as_real(fft.rfft2(x)), IMAGE),
        "rfft2, 14 x 14": (lambda x: view_as_real(fft.rfft2(x)), (1, 4, 14, 14)),
        "irfft2(rfft2), 7 x 7": (lambda x: fft.irfft2(fft.rfft2(x), s=(7, 7)), (1, 4, 7, 7)),
        "rfft2 x complex parameter, irfft2": (filtered, IMAGE),
        "fft2 x complex parameter, ifft2": (lambda x: fft.ifft2(fft.fft2(x) * whole).real, IMAGE),
    }


def _complex() -> dict[str, Row]:
    import torch
    from torch import cat, fft, view_as_real

    def pair(x: Any) -> Any:
        return torch.complex(x, x * x)

    def other(x: Any) -> Any:
        return torch.complex(x * x, x)

    return {
        "fft of a real signal": (lambda x: view_as_real(fft.fft(x)), SIGNAL),
        "ifft(fft), c2c": (lambda x: view_as_real(fft.ifft(fft.fft(x))), TWELVE),
        "fft of torch.complex": (lambda x: view_as_real(fft.fft(pair(x))), TWELVE),
        "slice of a spectrum": (lambda x: view_as_real(fft.rfft(x)[..., :4]), SIGNAL),
        "slice of torch.complex": (lambda x: view_as_real(pair(x)[..., :4]), SIGNAL),
        "cat of torch.complex": (lambda x: view_as_real(cat([pair(x), other(x)], 1)), SIGNAL),
        "product of torch.complex": (lambda x: view_as_real(pair(x) * other(x)), SIGNAL),
    }


def _of_time() -> dict[str, Row]:
    import torch
    from torch import view_as_real

    window = torch.hann_window(16)

    def stft(x: Any) -> Any:
        return torch.stft(x, 16, 8, window=window, return_complex=True)

    return {
        "stft": (lambda x: view_as_real(stft(x)), LONG),
        "abs(stft)": (lambda x: stft(x).abs(), LONG),
        "istft(stft)": (lambda x: torch.istft(stft(x), 16, 8, window=window), LONG),
        "istft(stft), length=": (
            lambda x: torch.istft(stft(x), 16, 8, window=window, length=60),
            LONG,
        ),
    }
