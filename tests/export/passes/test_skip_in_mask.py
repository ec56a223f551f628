"""A skip inside the mask changes the operators, never the function."""

from __future__ import annotations

import copy

import pytest
import torch

from affnet.export.fourier.costs import PredictedCosts
from affnet.export.fourier.planner import replace_transforms
from affnet.export.passes.folding import fold_linear_maps
from affnet.export.passes.skip_in_mask import SkipInMask, merge_skips, shrink_plus_one
from affnet.model.layers import ACTIVATIONS
from affnet.model.mixer import AdaptiveFrequencyFilter
from tests.reference import relative_error
from tests.tiny import noise, tiny_net


@pytest.mark.parametrize("size", [(64, 48), (56, 40)])
@pytest.mark.parametrize("fft", ["separable", "dense", "right", "channels_last"])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_the_same_function(activation: str, fft: str, size: tuple[int, int]) -> None:
    model = tiny_net(activation)
    merged = copy.deepcopy(model)
    replace_transforms(merged, (1, 3, *size), fft, (), PredictedCosts("onnxruntime"))
    fold_linear_maps(merged)
    merge_skips(merged)
    assert any(isinstance(module, SkipInMask) for module in merged.modules())
    image = noise(2, 3, *size)
    with torch.inference_mode():
        assert relative_error(merged(image), model(image)) < 1e-5


def test_values_around_the_threshold() -> None:
    mixer = AdaptiveFrequencyFilter(8, "relu")
    m = torch.linspace(-0.03, 0.03, 601)
    t = mixer.THRESHOLD
    torch.testing.assert_close(shrink_plus_one(m + 0.5, t), mixer.shrink(m) + 1, rtol=0, atol=2e-7)


def test_native_transforms_keep_their_skip() -> None:
    model = tiny_net()
    before = str(model)
    fold_linear_maps(model)
    frozen = str(model)
    merge_skips(model)
    assert str(model) == frozen != before
