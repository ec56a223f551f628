"""An operator replaced by one that is nearly the same."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from benchmarks.proof.draw import Draw
from benchmarks.proof.faults.base import IMAGE, SOUND, Fault, Pair, always


def _leaky(draw: Draw) -> Pair:
    right, wrong = draw.choice([(0.1, 0.01), (0.2, 0.01), (0.01, 0.3)])
    return lambda x: F.leaky_relu(x - 0.3, right), lambda x: F.leaky_relu(x - 0.3, wrong)


def _resize(draw: Draw) -> Pair:
    scale = draw.choice([2, 3])
    ways = [
        {"mode": "bilinear", "align_corners": False},
        {"mode": "bilinear", "align_corners": True},
        {"mode": "nearest"},
    ]
    right, wrong = draw.random.sample(ways, 2)

    def resized(how: dict) -> object:
        return lambda x: F.interpolate(x, scale_factor=scale, **how)

    return resized(right), resized(wrong)  # type: ignore[return-value]


def _last_argmax(x: Tensor) -> Tensor:
    return x.shape[-1] - 1 - x.flip(-1).argmax(-1).float()


def _half_up(x: Tensor) -> Tensor:
    return torch.floor(x / 2 + 0.5)


def _uncounted_padding(draw: Draw) -> Pair:
    stride = draw.choice([1, 2])
    return (
        lambda x: F.avg_pool2d(x, 3, stride, 1),
        lambda x: F.avg_pool2d(x, 3, stride, 1, count_include_pad=False),
    )


def _centre(x: Tensor) -> Tensor:
    """Shift what is not negative, such as a picture, to both signs."""
    return x - x.mean()


FAULTS = (
    always("GELU as x * sigmoid(1.702 x)", F.gelu, lambda x: x * torch.sigmoid(1.702 * x)),
    always("SiLU as hard swish", F.silu, F.hardswish),
    always("mish as SiLU", F.mish, F.silu),
    always("ReLU as ReLU6", F.relu, F.relu6),
    always("sigmoid as hard sigmoid", torch.sigmoid, F.hardsigmoid),
    always("tanh as hard tanh", torch.tanh, F.hardtanh),
    Fault("another slope of leaky ReLU", _leaky),
    always("ELU as SELU", lambda x: F.elu(_centre(x)), lambda x: F.selu(_centre(x))),
    always("softplus without its beta", lambda x: F.softplus(x, beta=4), F.softplus),
    always(
        "max pooling as average pooling",
        lambda x: F.max_pool2d(x, 2),
        lambda x: F.avg_pool2d(x, 2),
        domains=IMAGE,
    ),
    Fault("average pooling that does not count padding", _uncounted_padding, IMAGE),
    Fault("another way of resizing", _resize, IMAGE),
    always("halves rounded up", lambda x: torch.round(x / 2), _half_up),
    always("floor as truncation", lambda x: torch.floor(8 * x), lambda x: torch.trunc(8 * x)),
    always(
        "remainder as fmod",
        lambda x: torch.remainder(_centre(x), 0.7),
        lambda x: torch.fmod(_centre(x), 0.7),
    ),
    always(
        "variance without Bessel's correction",
        lambda x: x.var(-1),
        lambda x: x.var(-1, correction=0),
    ),
    always("L2 norm as L1 norm", lambda x: x.norm(dim=-1), lambda x: x.abs().sum(-1)),
    always("last of equal maxima", lambda x: x.argmax(-1).float(), _last_argmax),
    always("sign of zero as 1", torch.sign, lambda x: torch.where(x >= 0, 1.0, -1.0)),
    always("> as >=", lambda x: (x > 0).float(), lambda x: (x >= 0).float()),
    always("exclusive cumsum", lambda x: x.cumsum(-1), lambda x: x.cumsum(-1) - x),
    always(
        "cube by the absolute value",
        lambda x: x.pow(3),
        lambda x: x.abs().pow(3),
        domains=SOUND,
    ),
    always("maximum as minimum", lambda x: x.amax(-1), lambda x: x.amin(-1)),
    always(
        "instance norm as layer norm",
        lambda x: F.instance_norm(x),
        lambda x: F.layer_norm(x, x.shape[1:]),
        domains=IMAGE,
    ),
)
