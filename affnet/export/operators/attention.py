"""Attention under a mask that leaves a query no key: 0 in torch, 0 / 0 in converters."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from affnet.export.operators.nesting import within_itself


@within_itself
def scaled_dot_product_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    *,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Any:
    """`F.scaled_dot_product_attention`: such queries attend to all keys, and their results go."""
    if attn_mask is None or is_causal:
        return NotImplemented
    if attn_mask.dtype == torch.bool:
        mask = torch.where(attn_mask, 0.0, -torch.inf).to(query.dtype)
    else:
        mask = attn_mask
    attends = mask.amax(-1, keepdim=True) > -torch.inf
    mask = torch.where(attends, mask, 0.0)
    result = F.scaled_dot_product_attention(
        query, key, value, mask, dropout_p, scale=scale, enable_gqa=enable_gqa
    )
    return result * attends.to(result.dtype)
