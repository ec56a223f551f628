"""Axes that were swapped, orders that were turned round."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from benchmarks.proof.draw import Draw
from benchmarks.proof.faults.base import IMAGE, Apply, Fault, Pair, always


def _transposed_weight(draw: Draw) -> Pair:
    right = torch.nn.Linear(draw.last, draw.last)
    wrong = torch.nn.Linear(draw.last, draw.last)
    wrong.load_state_dict({"weight": right.weight.detach().T, "bias": right.bias.detach()})
    return right, wrong


def _transposed_kernel(draw: Draw) -> Pair:
    size = draw.choice([3, 5])
    right = torch.nn.Conv2d(3, 4, size, padding="same")
    wrong = torch.nn.Conv2d(3, 4, size, padding="same")
    wrong.load_state_dict(
        {"weight": right.weight.detach().transpose(2, 3), "bias": right.bias.detach()}
    )
    return right, wrong


def _depth_to_space(x: Tensor) -> Tensor:
    """The other order of channels: blocks first, as TensorFlow and ONNX's DCR have it."""
    batch, channels, height, width = x.shape
    y = x.reshape(batch, 2, 2, channels // 4, height, width)
    return y.permute(0, 3, 4, 1, 5, 2).reshape(batch, channels // 4, 2 * height, 2 * width)


def _shuffled(_: Draw) -> Pair:
    grow = torch.nn.Conv2d(3, 8, 1)
    return (
        Apply(lambda x, grow: F.pixel_shuffle(grow(x), 2), grow),
        Apply(lambda x, grow: _depth_to_space(grow(x)), grow),
    )


def _rolled(draw: Draw) -> Pair:
    axis = draw.choice([-1, 2] if draw.domain == "image" else [-1])
    return lambda x: torch.roll(x, 1, axis), lambda x: torch.roll(x, -1, axis)


def _other_axis(draw: Draw) -> Pair:
    function = draw.choice(
        [
            lambda x, axis: F.softmax(x, axis),
            lambda x, axis: x.mean(axis),
            lambda x, axis: x.cumsum(axis),
            lambda x, axis: x.flip(axis),
            lambda x, axis: torch.fft.rfft(x, dim=axis).abs().flatten(1),
            lambda x, axis: x.amax(axis),
            lambda x, axis: F.normalize(x, dim=axis),
        ]
    )
    return lambda x: function(x, 2), lambda x: function(x, 3)


def _shuffled_channels(_: Draw) -> Pair:
    grow = torch.nn.Conv2d(3, 6, 3, padding=1)

    def shuffled(groups: int) -> Apply:
        def shuffle(x: Tensor, grow: torch.nn.Module) -> Tensor:
            return grow(x).unflatten(1, (groups, 6 // groups)).transpose(1, 2).flatten(1, 2)

        return Apply(shuffle, grow)

    return shuffled(2), shuffled(3)


def _attention(_: Draw) -> Pair:
    """Softmax over the queries instead of the keys."""

    def attend(x: Tensor, axis: int) -> Tensor:
        scores = x @ x.transpose(-1, -2)
        return F.softmax(scores, axis) @ x

    return lambda x: attend(x, -1), lambda x: attend(x, -2)


def _patches(_: Draw) -> Pair:
    """Patches unfolded with the pixels of a channel first, or its channels."""

    def unfold(x: Tensor) -> Tensor:
        return F.unfold(x, 2, stride=2)

    def swapped(x: Tensor) -> Tensor:
        return unfold(x).unflatten(1, (3, 4)).transpose(1, 2).flatten(1, 2)

    return unfold, swapped


FAULTS = (
    Fault("square weight transposed", _transposed_weight),
    Fault("kernel transposed", _transposed_kernel, IMAGE),
    Fault("pixel shuffle by blocks first", _shuffled, IMAGE),
    Fault("rolled the other way", _rolled),
    Fault("the other of two equal axes", _other_axis, IMAGE, square=True),
    Fault("channels shuffled by other groups", _shuffled_channels, IMAGE),
    Fault("softmax over queries", _attention, IMAGE, square=True),
    Fault("patches unfolded channels last", _patches, IMAGE),
    always(
        "flattened channels last",
        lambda x: x.flatten(1),
        lambda x: x.permute(0, 2, 3, 1).flatten(1),
        domains=IMAGE,
    ),
    always("map transposed", lambda x: x, lambda x: x.mT, domains=IMAGE, square=True),
    always("flip lost", lambda x: x.flip(-1), lambda x: x),
    always(
        "concatenated the other way round",
        lambda x: torch.cat((x, x.square()), 1),
        lambda x: torch.cat((x.square(), x), 1),
    ),
    always(
        "colours in the other order",
        lambda x: x * x.new_tensor([0.3, 0.59, 0.11]).view(3, 1, 1),
        lambda x: x * x.new_tensor([0.11, 0.59, 0.3]).view(3, 1, 1),
        domains=IMAGE,
    ),
)
