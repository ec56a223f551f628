"""Right networks that a judge may take for wrong ones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import zip_longest

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.proof.draw import DOMAINS, Draw
from benchmarks.proof.faults.base import IMAGE, SOUND, Apply


@dataclass(frozen=True)
class Hard:
    """Makes one network and its example."""

    name: str
    make: Callable[[Draw], tuple[nn.Module, Tensor]]
    domains: tuple[str, ...] = DOMAINS


def _of(
    name: str,
    function: Callable[..., Tensor],
    *layers: Callable[[Draw], nn.Module],
    domains: tuple[str, ...] = DOMAINS,
    example: Callable[[Draw], Tensor] = Draw.example,
) -> Hard:
    """Return networks of a function of the input and of layers that are drawn."""

    def make(draw: Draw) -> tuple[nn.Module, Tensor]:
        return Apply(function, *(layer(draw) for layer in layers)), example(draw)

    return Hard(name, make, domains)


def _linear(draw: Draw) -> nn.Module:
    return nn.Linear(draw.last, 4)


def _conv(_: Draw) -> nn.Module:
    return nn.Conv2d(3, 4, 3, padding=1)


def _positive(draw: Draw) -> Tensor:
    return torch.rand(draw.shape) + 0.5


def _one(*shape: int) -> Callable[[Draw], Tensor]:
    """Return examples of one shape."""
    return lambda _: torch.rand(shape)


def _frames(x: Tensor) -> Tensor:
    """Time first, without a batch: frames of the first sound x samples."""
    return x[0].unfold(0, 8, 4)


def _magnitude(x: Tensor) -> Tensor:
    return torch.fft.rfft(x).abs()


def _decibels(x: Tensor) -> Tensor:
    power = torch.fft.rfft(x).abs().square()
    db = 10 * torch.log10(power.clamp(min=1e-10))
    return torch.maximum(db, db.amax() - 80)


def _phase_correlation(x: Tensor) -> Tensor:
    a, b = torch.fft.rfft2(x[:, 0]), torch.fft.rfft2(x[:, 1])
    cross = a * b.conj()
    return torch.fft.irfft2(cross / cross.abs().clamp(min=1e-6), s=x.shape[-2:])


def _polar(x: Tensor) -> Tensor:
    z = torch.fft.rfft(x)
    return torch.fft.irfft(torch.polar(z.abs(), z.angle()), n=x.shape[-1])


def _stft_and_back(x: Tensor) -> Tensor:
    window = torch.hann_window(8, dtype=x.dtype)
    z = torch.stft(x, 8, 2, window=window, return_complex=True)
    return torch.istft(z, 8, 2, window=window, length=x.shape[-1])


def _contrast(x: Tensor) -> Tensor:
    """What divides by a difference that is nearly nothing."""
    mean = x.mean(-1, keepdim=True)
    return (x - mean) / (x.amax(-1, keepdim=True) - x.amin(-1, keepdim=True) + 1e-6)


BORDERS = (
    _of("a scalar", lambda x, f: f(_magnitude(x).sum()[None]).squeeze(), lambda _: nn.Linear(1, 1)),
    _of("the mean of all", lambda x: _magnitude(x).mean()),
    _of("no batch axis", lambda x, f: f(x[0]), _linear),
    _of("squeezed", lambda x, f: f(x[:1]).squeeze(), _linear),
    _of("flattened", lambda x, f: f(x).flatten(), _linear),
    _of("frames x bins", lambda x: _magnitude(_frames(x)), domains=SOUND),
    _of("time first", lambda x: x.unfold(1, 8, 4).transpose(0, 1), domains=SOUND),
    _of("channels first", lambda x, f: f(x).transpose(0, 1), _conv, domains=IMAGE),
    _of("one pixel", lambda x, f: f(x), _conv, example=_one(1, 3, 1, 1), domains=IMAGE),
    _of("one column", lambda x, f: f(x), _conv, example=_one(1, 3, 7, 1), domains=IMAGE),
    _of(
        "a vector",
        lambda x: torch.fft.irfft(torch.view_as_complex(x)),
        example=_one(17, 2),
        domains=("audio",),
    ),
    _of("complex in the file", lambda x: torch.fft.rfft(x), domains=SOUND),
    _of("as it came", lambda x: x.clone()),
)

UNDETERMINED = (
    _of("log of positive inputs", torch.log, example=_positive),
    _of("root of positive inputs", torch.sqrt, example=_positive),
    _of("power of positive inputs", lambda x: x.pow(0.3), example=_positive),
    _of("reciprocal", lambda x: 1 / x, example=_positive),
    _of("arc cosine", lambda x: torch.acos(x), domains=IMAGE),
    _of("0/0 on black", lambda x: x / x.abs().amax(-1, keepdim=True)),
    _of("0/0 in a spectrum", lambda x: _magnitude(x) / _magnitude(x).sum(-1, keepdim=True)),
    _of("phases", lambda x: torch.fft.rfft(x).angle()),
    _of("phases of an image", lambda x: torch.fft.fft2(x).angle(), domains=IMAGE),
    _of("phases, unwrapped by differences", lambda x: torch.fft.rfft(x).angle().diff(dim=-1)),
    _of("magnitude and phase and back", _polar),
    _of("phase correlation", _phase_correlation, domains=IMAGE),
    _of("sine of a large argument", lambda x: torch.sin(1e4 * x)),
    _of("sign of a spectrum", lambda x: torch.fft.fft(x).imag.sign()),
    _of("position of the largest bin", lambda x: _magnitude(x).argmax(-1).float()),
    _of("steps", lambda x: torch.floor(10 * x)),
    _of("exp that overflows", lambda x: torch.exp(x)),
    _of("steep", lambda x: torch.tanh(1e4 * (x - x.mean(-1, keepdim=True)))),
    _of("layer norm of a constant", lambda x: F.layer_norm(x, x.shape[-1:], eps=1e-12)),
    _of("instance norm", lambda x: F.instance_norm(x), domains=IMAGE),
    _of("group norm", lambda x: F.group_norm(x, 1), domains=IMAGE),
    _of("standard deviation of a constant", lambda x: x.std(-1)),
    _of("division by a small range", _contrast),
    _of("cosine similarity", lambda x: F.cosine_similarity(x[:, 0], x[:, 1], -1), domains=IMAGE),
)

VALUES = (
    _of("subnormal outputs", lambda x: 1e-41 * x.abs()),
    _of("tiny outputs", lambda x: 1e-30 * x),
    _of("underflow", lambda x: torch.exp(-100 * x.abs())),
    _of("saturated softmax", lambda x: F.softmax(1000 * x, -1)),
    _of("softmax", lambda x, f: F.softmax(f(x), -1), _linear),
    _of("large sums", lambda x, f: f(1e5 * x).sum(-1), _linear),
    _of("a sum that cancels", lambda x: (x - x.mean()).sum(-1)),
    _of("a long cumsum", lambda x: x.flatten(1).cumsum(-1)),
    _of("differences", lambda x: x.diff(dim=-1)),
    _of("constant regions", lambda x: F.pad(x, (3, 3), value=2.0)),
    _of("zero but for bright pixels", lambda x: F.relu(x - 0.95)),
    _of("one outlier", lambda x: torch.cat((x, 1e4 * x[..., :1]), -1)),
    _of("log-sum-exp of large values", lambda x: torch.logsumexp(100 * x, -1)),
    _of("log-sigmoid", lambda x: F.logsigmoid(10 * x)),
    _of("decibels", _decibels),
    _of("log of a small constant", lambda x: torch.log(x.abs() + 1e-10)),
    _of("log1p of a power", lambda x: torch.log1p(_magnitude(x).square())),
    _of("short-time transform and back", _stft_and_back, domains=SOUND),
    _of("transform of an image and back", lambda x, f: f(torch.fft.ifft2(torch.fft.fft2(x)).real),
        _conv, domains=IMAGE),
    _of("unscaled transform", lambda x: torch.fft.fft2(x).abs(), domains=IMAGE),
    _of("GELU of large values", lambda x: F.gelu(50 * x)),
    _of("softplus", lambda x: F.softplus(x - 0.5)),
    _of("hard swish", lambda x, f: F.hardswish(f(x)), _conv, domains=IMAGE),
    _of("pooling", lambda x, f: F.adaptive_avg_pool2d(f(x), 1).flatten(1), _conv, domains=IMAGE),
)  # fmt: skip

#: By turns of what is hard in them.
HARD = tuple(
    hard
    for several in zip_longest(BORDERS, UNDETERMINED, VALUES)
    for hard in several
    if hard is not None
)


def hard_number(number: int) -> Hard:
    """Return what is hard by its number."""
    return HARD[number % len(HARD)]
