"""Normalisations in operators that square inside: the same functions."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from affnet.export.passes.normalization import (
    ChannelsLastNorm,
    VectorNorm,
    WholeMapNorm,
    keep_channels_last,
    replace_norms,
)
from affnet.model.layers import ChannelLayerNorm
from tests.reference import fill, relative_error
from tests.tiny import noise


@pytest.mark.parametrize("groups", [1, 2, 6])
@pytest.mark.parametrize("affine", [True, False])
@pytest.mark.parametrize("shape", [(2, 6, 5, 7), (3, 6, 4), (2, 6)])
def test_the_same_function(groups, affine, shape):
    if shape == (2, 6) and groups == 6:
        return  # one value per group: torch refuses to normalise it
    norm = nn.GroupNorm(groups, 6, eps=1e-3, affine=affine)
    if affine:
        nn.init.normal_(norm.weight)
        nn.init.normal_(norm.bias)
    x = 3 + 10 * torch.randn(shape)
    torch.testing.assert_close(WholeMapNorm(norm)(x), norm(x), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("size", [1e-6, 1e-5, 1, 1e4])  # epsilon, 1e-5, decides the first two
def test_the_same_function_with_epsilon_outside_the_root(size):
    norm = fill(ChannelLayerNorm(48))
    x = size * noise(2, 48, 5, 7)
    assert relative_error(VectorNorm(norm)(x), norm(x)) < 1e-6


def test_pixels_whose_channels_are_all_equal():
    norm = fill(ChannelLayerNorm(48))
    result = VectorNorm(norm)(torch.full((1, 48, 2, 2), 3.0))
    torch.testing.assert_close(result, norm.bias.view(1, -1, 1, 1).expand_as(result))


def test_replaces_all_of_a_network():
    network = nn.Sequential(
        nn.Sequential(nn.GroupNorm(1, 4)), nn.GroupNorm(2, 4), nn.ReLU(), ChannelLayerNorm(4)
    )
    replace_norms(network)
    kinds = [type(module).__name__ for module in network.modules()]
    assert kinds.count("WholeMapNorm") == 2
    assert kinds.count("VectorNorm") == 1
    assert not {"GroupNorm", "ChannelLayerNorm"} & {*kinds}


@pytest.mark.parametrize("affine", [True, False])
@pytest.mark.parametrize("offset", [0, 3, 300])
def test_the_same_function_with_channels_last(affine, offset):
    norm = nn.GroupNorm(1, 6, affine=affine)
    if affine:
        nn.init.normal_(norm.weight)
        nn.init.normal_(norm.bias)
    x = offset + 10 * noise(2, 6, 5, 7)
    assert relative_error(ChannelsLastNorm(norm)(x), norm(x)) < 2e-5


def test_only_norms_of_one_group_are_kept_channels_last():
    network = nn.Sequential(nn.GroupNorm(1, 4), nn.GroupNorm(2, 4), ChannelLayerNorm(4))
    keep_channels_last(network)
    kinds = [type(module).__name__ for module in network]
    assert kinds == ["ChannelsLastNorm", "GroupNorm", "ChannelLayerNorm"]
