"""Fourier mixers other than AFF: the same plans, and FNet's own."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from affnet.export.fourier.costs import PredictedCosts
from affnet.export.fourier.planner import replace_transforms
from affnet.export.fourier.plans import PLANS
from affnet.export.fourier.sequence import FactoredFourierMixing
from affnet.export.passes.folding import fold_linear_maps
from affnet.model.mixers import create_mixer, in_residual
from affnet.model.mixers.fnet import FourierMixing
from affnet.model.random_weights import randomise
from tests.reference import relative_error
from tests.tiny import noise

COSTS = PredictedCosts("onnxruntime")


def network(name: str, size: tuple[int, int]) -> nn.Sequential:
    net = nn.Sequential()
    net.add_module("filter", in_residual(create_mixer(name, 8, size)))
    randomise(net)
    return net.eval()


@torch.no_grad()
@pytest.mark.parametrize("size", [(8, 8), (5, 7), (6, 4), (1, 6)])
@pytest.mark.parametrize("plan", PLANS)
@pytest.mark.parametrize("name", ["gfnet", "afno"])
def test_they_compute_the_same_with_every_plan(name: str, plan: str, size: tuple[int, int]) -> None:
    net, x = network(name, size), noise(2, 8, *size)
    planned = copy.deepcopy(net)
    chosen = replace_transforms(planned, x.shape, plan, [plan], COSTS)
    fold_linear_maps(planned)
    assert chosen == {f"{size[0]}x{size[1]}": plan}
    assert relative_error(planned(x), net(x)) < 1e-5


@torch.no_grad()
def test_gfnet_of_another_map_size_is_planned_with_its_filter_resampled() -> None:
    net, x = network("gfnet", (8, 8)), noise(1, 8, 12, 10)
    planned = copy.deepcopy(net)
    replace_transforms(planned, x.shape, "auto", ["separable"], COSTS)
    fold_linear_maps(planned)
    assert relative_error(planned(x), net(x)) < 1e-5


@torch.no_grad()
@pytest.mark.parametrize("size", [(8, 8), (5, 7), (6, 4), (1, 6), (6, 1), (16, 20)])
def test_fnets_short_transforms_are_its_long_one(size: tuple[int, int]) -> None:
    x = noise(2, 24, *size)
    factored = FactoredFourierMixing(24, *size)
    assert relative_error(factored(x), FourierMixing(24)(x)) < 2e-6


@torch.no_grad()
def test_fnet_is_factored_unless_its_fft_is_to_stay() -> None:
    net, x = network("fnet", (8, 8)), noise(2, 8, 8, 8)
    planned, native = copy.deepcopy(net), copy.deepcopy(net)
    assert replace_transforms(planned, x.shape, "auto", ["separable"], COSTS) == {"8x8": "factored"}
    assert replace_transforms(native, x.shape, "native", ["separable"], COSTS) == {}
    kinds = [type(module) for module in planned.modules()]
    assert FactoredFourierMixing in kinds
    assert FourierMixing not in kinds
    assert FourierMixing in [type(module) for module in native.modules()]
    assert relative_error(planned(x), net(x)) < 2e-6
