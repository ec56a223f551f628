"""Matrix products: linear, matmul, einsum, attention."""

from __future__ import annotations

import numpy as np

from affnet.runtimes.mlprogram.operators.activation import softmax
from affnet.runtimes.mlprogram.operators.convolution import to_torch
from affnet.runtimes.mlprogram.operators.registry import Array, operator


@operator("linear")
def _linear(x: Array, weight: Array, bias: Array | None = None) -> Array:
    product = x @ weight.T
    return product if bias is None else product + bias


@operator("matmul")
def _matmul(
    x: Array, y: Array, transpose_x: Array | bool = False, transpose_y: Array | bool = False
) -> Array:
    if transpose_x and x.ndim > 1:
        x = np.swapaxes(x, -1, -2)
    if transpose_y and y.ndim > 1:
        y = np.swapaxes(y, -1, -2)
    result: Array = x @ y
    return result


@operator("einsum", lists=["values"])
def _einsum(values: list[Array], equation: str) -> Array:
    import torch  # its einsum runs batched products by BLAS and broadcasts axes of length 1

    result: Array = torch.einsum(equation, *map(to_torch, values)).numpy()
    return result


@operator("scaled_dot_product_attention")
def _attention(query: Array, key: Array, value: Array, attn_mask: Array | None = None) -> Array:
    scores = query @ np.swapaxes(key, -1, -2) / np.float32(np.sqrt(query.shape[-1]))
    if attn_mask is not None and attn_mask.dtype == np.bool_:
        scores = np.where(attn_mask, scores, np.float32(-np.inf))
    elif attn_mask is not None:
        scores = scores + attn_mask
    result: Array = softmax(scores) @ value
    return result
