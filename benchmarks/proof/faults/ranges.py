"""An overflow at large or a loss at small inputs: right on the values that one tries first."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from benchmarks.proof.draw import Draw
from benchmarks.proof.faults.base import SOUND, Fault, Pair, always

_LARGEST_HALF = 65504.0
_SMALLEST_HALF = 6e-8


def _overflowing(x: Tensor) -> Tensor:
    """Become infinite where float16 would."""
    return torch.where(x.abs() > _LARGEST_HALF, x.sign() * torch.inf, x)


def _saturating(x: Tensor) -> Tensor:
    return x.clamp(-_LARGEST_HALF, _LARGEST_HALF)


def _vanishing(x: Tensor) -> Tensor:
    """Become zero where float16 would."""
    return torch.where(x.abs() < _SMALLEST_HALF, torch.zeros_like(x), x)


def _energy(draw: Draw) -> Pair:
    limit = draw.choice([_overflowing, _saturating])
    return (
        lambda x: x.square().sum(-1).sqrt(),
        lambda x: limit(x.square().sum(-1)).sqrt(),
    )


def _spectrum_sum(draw: Draw) -> Pair:
    """The unscaled sum of a transform."""
    limit = draw.choice([_overflowing, _saturating])
    axes = (-1,) if len(draw.shape) == 2 else (-2, -1)

    def bins(x: Tensor) -> Tensor:
        return torch.fft.rfftn(x, dim=axes).real

    return bins, lambda x: limit(bins(x))


def _modulus(draw: Draw) -> Pair:
    limit = draw.choice([_overflowing, _saturating])

    def squares(x: Tensor) -> Tensor:
        z = torch.fft.rfft(x)
        return z.real.square() + z.imag.square()

    return (
        lambda x: torch.log1p(squares(x).sqrt()),
        lambda x: torch.log1p(limit(squares(x)).sqrt()),
    )


def _small_power(draw: Draw) -> Pair:
    floor = draw.eps(-10)

    def power(x: Tensor) -> Tensor:
        return torch.fft.rfft(x, norm="ortho").abs().square()

    return (
        lambda x: torch.log10(power(x) + floor),
        lambda x: torch.log10(_vanishing(power(x)) + floor),
    )


def _flushed(draw: Draw) -> Pair:
    """Small values as zero, before they are scaled up."""
    limit = draw.choice([1e-6, 1e-5, 1e-4])

    def level(x: Tensor) -> Tensor:
        return x / (x.abs().amax(-1, keepdim=True) + 1e-12)

    return level, lambda x: level(torch.where(x.abs() < limit, torch.zeros_like(x), x))


def _clipped_input(draw: Draw) -> Pair:
    """An input that is taken for a picture in 0..1, or for a sound in -1..1."""
    low = 0.0 if draw.domain == "image" else -1.0
    gain = draw.choice([0.5, 1.0])
    return lambda x: gain * x, lambda x: gain * x.clamp(low, 1)


def _byte(draw: Draw) -> Pair:
    """A value of 0..255 that wraps round."""
    gain = draw.choice([2.0, 1.5])
    return lambda x: gain * x, lambda x: torch.remainder(gain * x, 256)


def _softmax(x: Tensor) -> Tensor:
    e = torch.exp(x)
    return e / e.sum(-1, keepdim=True)


def _one_pass_variance(x: Tensor) -> Tensor:
    mean = x.mean(-1, keepdim=True)
    variance = x.square().mean(-1, keepdim=True) - mean.square()
    return (x - mean) / torch.sqrt(variance.clamp(min=0) + 1e-5)


def _sigmoid(x: Tensor) -> Tensor:
    e = torch.exp(x)
    return e / (1 + e)


def _tanh(x: Tensor) -> Tensor:
    e = torch.exp(2 * x)
    return (e - 1) / (e + 1)


FAULTS = (
    Fault("energy beyond 65,504", _energy),
    Fault("a transform's sum beyond 65,504", _spectrum_sum),
    Fault("a modulus whose squares pass 65,504", _modulus),
    Fault("power below float16's smallest", _small_power),
    Fault("small values flushed to zero", _flushed),
    Fault("input clipped to its nominal range", _clipped_input),
    Fault("values that wrap at 256", _byte),
    always("softmax without its shift", lambda x: F.softmax(x, -1), _softmax),
    always(
        "log-sum-exp without its shift",
        lambda x: torch.logsumexp(x, -1),
        lambda x: torch.log(torch.exp(x).sum(-1)),
    ),
    always(
        "softplus as log(1 + exp(x))",
        lambda x: F.softplus(x),
        lambda x: torch.log(1 + torch.exp(x)),
    ),
    always("sigmoid by exp(x)", torch.sigmoid, _sigmoid),
    always("tanh by exp(2 x)", torch.tanh, _tanh),
    always(
        "log-sigmoid as log(sigmoid(x))",
        lambda x: F.logsigmoid(x),
        lambda x: torch.log(torch.sigmoid(x)),
        domains=SOUND,
    ),
    always(
        "log1p(x) as log(1 + x)",
        lambda x: torch.log1p(x.square()),
        lambda x: torch.log(1 + x.square()),
        domains=("audio",),
    ),
    always(
        "variance in one pass",
        lambda x: F.layer_norm(x, x.shape[-1:], eps=1e-5),
        _one_pass_variance,
    ),
    always(
        "hyperbola by its square",
        lambda x: torch.hypot(x, torch.ones_like(x)),
        lambda x: torch.sqrt(_overflowing(x.square() + 1)),
    ),
)
