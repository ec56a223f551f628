"""Scaling of images: nearest neighbour, bilinear in MIL's sampling modes, sampling at points."""

from __future__ import annotations

import numpy as np

from affnet.errors import UnsupportedOperatorError
from affnet.runtimes.mlprogram.operators.convolution import to_torch
from affnet.runtimes.mlprogram.operators.registry import Array, operator


def _grid(mode: str, size: int, target: int) -> Array:
    """Return where each of ``target`` samples lies on an axis of ``size`` elements.

    The formulas are those in the documentation of MIL's ``resize_bilinear``.
    """
    index = np.arange(target)
    if mode in ("STRICT_ALIGN_CORNERS", "ALIGN_CORNERS"):
        if target == 1:
            points = np.array([(size - 1) / 2 if mode == "ALIGN_CORNERS" else 0.0])
        else:
            points = index * (size - 1) / (target - 1)
    elif mode == "DEFAULT":
        points = index * size / target
    elif mode == "OFFSET_CORNERS":
        points = (index + 0.5) * max(1, size - 1) / target
    elif mode == "UNALIGN_CORNERS":
        points = (index + 0.5) * size / target - 0.5
    else:
        raise ValueError(f"unknown sampling_mode {mode}")
    result: Array = np.clip(points, 0, size - 1)
    return result


def _interpolate(x: Array, axis: int, mode: str, target: int) -> Array:
    points = _grid(mode, x.shape[axis], target)
    lower = np.floor(points).astype(np.intp)
    upper = np.minimum(lower + 1, x.shape[axis] - 1)
    weight = (points - lower).astype(np.float32).reshape(-1, *[1] * (-axis - 1))
    below, above = np.take(x, lower, axis), np.take(x, upper, axis)
    result: Array = below + (above - below) * weight
    return result


def _bilinear(x: Array, mode: str, height: int, width: int) -> Array:
    return _interpolate(_interpolate(x, -1, mode, width), -2, mode, height)


def _nearest(x: Array, height: int, width: int) -> Array:
    rows = np.arange(height) * x.shape[-2] // height
    columns = np.arange(width) * x.shape[-1] // width
    result: Array = x[..., rows, :][..., columns]
    return result


def _scaled(x: Array, height: Array | float, width: Array | float) -> tuple[int, int]:
    return int(np.floor(x.shape[-2] * float(height))), int(np.floor(x.shape[-1] * float(width)))


@operator("resize_nearest_neighbor", exact=True)
def _resize_nearest_neighbor(
    x: Array, target_size_height: Array, target_size_width: Array
) -> Array:
    return _nearest(x, int(target_size_height), int(target_size_width))


@operator("upsample_nearest_neighbor", exact=True)
def _upsample_nearest_neighbor(
    x: Array, scale_factor_height: Array | float = 1, scale_factor_width: Array | float = 1
) -> Array:
    return _nearest(x, *_scaled(x, scale_factor_height, scale_factor_width))


@operator("resize_bilinear")
def _resize_bilinear(
    x: Array,
    target_size_height: Array | int = 1,
    target_size_width: Array | int = 1,
    sampling_mode: str = "DEFAULT",
) -> Array:
    return _bilinear(x, sampling_mode, int(target_size_height), int(target_size_width))


@operator("upsample_bilinear")
def _upsample_bilinear(
    x: Array,
    scale_factor_height: Array | float = 1,
    scale_factor_width: Array | float = 1,
    align_corners: Array | bool = True,
    half_pixel_centers: Array | bool | None = None,
) -> Array:
    centred = not align_corners if half_pixel_centers is None else bool(half_pixel_centers)
    if align_corners and centred:
        raise ValueError("align_corners and half_pixel_centers exclude each other")
    mode = "STRICT_ALIGN_CORNERS" if align_corners else "UNALIGN_CORNERS" if centred else "DEFAULT"
    return _bilinear(x, mode, *_scaled(x, scale_factor_height, scale_factor_width))


@operator("resize")
def _resize(
    x: Array,
    shape: Array,
    resized_dims: Array,
    interpolation_mode: str = "LINEAR",
    sampling_mode: str = "DEFAULT",
) -> Array:
    count = int(resized_dims)
    if count > 2:
        raise UnsupportedOperatorError(f"resize over {count} axes cannot be evaluated here.")
    if interpolation_mode == "NEAREST_NEIGHBOR" and sampling_mode != "DEFAULT":
        raise UnsupportedOperatorError(
            f"resize to the nearest neighbour in the sampling mode {sampling_mode} cannot be "
            f"evaluated here: Core ML does not document how it rounds."
        )
    for axis in range(-count, 0):
        target = int(shape[axis]) or x.shape[axis]  # 0 keeps the size
        if interpolation_mode == "NEAREST_NEIGHBOR":
            x = np.take(x, np.arange(target) * x.shape[axis] // target, axis)
        else:
            x = _interpolate(x, axis, sampling_mode, target)
    return x


_TORCH_PADDING = {"constant": "zeros", "border": "border"}


@operator("resample")
def _resample(
    x: Array,
    coordinates: Array,
    sampling_mode: str,
    padding_mode: str,
    padding_value: Array,
    coordinates_mode: str,
    align_corners: Array,
) -> Array:
    import torch.nn.functional as F

    # torch reflects about the border of the pixels' centres or edges as align_corners says
    reflects = padding_mode == ("reflection" if align_corners else "symmetric")
    padding = "reflection" if reflects else _TORCH_PADDING.get(padding_mode)
    if padding is None or (padding_mode == "constant" and float(padding_value) != 0):
        raise UnsupportedOperatorError(f"resample with padding {padding_mode} is not known here.")
    points = coordinates.astype(np.float32)
    sizes = np.array([x.shape[-1], x.shape[-2]], np.float32)
    if coordinates_mode == "unnormalized":
        points = points * 2 / (sizes - 1) - 1 if align_corners else (points * 2 + 1) / sizes - 1
    elif coordinates_mode == "normalized_zero_to_one":
        points = points * 2 - 1
    elif coordinates_mode != "normalized_minus_one_to_one":
        raise ValueError(f"unknown coordinates_mode {coordinates_mode}")
    result: Array = F.grid_sample(
        to_torch(x),
        to_torch(points),
        mode=sampling_mode,
        padding_mode=padding,
        align_corners=bool(align_corners),
    ).numpy()
    return result
