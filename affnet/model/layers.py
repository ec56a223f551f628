"""The convolutional building blocks of AFFNet, with the state-dict names of the published code."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

import torch
from torch import Tensor, nn

from affnet.errors import UnknownNameError

#: Activations of the published code's family that have no parameters (so not PReLU).
ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "swish": nn.SiLU,
    "relu": nn.ReLU,
    "hard_swish": nn.Hardswish,
    "gelu": nn.GELU,
    "relu6": nn.ReLU6,
    "leaky_relu": lambda: nn.LeakyReLU(0.1),  # the published code's default slope
    "hard_sigmoid": nn.Hardsigmoid,
    "sigmoid": nn.Sigmoid,
    "tanh": nn.Tanh,
}


class ChannelLayerNorm(nn.Module):
    """Normalise over the channels at each pixel, published name ``layer_norm``.

    Unlike `torch.nn.LayerNorm` it adds ``eps`` to the standard deviation, outside the root.
    """

    def __init__(self, channels: int, eps: float = 1e-5) -> None:
        super().__init__()
        self.eps = eps
        self.weight: nn.Parameter = nn.Parameter(torch.ones(channels))
        self.bias: nn.Parameter = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        """Map B x C x H x W to the same shape."""
        centred = x - x.mean(dim=1, keepdim=True)
        std = centred.square().mean(dim=1, keepdim=True).sqrt()
        weight, bias = self.weight.view(-1, 1, 1), self.bias.view(-1, 1, 1)
        return centred / (std + self.eps) * weight + bias


#: Both published forms of the normalisation inside an AFF stage.
NORMALISATIONS: dict[str, Callable[[int], nn.Module]] = {
    "layer_norm_2d": lambda channels: nn.GroupNorm(1, channels, eps=1e-5),
    "layer_norm": ChannelLayerNorm,
}


def make_activation(name: str) -> nn.Module:
    """Return the activation called ``name`` in the published configs."""
    if name not in ACTIVATIONS:
        raise UnknownNameError("activation", name, ACTIVATIONS)
    return ACTIVATIONS[name]()


def make_normalisation(name: str, channels: int) -> nn.Module:
    """Return the normalisation called ``name`` in the published configs."""
    if name not in NORMALISATIONS:
        raise UnknownNameError("normalisation", name, NORMALISATIONS)
    return NORMALISATIONS[name](channels)


def make_divisible(value: float, divisor: int = 8) -> int:
    """Round to a multiple of ``divisor``, never down by more than 10 % (MobileNet's rule)."""
    rounded = max(divisor, int(value + divisor / 2) // divisor * divisor)
    return rounded + divisor if rounded < 0.9 * value else rounded


class ConvLayer(nn.Module):
    """Convolution, batch norm and, if named, an activation; padded so that stride 1 keeps the size.

    Without ``norm`` the convolution has a bias if ``bias`` says so; a batch norm has its own.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        *,
        stride: int = 1,
        dilation: int = 1,
        groups: int = 1,
        norm: bool = True,
        bias: bool = False,
        activation: str | None = None,
    ) -> None:
        super().__init__()
        parts: OrderedDict[str, nn.Module] = OrderedDict(
            conv=nn.Conv2d(
                in_channels,
                out_channels,
                kernel_size,
                stride=stride,
                padding=kernel_size // 2 * dilation,
                dilation=dilation,
                groups=groups,
                bias=bias,
            )
        )
        if norm:
            parts["norm"] = nn.BatchNorm2d(out_channels)
        if activation is not None:
            parts["act"] = make_activation(activation)
        self.block: nn.Sequential = nn.Sequential(parts)

    def forward(self, x: Tensor) -> Tensor:
        """Map B x C_in x H x W to B x C_out x ceil(H / stride) x ceil(W / stride)."""
        y: Tensor = self.block(x)
        return y


class InvertedResidual(nn.Module):
    """MobileNetV2's block (arXiv 1801.04381): 1x1 expansion, 3x3 depthwise, linear projection."""

    def __init__(
        self, in_channels: int, out_channels: int, *, stride: int, expansion: int, activation: str
    ) -> None:
        super().__init__()
        hidden = make_divisible(round(in_channels * expansion))
        self.adds_input: bool = stride == 1 and in_channels == out_channels
        self.block: nn.Sequential = nn.Sequential(
            OrderedDict(
                exp_1x1=ConvLayer(in_channels, hidden, 1, activation=activation),
                conv_3x3=ConvLayer(
                    hidden, hidden, 3, stride=stride, groups=hidden, activation=activation
                ),
                red_1x1=ConvLayer(hidden, out_channels, 1),
            )
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map B x C_in x H x W to B x C_out x ceil(H / stride) x ceil(W / stride)."""
        y: Tensor = self.block(x)
        return x + y if self.adds_input else y
