"""Reformer's attention among tokens of the same hash."""

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

_NOT_ITSELF = -1e5  # the score of a token with itself: taken only where there is no other
_EPS = 1e-6


class LSHAttention(TokenMixer):
    """Attention within chunks of tokens sorted by a locality-sensitive hash, in several rounds.

    Queries are the keys, of unit length as keys.  The hash is the nearest of random directions and
    their opposites; tokens sorted by it are cut into chunks, and each chunk attends to itself and
    to the one before.  Rounds with other directions are joined by the softmax normalisers.

    The paper draws directions anew at every step; here they are drawn once, as buffers, because a
    file holds constants.  Their number, 2 N / chunk in all, follows from the size of the maps that
    it is made for; other maps are hashed by the same.  Chunks have 64 tokens, or the next smaller
    number that divides N.
    """

    source = "Reformer, arXiv 2001.04451, section 2, equations 3 to 7"
    complexity = "N log N + r N c C + N C^2"
    is_global = True
    adapts = True
    CHUNK = 64
    ROUNDS = 4

    def __init__(self, channels: int, tokens: int, rounds: int = ROUNDS) -> None:
        super().__init__()
        self.rounds = rounds
        self.heads = count_heads(channels, 64)
        self.query_key = nn.Linear(channels, channels, bias=False)
        self.value = nn.Linear(channels, channels, bias=False)
        self.project = nn.Linear(channels, channels, bias=False)
        directions = tokens // largest_divisor(
            tokens, self.CHUNK
        )  # half the buckets: each direction has its opposite
        shape = (self.heads, channels // self.heads, rounds * directions)
        self.register_buffer("directions", torch.randn(shape))
        self.directions: Tensor

    @classmethod
    def create(cls, channels: int, size: tuple[int, int], activation: str) -> LSHAttention:
        """See `TokenMixer.create`; it takes all other maps too."""
        return cls(channels, size[0] * size[1])

    def forward(self, x: Tensor) -> Tensor:
        """Map B x C x H x W to the same shape."""
        tokens = to_tokens(x)
        query = split_heads(self.query_key(tokens), self.heads)
        value = split_heads(self.value(tokens), self.heads)
        count = tokens.shape[1]
        if count <= self.CHUNK:
            order = torch.arange(count).expand(*query.shape[:2], 1, -1)
            mixed = self._attend(query[:, :, None], value[:, :, None], order)[0].squeeze(2)
        else:
            mixed = self._attend_by_hash(query, value)
        return to_maps(self.project(join_heads(mixed)), *x.shape[-2:])

    def _attend_by_hash(self, query: Tensor, value: Tensor) -> Tensor:
        """Return the attention of B x h x N x d queries, which are the keys too."""
        order = self._order(self.hashes(query))  # B x h x rounds x N
        undo = ascending(order)
        flat = order.flatten(2)
        chunks = (*flat.shape[:2], -1, largest_divisor(query.shape[2], self.CHUNK))
        mixed, normalisers = self._attend(
            gather_tokens(query, flat).reshape(*chunks, query.shape[-1]),
            gather_tokens(value, flat).reshape(*chunks, value.shape[-1]),
            flat.reshape(chunks),
        )
        by_round = (*order.shape, -1)
        mixed, normalisers = mixed.reshape(by_round), normalisers.reshape(by_round)
        undo = undo[..., None]
        mixed = mixed.gather(3, undo.expand(mixed.shape))
        weights = normalisers.gather(3, undo).softmax(dim=2)
        return (mixed * weights).sum(dim=2)

    def hashes(self, query: Tensor) -> Tensor:
        """Return the bucket of each of B x h x N x d vectors in each round, B x h x rounds x N."""
        batch, heads, tokens, _ = query.shape
        along = (query @ self.directions).reshape(batch * heads, tokens, self.rounds, -1)
        buckets = torch.cat((along, -along), dim=-1).argmax(dim=-1)
        return buckets.reshape(batch, heads, tokens, self.rounds).transpose(2, 3)

    def _order(self, buckets: Tensor) -> Tensor:
        """Sort the tokens of each round by bucket, those of one bucket by position."""
        tokens = buckets.shape[-1]
        return ascending(buckets * tokens + torch.arange(tokens))

    def _attend(self, query: Tensor, value: Tensor, position: Tensor) -> tuple[Tensor, Tensor]:
        """Attend within chunks, B x h x chunks x length x d, and to the chunk before.

        Returns the mixed values, and the logarithms of the sums of exponentials.
        """
        key = query * ((query * query).sum(dim=-1, keepdim=True) + _EPS * query.shape[-1]).rsqrt()
        if query.shape[2] > 1:
            key, value = with_previous(key), with_previous(value)
            others = with_previous(position[..., None]).transpose(-1, -2)
        else:
            others = position[..., None, :]
        scores = query @ key.transpose(-1, -2)
        scores = torch.where(position[..., None] == others, _NOT_ITSELF, scores)
        normaliser = scores.logsumexp(dim=-1, keepdim=True)
        return (scores - normaliser).exp() @ value, normaliser


def ascending(keys: Tensor) -> Tensor:
    """Return where the smallest key stands, the next one, and so on, along the last axis.

    Keys are different integers below 2^24, which float32 holds.  It is a search for all of the
    largest opposites, because mobile runtimes can select the k largest but have no sort.
    """
    return (-keys.float()).topk(keys.shape[-1], dim=-1).indices


def gather_tokens(tokens: Tensor, index: Tensor) -> Tensor:
    """Pick B x h x M of B x h x N x d tokens."""
    return tokens.gather(2, index[..., None].expand(*index.shape, tokens.shape[-1]))


def with_previous(chunks: Tensor) -> Tensor:
    """Put before each chunk's tokens those of the chunk before it; before the first, the last's."""
    previous = torch.cat((chunks[:, :, -1:], chunks[:, :, :-1]), dim=2)
    return torch.cat((previous, chunks), dim=3)
