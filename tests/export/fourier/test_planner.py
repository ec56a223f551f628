"""Which plan a map gets, and that a network is the same network with every plan."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from affnet import create_model
from affnet.errors import UnknownNameError
from affnet.export.converters.onnx.converter import OnnxConverter
from affnet.export.converters.openvino import OpenVinoConverter
from affnet.export.fourier.costs import PredictedCosts
from affnet.export.fourier.planner import FFT_CHOICES, rank_plans, replace_transforms
from affnet.export.fourier.plans.base import MapSize
from affnet.export.fourier.plans.dense import DensePlan
from affnet.export.fourier.plans.separable import SeparablePlan
from affnet.model.mixer import AdaptiveFrequencyFilter, TorchFFT
from affnet.model.network import AFFNet
from tests.reference import fill, reference_image, relative_error
from tests.tiny import tiny_net

CANDIDATES = ("separable", "dense")
COSTS = PredictedCosts("onnxruntime")
IMAGE = (1, 3, 32, 32)


@pytest.fixture(scope="module")
def network() -> AFFNet:
    """Treat it as read-only."""
    return fill(create_model("affnet_et"))


def filters(model: nn.Module) -> list[AdaptiveFrequencyFilter]:
    return [module for module in model.modules() if isinstance(module, AdaptiveFrequencyFilter)]


@pytest.mark.parametrize(
    ("size", "plan"),
    [
        ((2, 2), "dense"),
        ((7, 7), "dense"),
        ((8, 8), "dense"),
        ((6, 10), "dense"),
        ((16, 16), "separable"),
        ((32, 32), "separable"),
        ((24, 40), "separable"),
        ((64, 64), "separable"),
    ],
)
@pytest.mark.parametrize("channels", [64, 144, 320])
def test_small_maps_get_one_product_and_large_ones_two(
    channels: int, size: tuple[int, int], plan: str
) -> None:
    ranked = rank_plans(MapSize(channels, *size), CANDIDATES, COSTS)
    assert ranked[0].plan == plan
    assert ranked[0].microseconds < ranked[1].microseconds


@pytest.mark.parametrize(
    ("side", "plan"), [(32, "separable"), (64, "mixed_radix"), (113, "folded")]
)
def test_the_height_of_large_maps_is_in_two_factors_or_folded(side: int, plan: str) -> None:
    ranked = rank_plans(MapSize(128, side, side), OnnxConverter.plans, COSTS)
    assert ranked[0].plan == plan


@pytest.mark.parametrize("fft", ["separable", "mixed_radix", "dense", "channels_last", "auto"])
@pytest.mark.parametrize("size", [(256, 256), (192, 320), (224, 224)])
def test_the_network_is_the_same_with_every_plan(
    network: AFFNet, size: tuple[int, int], fft: str
) -> None:
    image = torch.from_numpy(reference_image(*size))
    replaced = copy.deepcopy(network)
    replace_transforms(replaced, (1, 3, *size), fft, CANDIDATES, COSTS)
    assert not any(isinstance(mixer.transform, TorchFFT) for mixer in filters(replaced))
    with torch.inference_mode():
        assert relative_error(replaced(image), network(image)) < 1e-5


@pytest.mark.parametrize(
    ("fft", "plans"),
    [
        ("auto", ["separable", "separable", "dense"]),
        ("native", ["native", "native", "native"]),
        ("separable", ["separable", "separable", "separable"]),
        ("dense", ["dense", "dense", "dense"]),
    ],
)
def test_the_plan_of_each_map_size_is_told(network: AFFNet, fft: str, plans: list[str]) -> None:
    model = copy.deepcopy(network)
    chosen = replace_transforms(model, (1, 3, 256, 192), fft, CANDIDATES, COSTS)
    assert chosen == dict(zip(["32x24", "16x12", "8x6"], plans, strict=True))
    kinds = {"native": TorchFFT, "separable": SeparablePlan, "dense": DensePlan}
    used = [type(mixer.transform) for mixer in filters(model)]
    stages = [kinds[plan] for plan in plans]
    assert used == [stages[0]] * 2 + [stages[1]] * 4 + [stages[2]] * 3


def test_replacing_leaves_the_state_dict_and_no_hooks(network: AFFNet) -> None:
    model = copy.deepcopy(network)
    replace_transforms(model, (1, 3, 64, 64), "auto", CANDIDATES, COSTS)
    assert model.state_dict().keys() == network.state_dict().keys()
    assert not any(mixer._forward_pre_hooks for mixer in filters(model))


def test_hooks_are_removed_even_if_the_network_fails() -> None:
    model = tiny_net()
    with pytest.raises(RuntimeError):
        replace_transforms(
            model, (1, 3, 4, 4), "auto", CANDIDATES, COSTS
        )  # smaller than the first kernel
    assert not any(mixer._forward_pre_hooks for mixer in filters(model))


def test_a_network_without_transforms_needs_no_plan() -> None:
    assert replace_transforms(nn.Conv2d(3, 4, 1), IMAGE, "auto", CANDIDATES, COSTS) == {}


def test_an_unknown_plan_is_answered_with_the_valid_ones() -> None:
    with pytest.raises(UnknownNameError) as error:
        replace_transforms(nn.Identity(), IMAGE, "fast", CANDIDATES, COSTS)
    assert str(error.value) == (
        "Unknown FFT plan 'fast'; "
        "valid: auto, measure, native, separable, folded, right, dense, "
        "channels_last, folded_channels_last, mixed_radix, mixed_radix_channels_last."
    )
    assert FFT_CHOICES == (
        "auto",
        "measure",
        "native",
        "separable",
        "folded",
        "right",
        "dense",
        "channels_last",
        "folded_channels_last",
        "mixed_radix",
        "mixed_radix_channels_last",
    )


@pytest.mark.parametrize("side", [8, 16, 32, 64])
def test_openvino_s_transforms_have_the_channels_of_its_convolutions_last(side: int) -> None:
    maps = MapSize(64, side, side)
    best, *_ = rank_plans(maps, OpenVinoConverter.plans, PredictedCosts("openvino"))
    assert best.plan.endswith("channels_last")
