"""Transforms scaled, cut or padded another way, and borders of other operators."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.proof.draw import Draw
from benchmarks.proof.faults.base import IMAGE, SOUND, Apply, Constant, Fault, Pair, always

_FRAME, _HOP = 8, 4


def _scaled(draw: Draw) -> Pair:
    right, wrong = draw.random.sample(["ortho", "backward", "forward"], 2)
    return (
        lambda x: torch.fft.rfft(x, norm=right).abs(),
        lambda x: torch.fft.rfft(x, norm=wrong).abs(),
    )


def _highest_twice(_: Draw) -> Pair:
    """The bin of the highest frequency counted twice on the way back."""

    def back(x: Tensor, factor: float) -> Tensor:
        z = torch.fft.rfft(x)
        last = z[..., -1:] * factor
        return torch.fft.irfft(torch.cat((z[..., :-1], last), -1), n=x.shape[-1])

    return lambda x: back(x, 1.0), lambda x: back(x, 2.0)


def _forward_for_inverse(draw: Draw) -> Pair:
    angles = 0.5 * torch.arange(float(draw.last))
    shift = Constant(torch.stack((angles.cos(), angles.sin()), -1))

    def ended(transform: Callable[..., Tensor]) -> Apply:
        def shifted(x: Tensor, shift: nn.Module) -> Tensor:
            z = torch.fft.fft(x, norm="ortho") * torch.view_as_complex(shift.value)
            return transform(z, norm="ortho").real

        return Apply(shifted, shift)

    return ended(torch.fft.ifft), ended(torch.fft.fft)


class _Frames(nn.Module):
    """The magnitude of a short-time transform."""

    def __init__(self, window: Tensor, pad: str) -> None:
        super().__init__()
        self.register_buffer("window", window)
        self.pad = pad

    def forward(self, x: Tensor) -> Tensor:
        z = torch.stft(
            x,
            _FRAME,
            _HOP,
            window=self.window,
            pad_mode=self.pad,
            return_complex=True,
        )
        return z.abs()


def _frame_border(draw: Draw) -> Pair:
    window = torch.hann_window(_FRAME)
    return _Frames(window, "reflect"), _Frames(window, draw.choice(["constant", "replicate"]))


def _frame_window(draw: Draw) -> Pair:
    wrong = draw.choice([torch.hann_window(_FRAME, periodic=False), torch.ones(_FRAME)])
    return _Frames(torch.hann_window(_FRAME), "reflect"), _Frames(wrong, "reflect")


def _late_frames(_: Draw) -> Pair:
    window = torch.hann_window(_FRAME)
    frames = _Frames(window, "reflect")
    return frames, Apply(lambda x, frames: frames(x.roll(1, -1)), frames)


def _correlation(draw: Draw) -> Pair:
    """A convolution where a correlation was meant."""
    kernel = Constant(torch.randn(draw.last))

    def multiplied(conjugate: bool) -> Apply:
        def product(x: Tensor, kernel: nn.Module) -> Tensor:
            k = torch.fft.rfft(kernel.value, norm="ortho")
            z = torch.fft.rfft(x) * (k.conj() if conjugate else k)
            return torch.fft.irfft(z, n=x.shape[-1])

        return Apply(product, kernel)

    return multiplied(True), multiplied(False)


def _border(draw: Draw) -> Pair:
    right, wrong = draw.random.sample(["reflect", "replicate", "constant", "circular"], 2)
    return (
        lambda x: F.pad(x, (1, 2, 1, 1), mode=right),
        lambda x: F.pad(x, (1, 2, 1, 1), mode=wrong),
    )


def _side_of_padding(_: Draw) -> Pair:
    """Padding of a strided convolution at the end instead of the start: "same" of others."""
    conv = nn.Conv2d(3, 4, 3, stride=2)
    return (
        Apply(lambda x, conv: conv(F.pad(x, (1, 0, 1, 0))), conv),
        Apply(lambda x, conv: conv(F.pad(x, (0, 1, 0, 1))), conv),
    )


def _transposed_side(_: Draw) -> Pair:
    """An extra row of a transposed convolution at its other side."""
    conv = nn.ConvTranspose2d(3, 3, 3, stride=2)
    return (
        Apply(lambda x, conv: conv(x)[..., 1:, 1:], conv),
        Apply(lambda x, conv: conv(x)[..., :-1, :-1], conv),
    )


FAULTS = (
    Fault("another norm of a transform", _scaled),
    Fault("highest frequency counted twice", _highest_twice),
    Fault("forward transform for the inverse", _forward_for_inverse),
    Fault("another border of frames", _frame_border, SOUND),
    Fault("another window", _frame_window, SOUND),
    Fault("frames one sample late", _late_frames, SOUND),
    Fault("convolution for correlation", _correlation),
    Fault("another kind of padding", _border, IMAGE),
    Fault("padding at the other side", _side_of_padding, IMAGE),
    Fault("transposed convolution cut at the other side", _transposed_side, IMAGE),
    always(
        "fftshift for ifftshift",
        lambda x: torch.fft.ifftshift(x, dim=-1),
        lambda x: torch.fft.fftshift(x, dim=-1),
    ),
    always("cropped one place further", lambda x: x[..., :-1], lambda x: x[..., 1:]),
    always(
        "transform over one axis instead of two",
        lambda x: torch.fft.fft2(x).abs(),
        lambda x: torch.fft.fft(x).abs(),
        domains=IMAGE,
    ),
    always(
        "every second row from the second",
        lambda x: x[..., ::2],
        lambda x: x.roll(-1, -1)[..., ::2],
    ),
)
