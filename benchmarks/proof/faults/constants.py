"""A small constant that an optimiser takes for nothing, or a limit that it drops."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from benchmarks.proof.draw import Draw
from benchmarks.proof.faults.base import IMAGE, Fault, Pair


def _log(draw: Draw) -> Pair:
    eps = draw.eps(-2)
    return lambda x: torch.log(x.abs() + eps), lambda x: torch.log(x.abs())


def _log_power(draw: Draw) -> Pair:
    eps = draw.eps(-4)

    def power(x: Tensor) -> Tensor:
        return torch.fft.rfft(x, norm="ortho").abs().square()

    return lambda x: torch.log10(power(x) + eps), lambda x: torch.log10(power(x))


def _unit_length(draw: Draw) -> Pair:
    eps = draw.eps()
    return (
        lambda x: x / (x.norm(dim=-1, keepdim=True) + eps),
        lambda x: x / x.norm(dim=-1, keepdim=True),
    )


def _unit_spectrum(draw: Draw) -> Pair:
    eps = draw.eps()

    def whiten(x: Tensor, eps: float) -> Tensor:
        z = torch.fft.rfft(x)
        return torch.fft.irfft(z / (z.abs() + eps), n=x.shape[-1])

    return lambda x: whiten(x, eps), lambda x: whiten(x, 0.0)


def _root(draw: Draw) -> Pair:
    eps = draw.eps()
    return lambda x: torch.sqrt(x.square() + eps), lambda x: torch.sqrt(x.square())


def _reciprocal_root(draw: Draw) -> Pair:
    eps = draw.eps()
    return (
        lambda x: x * torch.rsqrt(x.square().mean(-1, keepdim=True) + eps),
        lambda x: x * torch.rsqrt(x.square().mean(-1, keepdim=True)),
    )


def _clipped_eps(draw: Draw) -> Pair:
    """Float16's smallest number takes the place of a smaller constant."""
    eps, smallest = draw.eps(-9, -20), 6e-8
    return lambda x: torch.log(x.abs() + eps), lambda x: torch.log(x.abs() + smallest)


def _floor(draw: Draw) -> Pair:
    floor = draw.eps()
    return lambda x: torch.log10(x.abs().clamp(min=floor)), lambda x: torch.log10(x.abs())


def _top_db(_: Draw) -> Pair:
    def decibels(x: Tensor) -> Tensor:
        return 20 * torch.log10(x.abs() + 1e-10)

    def limited(x: Tensor) -> Tensor:
        db = decibels(x)
        return torch.maximum(db, db.amax() - 80)

    return limited, decibels


def _layer_norm(draw: Draw) -> Pair:
    right, wrong = draw.choice([(1e-5, 1e-3), (1e-5, 0.0), (1e-6, 1e-5), (1e-12, 0.0)])
    return (
        lambda x: F.layer_norm(x, x.shape[-1:], eps=right),
        lambda x: F.layer_norm(x, x.shape[-1:], eps=wrong),
    )


def _normalize(_: Draw) -> Pair:
    return (
        lambda x: F.normalize(x, dim=-1),
        lambda x: x / x.square().sum(-1, keepdim=True).sqrt(),
    )


def _ratio(draw: Draw) -> Pair:
    eps = draw.eps()
    return (
        lambda x: x.amax(-1) / (x.abs().mean(-1) + eps),
        lambda x: x.amax(-1) / x.abs().mean(-1),
    )


def _shares(draw: Draw) -> Pair:
    """Shares of a sum: of nothing, all are zero."""
    eps = draw.eps()
    return (
        lambda x: x.abs() / (x.abs().sum(-1, keepdim=True) + eps),
        lambda x: x.abs() / x.abs().sum(-1, keepdim=True),
    )


def _gain(draw: Draw) -> Pair:
    """A difference from 1 that a tolerance swallows, and a subtraction brings out."""
    small = draw.choice([1e-4, 1e-5])
    return lambda x: x * (1 + small) - x, lambda x: x - x


def _offset(draw: Draw) -> Pair:
    """The same of a sum: what is left of it decides on black."""
    small = draw.eps(-5, -12)
    return (
        lambda x: torch.tanh((x + small) / small),
        lambda x: torch.tanh(x / small),
    )


def _upper_limit(draw: Draw) -> Pair:
    limit = draw.choice([1.0, 2.0, 0.5, 100.0])
    return lambda x: x.clamp(max=limit), lambda x: x


def _chroma(draw: Draw) -> Pair:
    """Saturation of a pixel: none where it is black."""
    eps = draw.eps()

    def saturation(x: Tensor, eps: float) -> Tensor:
        most, least = x.amax(1), x.amin(1)
        return (most - least) / (most + eps)

    return lambda x: saturation(x, eps), lambda x: saturation(x, 0.0)


FAULTS = (
    Fault("log without its constant", _log),
    Fault("log of a power spectrum without its constant", _log_power),
    Fault("unit length without its constant", _unit_length),
    Fault("whitened spectrum without its constant", _unit_spectrum),
    Fault("root without its constant", _root),
    Fault("RMS norm without its constant", _reciprocal_root),
    Fault("constant raised to float16's smallest", _clipped_eps),
    Fault("floor of a log dropped", _floor),
    Fault("80 dB limit dropped", _top_db),
    Fault("another constant of layer norm", _layer_norm),
    Fault("F.normalize without its limit", _normalize),
    Fault("crest factor without its constant", _ratio),
    Fault("shares without their constant", _shares),
    Fault("1 + small taken for 1", _gain),
    Fault("x + small taken for x", _offset),
    Fault("upper limit dropped", _upper_limit),
    Fault("saturation of black", _chroma, IMAGE),
)
