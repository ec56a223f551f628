"""Nystrom attention."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from affnet.model.mixers.base import TokenMixer
from affnet.model.mixers.tokens import (
    count_heads,
    join_heads,
    largest_divisor,
    split_heads,
    to_maps,
    to_tokens,
)


class NystromAttention(TokenMixer):
    """Softmax attention through landmarks, the means of segments of the sequence of tokens.

    ``softmax(q kl^T) pinv(softmax(ql kl^T)) softmax(ql k^T) v``, all scores over sqrt(d), plus a
    depthwise convolution of the values along the sequence.  There are 64 landmarks, or the next
    smaller number that divides the tokens; where every token would be one, it is plain attention.
    """

    source = "Nystromformer, arXiv 2102.03902, sections 3.2 to 3.4, equations 11 and 13"
    complexity = "N m C + m^3 h + N C^2"
    is_global = True
    adapts = True
    LANDMARKS = 64
    KERNEL = 33
    ITERATIONS = 6

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.heads = count_heads(channels, 64)
        self.qkv = nn.Linear(channels, 3 * channels)
        self.conv = nn.Conv2d(
            self.heads,
            self.heads,
            (self.KERNEL, 1),
            padding=(self.KERNEL // 2, 0),
            groups=self.heads,
            bias=False,
        )
        self.project = nn.Linear(channels, channels)
        # a constant, as LiteRT has no operator that makes one
        self.register_buffer("identity", torch.eye(self.LANDMARKS), persistent=False)
        self.identity: Tensor

    def forward(self, x: Tensor) -> Tensor:
        """Map B x C x H x W to the same shape."""
        qkv = self.qkv(to_tokens(x)).chunk(3, dim=-1)
        query, key, value = (split_heads(part, self.heads) for part in qkv)
        query = query * query.shape[-1] ** -0.5
        mixed = self.attend(query, key, value) + self.conv(value)
        return to_maps(self.project(join_heads(mixed)), *x.shape[-2:])

    def attend(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """Return the approximate attention of B x h x N x d parts, the queries scaled already."""
        tokens = query.shape[2]
        landmarks = largest_divisor(tokens, self.LANDMARKS)
        if landmarks == tokens:
            return scores(query, key) @ value
        some_queries, some_keys = segment_means(query, landmarks), segment_means(key, landmarks)
        to_landmarks = scores(query, some_keys)
        among_landmarks = pseudo_inverse(
            scores(some_queries, some_keys),
            self.identity[:landmarks, :landmarks],
            self.ITERATIONS,
        )
        from_tokens = scores(some_queries, key) @ value
        return to_landmarks @ among_landmarks @ from_tokens


def scores(query: Tensor, key: Tensor) -> Tensor:
    """Return softmax(q k^T)."""
    return (query @ key.transpose(-1, -2)).softmax(dim=-1)


def segment_means(tokens: Tensor, segments: int) -> Tensor:
    """Average B x h x N x d tokens over segments of equal length."""
    batch, heads, count, channels = tokens.shape
    grouped = tokens.reshape(batch * heads, segments, count // segments, channels)
    return grouped.mean(dim=2).reshape(batch, heads, segments, channels)


def pseudo_inverse(matrix: Tensor, identity: Tensor, iterations: int) -> Tensor:
    """Approximate the Moore-Penrose inverse of a softmax's outcome (equation 13).

    It starts at A^T over its largest sums of rows, which are 1, and of columns.
    """
    columns = matrix.sum(dim=-2, keepdim=True).amax(dim=-1, keepdim=True)
    inverse = matrix.transpose(-1, -2) / columns
    for _ in range(iterations):
        product = matrix @ inverse
        inner = 15 * identity - product @ (7 * identity - product)
        inverse = 0.25 * inverse @ (13 * identity - product @ inner)
    return inverse
