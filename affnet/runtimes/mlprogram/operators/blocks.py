"""Operators that move pixels between space, depth and batch.

The two orders of channels: ``depth_to_space`` has the place within a block outermost, as
TensorFlow; ``pixel_shuffle`` has it innermost, as PyTorch.
"""

from __future__ import annotations

import numpy as np

from affnet.runtimes.mlprogram.operators.registry import Array, operator


@operator("depth_to_space", exact=True)
def _depth_to_space(x: Array, block_size: Array) -> Array:
    n, c, h, w = x.shape
    b = int(block_size)
    parts = x.reshape(n, b, b, c // (b * b), h, w).transpose(0, 3, 4, 1, 5, 2)
    return parts.reshape(n, c // (b * b), h * b, w * b)


@operator("space_to_depth", exact=True)
def _space_to_depth(x: Array, block_size: Array) -> Array:
    n, c, h, w = x.shape
    b = int(block_size)
    parts = x.reshape(n, c, h // b, b, w // b, b).transpose(0, 3, 5, 1, 2, 4)
    return parts.reshape(n, c * b * b, h // b, w // b)


@operator("pixel_shuffle", exact=True)
def _pixel_shuffle(x: Array, upscale_factor: Array) -> Array:
    n, c, h, w = x.shape
    f = int(upscale_factor)
    parts = x.reshape(n, c // (f * f), f, f, h, w).transpose(0, 1, 4, 2, 5, 3)
    return parts.reshape(n, c // (f * f), h * f, w * f)


@operator("pixel_unshuffle", exact=True)
def _pixel_unshuffle(x: Array, downscale_factor: Array) -> Array:
    n, c, h, w = x.shape
    f = int(downscale_factor)
    parts = x.reshape(n, c, h // f, f, w // f, f).transpose(0, 1, 3, 5, 2, 4)
    return parts.reshape(n, c * f * f, h // f, w // f)


@operator("space_to_batch", exact=True)
def _space_to_batch(x: Array, block_shape: Array, paddings: Array) -> Array:
    rows, columns = (int(size) for size in block_shape)
    x = np.pad(x, [(0, 0), (0, 0), *((int(a), int(b)) for a, b in paddings)])
    n, c, h, w = x.shape
    parts = x.reshape(n, c, h // rows, rows, w // columns, columns).transpose(3, 5, 0, 1, 2, 4)
    return parts.reshape(n * rows * columns, c, h // rows, w // columns)


@operator("batch_to_space", exact=True)
def _batch_to_space(x: Array, block_shape: Array, crops: Array) -> Array:
    rows, columns = (int(size) for size in block_shape)
    n, c, h, w = x.shape
    parts = x.reshape(rows, columns, n // (rows * columns), c, h, w).transpose(2, 3, 4, 0, 5, 1)
    whole = parts.reshape(n // (rows * columns), c, h * rows, w * columns)
    (top, bottom), (left, right) = ((int(a), int(b)) for a, b in crops)
    return whole[:, :, top : h * rows - bottom, left : w * columns - right]
