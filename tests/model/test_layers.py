"""The layers, one by one, against formulas written out here."""

from __future__ import annotations

import pytest
import torch

from affnet.model.layers import (
    ACTIVATIONS,
    ChannelLayerNorm,
    InvertedResidual,
    make_activation,
    make_divisible,
    make_normalisation,
)
from tests.reference import fill, relative_error
from tests.tiny import noise


def test_channel_layer_norm_adds_epsilon_outside_the_root() -> None:
    norm = fill(ChannelLayerNorm(6))
    x = 1e-5 * noise(2, 6, 3, 4)  # small, so that where epsilon stands decides
    y = x.double()
    centred = y - y.mean(dim=1, keepdim=True)
    scale, shift = (v.detach().double()[:, None, None] for v in (norm.weight, norm.bias))
    std = y.std(dim=1, keepdim=True, correction=0)
    expected = centred / (std + 1e-5) * scale + shift
    inside = centred / (std.square() + 1e-5).sqrt() * scale + shift
    assert relative_error(norm(x), expected) < 1e-5
    assert relative_error(norm(x), inside) > 0.1


def test_layer_norm_2d_is_one_group_over_channels_and_pixels() -> None:
    norm = fill(make_normalisation("layer_norm_2d", 6))
    x = noise(2, 6, 3, 4)
    y = x.double()
    centred = y - y.mean(dim=(1, 2, 3), keepdim=True)
    variance = y.var(dim=(1, 2, 3), keepdim=True, correction=0)
    scale, shift = (v.detach().double()[:, None, None] for v in (norm.weight, norm.bias))
    assert relative_error(norm(x), centred / (variance + 1e-5).sqrt() * scale + shift) < 1e-6


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("swish", -0.268941),
        ("relu", 0.0),
        ("hard_swish", -1 / 3),
        ("gelu", -0.158655),
        ("relu6", 0.0),
        ("leaky_relu", -0.1),
        ("hard_sigmoid", 1 / 3),
        ("sigmoid", 0.268941),
        ("tanh", -0.761594),
    ],
)
def test_each_activation_maps_minus_one_to_its_published_value(name: str, value: float) -> None:
    assert float(make_activation(name)(torch.tensor(-1.0))) == pytest.approx(value, abs=1e-6)


def test_no_activation_has_parameters_that_a_state_dict_would_hold() -> None:
    assert all(not make_activation(name).state_dict() for name in ACTIVATIONS)


@pytest.mark.parametrize(
    ("value", "expected"), [(1, 8), (8, 8), (11, 16), (12, 16), (19, 24), (64, 64), (208, 208)]
)
def test_make_divisible_rounds_to_eight_and_never_loses_a_tenth(value: int, expected: int) -> None:
    assert make_divisible(value) == expected
    assert make_divisible(value) >= 0.9 * value


@pytest.mark.parametrize(
    ("channels", "stride", "adds"), [((8, 8), 1, True), ((8, 8), 2, False), ((8, 16), 1, False)]
)
def test_an_inverted_residual_adds_its_input_only_where_shapes_stay(
    channels: tuple[int, int], stride: int, adds: bool
) -> None:
    block = fill(InvertedResidual(*channels, stride=stride, expansion=2, activation="relu"))
    x = noise(1, channels[0], 7, 6)
    y, inner = block(x), block.block(x)
    assert y.shape == (1, channels[1], -(-7 // stride), -(-6 // stride))
    assert torch.equal(y, x + inner if adds else inner)
