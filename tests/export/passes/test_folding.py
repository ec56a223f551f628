"""Folding changes the operators, never the function."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from affnet import create_model
from affnet.export.passes.folding import fold_batch_norms, fold_linear_maps, merge_scale_and_shift
from affnet.export.verification.reference import outputs_of
from affnet.model.layers import ACTIVATIONS
from affnet.model.network import AFFBlock, AFFStage
from affnet.model.random_weights import randomise
from tests.reference import relative_error
from tests.tiny import noise, tiny_net

both_norms = pytest.mark.parametrize("norm", ["layer_norm_2d", "layer_norm"])


def stages(model: nn.Module) -> list[AFFStage]:
    return [module for module in model.modules() if isinstance(module, AFFStage)]


@both_norms
@pytest.mark.parametrize("activation", ["swish", "relu", "hard_swish"])
def test_a_folded_network_computes_the_same(activation: str, norm: str) -> None:
    model = create_model("affnet_et", num_classes=20, activation=activation, attn_norm=norm)
    randomise(model, seed=3)  # batch norms get statistics of their own
    folded = copy.deepcopy(model.eval())
    fold_linear_maps(folded)
    merged = copy.deepcopy(folded)
    merge_scale_and_shift(merged)
    image = noise(2, 3, 96, 64)
    with torch.inference_mode():
        expected = model(image)
        assert relative_error(folded(image), expected) < 1e-5
        assert relative_error(merged(image), expected) < 1e-5


@both_norms
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_a_folded_stage_computes_the_same_with_every_activation(activation: str, norm: str) -> None:
    model = tiny_net(activation, norm)
    folded = copy.deepcopy(model)
    fold_linear_maps(folded)
    merge_scale_and_shift(folded)
    image = noise(2, 3, 48, 32)
    with torch.inference_mode():
        assert relative_error(folded(image), model(image)) < 1e-5


@both_norms
def test_folding_removes_the_projection_and_its_norms(norm: str) -> None:
    model = tiny_net(attn_norm=norm)
    before = sum(1 for m in model.modules() if isinstance(m, nn.Conv2d))
    fold_linear_maps(model)
    (stage,) = stages(model)
    assert isinstance(stage.conv_proj, nn.Identity)
    assert isinstance(stage.fusion.block.norm, nn.Identity)
    assert stage.fusion.block.conv.bias is not None
    assert sum(1 for m in model.modules() if isinstance(m, nn.Conv2d)) == before - 1
    norm_after = stage.global_rep[-1]
    if norm == "layer_norm_2d":
        assert norm_after.weight is norm_after.bias is None
    else:
        assert norm_after.weight.tolist() == [1.0] * 16
        assert norm_after.bias.tolist() == [0.0] * 16


@both_norms
def test_the_folded_network_is_all_float32_and_stays_in_eval_mode(norm: str) -> None:
    model = tiny_net(attn_norm=norm)
    fold_linear_maps(model)
    merge_scale_and_shift(model)
    tensors = [*model.parameters(), *model.buffers()]
    assert {t.dtype for t in tensors if t.is_floating_point()} == {torch.float32}
    used = [m for m in model.modules() if isinstance(m, nn.BatchNorm2d | nn.GroupNorm)]
    assert not any(module.training for module in used)


def test_merging_gives_a_depthwise_convolution_and_a_batch_norm() -> None:
    model = tiny_net()
    merge_scale_and_shift(model)
    (block,) = [m for m in model.modules() if isinstance(m, AFFBlock)]
    plain, affine = block.norm1
    assert isinstance(affine, nn.Conv2d)
    assert affine.groups == affine.in_channels == 16
    assert plain.weight is None
    assert isinstance(block.norm2[1], nn.BatchNorm2d)


def test_merging_leaves_the_other_normalisation_alone() -> None:
    model = tiny_net(attn_norm="layer_norm")
    before = str(model)
    merge_scale_and_shift(model)
    assert str(model) == before


def test_folding_leaves_a_network_without_stages_alone() -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4)).eval()
    before = str(model)
    fold_linear_maps(model)
    assert str(model) == before


@pytest.mark.parametrize("name", ["affnet_et_ssdlite", "affnet_et_deeplabv3"])
def test_batch_norms_are_folded_where_some_convolutions_have_none(name: str) -> None:
    model = create_model(name).eval()
    randomise(model)
    x = noise(1, 3, 128, 128)
    expected = model(x)
    fold_batch_norms(model)
    found = model(x)
    for after, before in zip(outputs_of(found), outputs_of(expected), strict=True):
        assert relative_error(after, before) < 1e-4
