"""Compressed weights: quantised, palettised (by a look-up table), sparse, and combinations.

Each operator has the form of iOS 16, whose data are flat and packed, and the form of iOS 18,
whose data have the shape of the weights; the parameters say which.
"""

from __future__ import annotations

import numpy as np

from affnet.runtimes.mlprogram.operators.quantization import dequantize
from affnet.runtimes.mlprogram.operators.registry import Array, operator
from affnet.runtimes.mlprogram.types import dtype_from_parameter, numpy_dtype


@operator("constexpr_affine_dequantize")
def _affine_dequantize(
    quantized_data: Array, zero_point: Array, scale: Array, axis: Array
) -> Array:
    return dequantize(quantized_data, scale, zero_point, axis)


@operator("constexpr_blockwise_shift_scale")
def _blockwise_shift_scale(data: Array, scale: Array, offset: Array | None = None) -> Array:
    values = data.astype(np.float32)
    if offset is not None:
        values = values - _spread(offset.astype(np.float32), data.shape)
    return values * _spread(scale, data.shape)


@operator("constexpr_lut_to_dense")
def _lut_to_dense(
    indices: Array, lut: Array, shape: Array | None = None, vector_axis: Array | None = None
) -> Array:
    if shape is None:
        return _look_up(indices, lut, vector_axis)
    sizes = [int(size) for size in shape]
    count, width = int(np.prod(sizes)), int(lut.size).bit_length() - 1
    bits = np.unpackbits(indices, bitorder="little")[: count * width].reshape(count, width)
    places = bits @ (1 << np.arange(width))
    result: Array = lut[places].reshape(sizes)
    return result


@operator("constexpr_sparse_to_dense")
def _sparse_to_dense(nonzero_data: Array, mask: Array, shape: Array | None = None) -> Array:
    if shape is not None:
        sizes = [int(size) for size in shape]
        bits = np.unpackbits(mask, bitorder="little")[: int(np.prod(sizes))]
        mask = bits.reshape(sizes)
    return _scatter_mask(nonzero_data, mask)


@operator("constexpr_lut_to_sparse")
def _lut_to_sparse(
    indices_mask: Array,
    indices_nonzero_data: Array,
    lut: Array,
    vector_axis: Array | None = None,
) -> tuple[Array, Array]:
    dense = _look_up(_scatter_mask(indices_nonzero_data, indices_mask), lut, vector_axis)
    mask = indices_mask
    if vector_axis is not None:
        mask = np.repeat(mask, lut.shape[-1], axis=int(vector_axis))
    return mask, dense[mask != 0]


@operator("constexpr_sparse_blockwise_shift_scale")
def _sparse_blockwise_shift_scale(
    data_mask: Array, nonzero_data: Array, scale: Array, offset: Array | None = None
) -> tuple[Array, Array]:
    dense = _blockwise_shift_scale(_scatter_mask(nonzero_data, data_mask), scale, offset)
    return data_mask, dense[data_mask != 0]


@operator("constexpr_cast")
def _cast(source_val: Array, output_dtype: str) -> Array:
    return source_val.astype(numpy_dtype(dtype_from_parameter(output_dtype)))


def _spread(blocks: Array, shape: tuple[int, ...]) -> Array:
    """Repeat one number per block to the shape of the whole."""
    for axis, (count, size) in enumerate(zip(blocks.shape, shape, strict=True)):
        if count not in (1, size):
            blocks = np.repeat(blocks, size // count, axis)
    return blocks


def _scatter_mask(nonzero_data: Array, mask: Array) -> Array:
    dense = np.zeros(mask.shape, nonzero_data.dtype)
    dense[mask != 0] = nonzero_data
    return dense


def _look_up(indices: Array, lut: Array, vector_axis: Array | None) -> Array:
    """Replace each index by its entry of the table of its block.

    ``lut`` has an axis per axis of ``indices``, whose lengths are the blocks' numbers, then one
    over the entries and one over the numbers of an entry, which go side by side along
    ``vector_axis``.
    """
    places = [
        (np.arange(size) * count // size).reshape(-1, *[1] * (indices.ndim - 1 - axis))
        for axis, (size, count) in enumerate(zip(indices.shape, lut.shape, strict=False))
    ]
    entries: Array = lut[(*places, indices)]
    if lut.shape[-1] == 1 or vector_axis is None:
        return entries[..., 0]
    axis = int(vector_axis) % indices.ndim
    shape = list(indices.shape)
    shape[axis] *= lut.shape[-1]
    return np.moveaxis(entries, -1, axis + 1).reshape(shape)
