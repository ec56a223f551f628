"""Nystrom and LSH attention against transformers', and Reformer's reversible residuals."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from transformers import NystromformerConfig, ReformerConfig
from transformers.models.nystromformer.modeling_nystromformer import NystromformerSelfAttention
from transformers.models.reformer.modeling_reformer import LSHSelfAttention

from affnet.model.mixers.nystrom import NystromAttention, pseudo_inverse
from affnet.model.mixers.reformer import LSHAttention
from affnet.model.mixers.reversible import ReversibleResidual, ReversibleSequence
from affnet.model.mixers.tokens import split_heads, to_tokens
from tests.tiny import noise


@torch.no_grad()
@pytest.mark.parametrize("size", [(16, 16), (8, 8)])  # with landmarks, and one for each token
def test_nystrom_attention_is_transformers(size: tuple[int, int]) -> None:
    """One head and one image: there, all share the inverse's first guess."""
    mixer, x = NystromAttention(32), 3 * noise(1, 32, *size)
    theirs = NystromformerSelfAttention(
        NystromformerConfig(
            hidden_size=32, num_attention_heads=1, num_landmarks=64,
            segment_means_seq_len=size[0] * size[1], conv_kernel_size=33,
            inv_coeff_init_option=False,
        )
    ).eval()  # fmt: skip
    for index, linear in enumerate((theirs.query, theirs.key, theirs.value)):
        linear.weight.copy_(mixer.qkv.weight[32 * index : 32 * index + 32])
        linear.bias.copy_(mixer.qkv.bias[32 * index : 32 * index + 32])
    theirs.conv.load_state_dict(mixer.conv.state_dict())
    expected = mixer.project(theirs(to_tokens(x))[0])
    torch.testing.assert_close(to_tokens(mixer(x)), expected, rtol=1e-4, atol=1e-5)


def test_the_pseudo_inverse_converges() -> None:
    matrix = (4 * noise(2, 3, 8, 8)).double().softmax(dim=-1)
    found = pseudo_inverse(matrix, torch.eye(8).double(), 20)
    torch.testing.assert_close(found, torch.linalg.pinv(matrix), rtol=1e-6, atol=1e-6)


@torch.no_grad()
@pytest.mark.parametrize(
    ("made", "size"),  # several chunks, a single one, and maps that it was not made for
    [(256, (16, 16)), (64, (8, 8)), (256, (12, 16)), (1024, (16, 12))],
)
def test_lsh_attention_is_transformers(made: int, size: tuple[int, int]) -> None:
    mixer, x = LSHAttention(128, made, rounds=3), noise(2, 128, *size)
    buckets = 2 * made // 64
    theirs = LSHSelfAttention(
        ReformerConfig(
            hidden_size=128, num_attention_heads=2, attention_head_size=64, num_hashes=3,
            num_buckets=buckets, lsh_attn_chunk_length=64, hash_seed=7, is_decoder=False,
        )
    ).eval()  # fmt: skip
    theirs.query_key.load_state_dict(mixer.query_key.state_dict())
    theirs.value.load_state_dict(mixer.value.state_dict())
    torch.manual_seed(7)  # as theirs draws its directions
    mixer.directions.copy_(torch.randn(2, 64, 3, buckets // 2).flatten(2))
    expected = mixer.project(theirs(to_tokens(x)).hidden_states)
    torch.testing.assert_close(to_tokens(mixer(x)), expected, rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_neighbours_share_a_hash_more_often_than_strangers() -> None:
    mixer = LSHAttention(64, 256)
    x = noise(1, 256, 64)
    near, far = x + 0.1 * noise(1, 256, 64, seed=1), noise(1, 256, 64, seed=2)
    first, second, third = (mixer.hashes(split_heads(t, 1)) for t in (x, near, far))
    assert (first == second).float().mean() > 0.7
    assert (first == third).float().mean() < 0.3  # 8 buckets


def layers(seed: int, depth: int) -> list[ReversibleResidual]:
    torch.manual_seed(seed)

    def branch() -> nn.Module:
        return nn.Sequential(nn.Linear(8, 8), nn.Tanh()).double()

    return [ReversibleResidual(branch(), branch()) for _ in range(depth)]


def test_a_reversible_residual_gives_its_input_back() -> None:
    (block,) = layers(0, 1)
    x = noise(3, 8).double(), noise(3, 8, seed=1).double()
    for found, given in zip(block.inverse(*block(*x)), x, strict=True):
        torch.testing.assert_close(found, given, rtol=0, atol=1e-14)


def test_a_reversible_sequence_has_the_gradients_of_a_plain_one() -> None:
    blocks, x = layers(0, 4), noise(3, 8).double()
    y1 = y2 = plain = x.clone().requires_grad_()
    for block in blocks:
        y1, y2 = block(y1, y2)
    parameters = [p for block in blocks for p in block.parameters()]
    expected = torch.autograd.grad(((y1 + y2) / 2).square().sum(), [plain, *parameters])
    sequence, leaf = ReversibleSequence(blocks), x.clone().requires_grad_()
    found = torch.autograd.grad(sequence(leaf).square().sum(), [leaf, *parameters])
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("depth", [2, 12])
def test_what_is_kept_for_the_way_back_does_not_grow_with_the_depth(depth: int) -> None:
    kept: list[Tensor] = []
    sequence = ReversibleSequence(layers(0, depth))
    with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.append(t) or t, lambda t: t):
        sequence(noise(3, 8).double().requires_grad_())
    assert len([tensor for tensor in kept if tensor.dim() == 2]) <= 2
