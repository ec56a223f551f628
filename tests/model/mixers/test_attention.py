"""Softmax, windowed and linear attentions, against transformers, torch's own and naive loops."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn
from transformers import DeiTConfig, MobileViTConfig, MobileViTV2Config
from transformers.models.deit.modeling_deit import DeiTAttention
from transformers.models.mobilevit.modeling_mobilevit import MobileViTLayer, MobileViTSelfAttention
from transformers.models.mobilevitv2.modeling_mobilevitv2 import (
    MobileViTV2Layer,
    MobileViTV2LinearSelfAttention,
)

from affnet.model.mixers import create_mixer
from affnet.model.mixers.attention import SelfAttention
from affnet.model.mixers.edgevit import LocalGlobalLocal
from affnet.model.mixers.efficientvit import MultiScaleLinearAttention
from affnet.model.mixers.luna import PackedAttention
from affnet.model.mixers.mobilevit import UnfoldedAttention
from affnet.model.mixers.mobilevitv2 import SeparableAttention
from affnet.model.mixers.tokens import MultiHeadAttention, to_maps, to_tokens
from affnet.model.mixers.twins import LocalThenSubsampledAttention
from affnet.model.random_weights import randomise
from tests.reference import relative_error
from tests.tiny import noise


def copy_projections(ours: MultiHeadAttention, query: nn.Module, key: nn.Module, value: nn.Module,
                     project: nn.Module) -> None:  # fmt: skip
    """Give transformers' separate projections our weights."""
    channels = ours.query.in_features
    query.load_state_dict(ours.query.state_dict())
    project.load_state_dict(ours.project.state_dict())
    both = ours.key_value.state_dict()
    key.load_state_dict({name: value[:channels] for name, value in both.items()})
    value.load_state_dict({name: value[channels:] for name, value in both.items()})


def naive(attention: MultiHeadAttention, tokens: Tensor, context: Tensor) -> Tensor:
    """One token and one head at a time, in float64; N x C and M x C."""
    attention = attention.double()
    channels = tokens.shape[1]
    size = channels // attention.heads
    query, (key, value) = attention.query(tokens), attention.key_value(context).split(channels, 1)
    rows = []
    for i in range(len(tokens)):
        parts = []
        for head in range(attention.heads):
            part = slice(head * size, (head + 1) * size)
            weights = torch.exp(key[:, part] @ query[i, part] / math.sqrt(size))
            parts.append((weights / weights.sum()) @ value[:, part])
        rows.append(torch.cat(parts))
    return attention.project(torch.stack(rows))


@torch.no_grad()
def test_attention_is_deits() -> None:
    mixer, x = SelfAttention(128), noise(2, 128, 4, 5)
    config = DeiTConfig(hidden_size=128, num_attention_heads=2, attn_implementation="eager")
    theirs = DeiTAttention(config).eval()
    query, key, value, project = (part for part in theirs.modules() if isinstance(part, nn.Linear))
    copy_projections(mixer.attention, query, key, value, project)
    given = theirs(to_tokens(x))
    expected = given[0] if isinstance(given, tuple) else given  # transformers 5.4 gives it alone
    torch.testing.assert_close(to_tokens(mixer(x)), expected, rtol=1e-5, atol=1e-6)


@torch.no_grad()
@pytest.mark.parametrize("size", [(4, 6), (7, 5)])
def test_mobilevits_attention_is_transformers(size: tuple[int, int]) -> None:
    """Odd sides are resized as there."""
    mixer, x = UnfoldedAttention(16), noise(2, 16, *size)
    layer = MobileViTLayer(MobileViTConfig(num_attention_heads=4), 16, 16, 1, 16, 1)
    theirs, project = MobileViTSelfAttention(MobileViTConfig(), 16).eval(), nn.Linear(16, 16)
    copy_projections(mixer.attention, theirs.query, theirs.key, theirs.value, project)
    patches, shapes = layer.unfolding(x)
    expected = layer.folding(project(theirs(patches)), shapes)
    torch.testing.assert_close(mixer(x), expected, rtol=1e-5, atol=1e-6)


@torch.no_grad()
def test_separable_attention_is_transformers() -> None:
    mixer, x = SeparableAttention(16), noise(2, 16, 4, 6)
    theirs = MobileViTV2LinearSelfAttention(MobileViTV2Config(), 16).eval()
    theirs.qkv_proj.convolution.load_state_dict(mixer.score_key_value.state_dict())
    theirs.out_proj.convolution.load_state_dict(mixer.project.state_dict())
    layer = MobileViTV2Layer(MobileViTV2Config(), 16, 16, 16, n_attn_blocks=1)
    patches, size = layer.unfolding(x)
    expected = layer.folding(theirs(patches), size)
    torch.testing.assert_close(mixer(x), expected, rtol=1e-5, atol=1e-6)


