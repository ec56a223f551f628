"""Pooling and large-kernel convolution, against transformers and loops."""

from __future__ import annotations

import pytest
import torch
from transformers.models.poolformer.modeling_poolformer import PoolFormerPooling

from affnet.model.mixers import create_mixer
from affnet.model.mixers.dwconv import LargeKernelConvolution
from affnet.model.random_weights import randomise
from tests.reference import relative_error
from tests.tiny import noise


def test_pooling_is_poolformers() -> None:
    x = noise(2, 8, 5, 6)
    theirs = PoolFormerPooling(3)
    torch.testing.assert_close(create_mixer("pool", 8, (5, 6))(x), theirs(x), rtol=0, atol=0)


@torch.no_grad()
def test_the_convolution_sums_each_channels_neighbours() -> None:
    mixer = LargeKernelConvolution(8, 5)
    randomise(mixer)
    mixer, x = mixer.eval(), noise(1, 8, 6, 7)
    weight, norm = mixer.conv.weight.double(), mixer.norm
    padded = torch.zeros(8, 10, 11, dtype=torch.float64)
    padded[:, 2:8, 2:9] = x[0]
    summed = sum(
        weight[:, 0, m, n, None, None] * padded[:, m : m + 6, n : n + 7]
        for m in range(5)
        for n in range(5)
    )
    assert isinstance(summed, torch.Tensor)
    scale = norm.weight / (norm.running_var + norm.eps).sqrt()
    shifted = (summed - norm.running_mean[:, None, None]) * scale[:, None, None]
    expected = shifted + norm.bias[:, None, None]
    assert relative_error(mixer(x), expected[None]) < 1e-5


@pytest.mark.parametrize(("side", "kernel"), [(8, 13), (16, 27), (32, 29), (64, 31), (128, 31)])
def test_the_kernel_follows_from_the_map(side: int, kernel: int) -> None:
    assert create_mixer("dwconv", 8, (side, side)).conv.kernel_size == (kernel, kernel)
