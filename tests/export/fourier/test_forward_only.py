"""The inverse transform by the forward one, against torch's own."""

from __future__ import annotations

import pytest
import torch

from affnet.export.fourier.forward_only import ForwardOnlyFFT, replace_native_transforms
from affnet.model.mixer import Spectrum, TorchFFT
from tests.tiny import noise, tiny_net

SIZES = [(8, 8), (4, 16), (16, 4), (2, 2), (1, 8), (8, 1), (1, 1), (5, 7), (6, 5), (24, 40)]


@pytest.mark.parametrize("size", SIZES)
def test_it_is_torch_s_transform_both_ways(size: tuple[int, int]) -> None:
    x = noise(2, 3, *size)
    expected, actual = TorchFFT().analyse(x), ForwardOnlyFFT().analyse(x)
    for a, b in zip(expected, actual, strict=True):
        torch.testing.assert_close(b, a, atol=1e-5, rtol=0)
    # of no real map, so that what the inverse must drop is there to be dropped
    spectrum = Spectrum(noise(*expected.real.shape, seed=1), noise(*expected.real.shape, seed=2))
    torch.testing.assert_close(
        ForwardOnlyFFT().synthesise(spectrum, size[1]),
        TorchFFT().synthesise(spectrum, size[1]),
        atol=1e-5,
        rtol=0,
    )


def test_every_filter_gets_it_and_computes_the_same() -> None:
    net, x = tiny_net(), noise(1, 3, 32, 32)
    with torch.no_grad():
        expected = net(x)
        replace_native_transforms(net, ForwardOnlyFFT())
        torch.testing.assert_close(net(x), expected, atol=1e-5, rtol=1e-5)
    kinds = {type(module) for module in net.modules()}
    assert ForwardOnlyFFT in kinds
    assert TorchFFT not in kinds