@torch.no_grad()
def test_twins_attends_in_windows_and_to_a_smaller_map() -> None:
    mixer = LocalThenSubsampledAttention(16, window=2, ratio=2)
    randomise(mixer)
    mixer, x = mixer.double(), noise(1, 16, 4, 6).double()
    local = torch.empty_like(x)
    for top in range(0, 4, 2):
        for left in range(0, 6, 2):
            window = x[0, :, top : top + 2, left : left + 2]
            tokens = window.flatten(1).T
            mixed = naive(mixer.local, tokens, tokens).T
            local[0, :, top : top + 2, left : left + 2] = mixed.unflatten(1, (2, 2))
    tokens = mixer.norm(to_tokens(x + local))
    keys = []
    for top in range(0, 4, 2):
        for left in range(0, 6, 2):
            patch = to_maps(tokens, 4, 6)[0, :, top : top + 2, left : left + 2]
            conv = mixer.reduce
            keys.append(torch.einsum("oihw,ihw->o", conv.weight, patch) + conv.bias)
    context = mixer.reduced_norm(torch.stack(keys))
    expected = local + to_maps(naive(mixer.attention, tokens[0], context)[None], 4, 6)
    assert relative_error(mixer.float()(x.float()), expected) < 1e-5


def test_twins_fills_up_maps_that_windows_do_not_divide() -> None:
    mixer, x = create_mixer("twins", 8, (8, 8)).double().eval(), noise(1, 8, 5, 13).double()
    filled = torch.zeros(1, 8, 8, 16, dtype=torch.float64)
    filled[..., :5, :13] = x
    with torch.no_grad():
        local = torch.zeros_like(filled)
        for left in (0, 8):
            tokens = filled[0, :, :, left : left + 8].flatten(1).T
            mixed = naive(mixer.local, tokens, tokens).T
            local[0, :, :, left : left + 8] = mixed.unflatten(1, (8, 8))
        local = local[..., :5, :13]
        tokens = mixer.norm(to_tokens(x + local))
        context = mixer.reduced_norm(to_tokens(mixer.reduce(to_maps(tokens, 5, 13))))
        expected = local + to_maps(naive(mixer.attention, tokens[0], context[0])[None], 5, 13)
        torch.testing.assert_close(mixer(x), expected, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize(
    ("size", "window", "ratio"),
    [((56, 56), 8, 7), ((28, 28), 7, 4), ((14, 14), 7, 2), ((7, 7), 7, 1), ((64, 64), 8, 8),
     ((32, 32), 8, 4), ((8, 8), 8, 1), ((128, 128), 8, 8), ((24, 40), 8, 2), ((11, 11), 1, 1)],
)  # fmt: skip
def test_twins_windows_and_ratio_follow_from_the_map(
    size: tuple[int, int], window: int, ratio: int
) -> None:
    mixer = create_mixer("twins", 8, size)
    assert (mixer.window, mixer.reduce.kernel_size) == (window, (ratio, ratio))


@torch.no_grad()
@pytest.mark.parametrize("ratio", [1, 2])
def test_edgevit_spreads_the_attention_of_every_rth_token(ratio: int) -> None:
    mixer = LocalGlobalLocal(16, ratio)
    randomise(mixer)
    mixer, x = mixer.double().eval(), noise(1, 16, 4, 6).double()
    local = mixer.local(x)
    sparse = (x + local)[0, :, ::ratio, ::ratio]
    tokens = mixer.norm(sparse.flatten(1).T)
    mixed = naive(mixer.attention, tokens, tokens).T.unflatten(1, sparse.shape[1:])
    expected = local.clone()
    kernel, bias = mixer.spread.weight, mixer.spread.bias
    for m in range(4):
        for n in range(6):
            weight = kernel[:, 0, m % ratio, n % ratio]
            expected[0, :, m, n] += mixed[:, m // ratio, n // ratio] * weight + bias
    assert relative_error(mixer.float()(x.float()), expected) < 1e-5


@torch.no_grad()
def test_efficientvits_linear_attention_is_the_quadratic_one_with_relu() -> None:
    mixer = MultiScaleLinearAttention(32)
    randomise(mixer)
    mixer, x = mixer.double().eval(), noise(1, 32, 3, 4).double()
    qkv = mixer.qkv(x)
    heads = []
    for scale in (qkv, mixer.aggregate(qkv)):
        for head in range(2):
            q, k, v = scale[0, 48 * head : 48 * head + 48].flatten(1).split(16)
            weights = q.T.relu() @ k.relu()
            heads.append(v @ (weights / weights.sum(dim=1, keepdim=True)).T)
    expected = mixer.project(torch.cat(heads).unflatten(1, (3, 4))[None])
    assert relative_error(mixer.float()(x.float()), expected) < 1e-5


@torch.no_grad()
def test_luna_packs_and_unpacks_as_torchs_attention_does() -> None:
    mixer, x = PackedAttention(128), noise(2, 128, 4, 5)
    tokens = to_tokens(x)

    def theirs(ours: MultiHeadAttention, query: Tensor, context: Tensor) -> Tensor:
        module = nn.MultiheadAttention(128, ours.heads, batch_first=True)
        module.in_proj_weight.copy_(torch.cat((ours.query.weight, ours.key_value.weight)))
        module.in_proj_bias.copy_(torch.cat((ours.query.bias, ours.key_value.bias)))
        module.out_proj.load_state_dict(ours.project.state_dict())
        mixed: Tensor = module(query, context, context, need_weights=False)[0]
        return mixed

    packed = theirs(mixer.pack, mixer.packed.expand(2, -1, -1), tokens)
    expected = theirs(mixer.unpack, tokens, packed)
    torch.testing.assert_close(to_tokens(mixer(x)), expected, rtol=1e-4, atol=1e-6)
