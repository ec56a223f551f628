"""How a file holds what its network takes and gives: layout, type and range of its tensors."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from affnet.artifact import TensorSpec


def as_input(images: NDArray[np.float32], spec: TensorSpec) -> NDArray[Any]:
    """Turn N x 3 x H x W images in 0..1 into what an input spec asks for; else change nothing."""
    if not spec.is_image:
        array = images.astype(spec.dtype)
        return (
            array if array.ndim else array.reshape(spec.static_shape())
        )  # some formats hold no scalars
    low, high = spec.range or (0.0, 1.0)
    values = low + images * (high - low)
    if spec.layout == "NHWC":
        values = values.transpose(0, 2, 3, 1)
    dtype = np.dtype(spec.dtype)
    if dtype.kind in "iu":
        values = values.round()
    return np.ascontiguousarray(values.astype(dtype))


def from_output(array: NDArray[Any], spec: TensorSpec) -> NDArray[Any]:
    """Turn an output of ``spec`` into what the network gives: channels first, not quantized."""
    if spec.range is not None:
        low, high = spec.range
        array = (array.astype(np.float32) - np.float32(low)) / np.float32(high - low)
    return array.transpose(0, 3, 1, 2) if spec.layout == "NHWC" else array
