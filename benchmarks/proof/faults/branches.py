"""Angles and powers on another branch, and quotients rounded another way."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from benchmarks.proof.draw import Draw
from benchmarks.proof.faults.base import SOUND, Fault, Pair, always


def _spectrum(x: Tensor) -> Tensor:
    return torch.fft.rfft(x)


def _angle(x: Tensor) -> Tensor:
    return _spectrum(x).angle()


def _at_the_cut(value: float) -> Fault:
    """The angle of negative real bins, such as those of the lowest and the highest frequency."""

    def wrong(x: Tensor) -> Tensor:
        angle = _angle(x)
        return torch.where(angle >= 3.1415925, torch.full_like(angle, value), angle)

    return always(f"angle of negative reals as {value:.2f}", _angle, wrong)


def _half_circle(x: Tensor) -> Tensor:
    z = _spectrum(x)
    return torch.atan(z.imag / torch.where(z.real == 0, 1e-20, z.real))


def _angle_of_zero(_: Draw) -> Pair:
    def wrong(x: Tensor) -> Tensor:
        z = _spectrum(x)
        return torch.where(z.abs() == 0, math.pi / 2, z.angle())

    return _angle, wrong


def _positive_angle(draw: Draw) -> Pair:
    scale = draw.choice([1.0, 1 / math.pi])
    return lambda x: scale * _angle(x), lambda x: scale * (_angle(x) % (2 * math.pi))


def _complex_root(_: Draw) -> Pair:
    def root(x: Tensor, flip: bool) -> Tensor:
        z = torch.sqrt(torch.complex(x, x.roll(1, -1)))
        y = torch.stack((z.real, z.imag))
        return torch.where(y[1:] < 0, -y, y) if flip else y

    return lambda x: root(x, False), lambda x: root(x, True)


def _phase_difference(_: Draw) -> Pair:
    def difference(x: Tensor) -> Tensor:
        return torch.diff(_angle(x), dim=-1)

    def wrapped(x: Tensor) -> Tensor:
        d = difference(x)
        return torch.remainder(d + math.pi, 2 * math.pi) - math.pi

    return wrapped, difference


def _atan2(draw: Draw) -> Pair:
    """Two quadrants where there are four."""
    shift = draw.choice([0.2, 0.5])

    def parts(x: Tensor) -> tuple[Tensor, Tensor]:
        return x, x.roll(1, -1) - shift

    return (
        lambda x: torch.atan2(*parts(x)),
        lambda x: torch.atan(parts(x)[0] / parts(x)[1]),
    )


def _divided(draw: Draw) -> Pair:
    step = draw.choice([0.3, 7.0])
    return (
        lambda x: torch.floor(x / step) * step,
        lambda x: torch.trunc(x / step) * step,
    )


def _real_angle(x: Tensor) -> Tensor:
    """Pi for negative numbers; zero is not negative."""
    return x.angle()


FAULTS = (
    _at_the_cut(-math.pi),
    _at_the_cut(0.0),
    always("angle in a half circle", _angle, _half_circle),
    Fault("angle of zero", _angle_of_zero),
    Fault("angle in 0..2 pi", _positive_angle),
    Fault("complex root with a positive imaginary part", _complex_root, SOUND),
    Fault("phase difference that is not wrapped", _phase_difference),
    Fault("atan2 as atan", _atan2),
    Fault("quotient rounded to zero", _divided, SOUND),
    always("angle of real zero", _real_angle, lambda x: torch.where(x > 0, 0.0, math.pi)),
    always(
        "conjugate lost before the angle",
        lambda x: _spectrum(x).conj().angle().sin(),
        lambda x: _angle(x).sin(),
    ),
    always(
        "cube root of a negative",
        lambda x: x.sign() * x.abs().pow(1 / 3),
        lambda x: x.abs().pow(1 / 3),
        domains=SOUND,
    ),
)
