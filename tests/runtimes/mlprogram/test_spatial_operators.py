"""Pooling and scaling against torch."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F

mb = pytest.importorskip("coremltools.converters.mil.mil").Builder


def draw(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


X = draw(2, 4, 9, 10)

POOLS = {
    "max_valid": (
        lambda a: mb.max_pool(x=a, kernel_sizes=[2, 3], strides=[2, 1], pad_type="valid"),
        lambda a: F.max_pool2d(a, (2, 3), (2, 1)),
    ),
    "max_ceil": (
        lambda a: mb.max_pool(
            x=a,
            kernel_sizes=[2, 3],
            strides=[2, 2],
            pad_type="custom",
            pad=[1, 1, 1, 1],
            ceil_mode=True,
        ),
        lambda a: F.max_pool2d(a, (2, 3), 2, padding=1, ceil_mode=True),
    ),
    "max_same": (
        lambda a: mb.max_pool(x=a, kernel_sizes=[3, 3], strides=[2, 2], pad_type="same"),
        lambda a: F.max_pool2d(F.pad(a, [0, 1, 1, 1], value=-torch.inf), 3, 2),
    ),
    "avg_padded": (
        lambda a: mb.avg_pool(
            x=a, kernel_sizes=[3, 3], strides=[2, 2], pad_type="custom", pad=[1, 1, 1, 1]
        ),
        lambda a: F.avg_pool2d(a, 3, 2, padding=1),
    ),
    "avg_unpadded": (
        lambda a: mb.avg_pool(
            x=a, kernel_sizes=[3, 3], pad_type="same", exclude_padding_from_average=True
        ),
        lambda a: F.avg_pool2d(a, 3, 1, padding=1, count_include_pad=False),
    ),
    "avg_ceil": (
        lambda a: mb.avg_pool(
            x=a,
            kernel_sizes=[3, 3],
            strides=[2, 2],
            pad_type="custom",
            pad=[1, 1, 1, 1],
            ceil_mode=True,
        ),
        lambda a: F.avg_pool2d(a, 3, 2, padding=1, ceil_mode=True),
    ),
    "avg_larger_than_the_map": (
        lambda a: mb.avg_pool(
            x=a, kernel_sizes=[500, 500], strides=[500, 500], pad_type="valid", ceil_mode=True
        ),
        lambda a: a.mean((2, 3), keepdim=True),
    ),
    "l2": (
        lambda a: mb.l2_pool(x=a, kernel_sizes=[2, 2], strides=[2, 2], pad_type="valid"),
        lambda a: F.lp_pool2d(a, 2.0, 2),
    ),
    "max_over_one_axis": (
        lambda a: mb.max_pool(
            x=mb.reshape(x=a, shape=[2, 4, 90]), kernel_sizes=[4], strides=[3], pad_type="valid"
        ),
        lambda a: F.max_pool1d(a.reshape(2, 4, 90), 4, 3),
    ),
}


@pytest.mark.parametrize("name", POOLS)
def test_pool(assert_agrees, name):
    function, expected = POOLS[name]
    assert_agrees(function, [X], expected, folds=False, rtol=1e-4)


def scaled(a, size, **options):
    return F.interpolate(a, size, mode="bilinear", **options)


SCALINGS = {
    "strict_align": (
        lambda a: mb.resize_bilinear(
            x=a, target_size_height=5, target_size_width=23, sampling_mode="STRICT_ALIGN_CORNERS"
        ),
        lambda a: scaled(a, (5, 23), align_corners=True),
    ),
    "unaligned": (
        lambda a: mb.resize_bilinear(
            x=a, target_size_height=13, target_size_width=7, sampling_mode="UNALIGN_CORNERS"
        ),
        lambda a: scaled(a, (13, 7), align_corners=False),
    ),
    "upsample_aligned": (
        lambda a: mb.upsample_bilinear(
            x=a, scale_factor_height=2, scale_factor_width=3, align_corners=True
        ),
        lambda a: scaled(a, (18, 30), align_corners=True),
    ),
    "upsample_centred": (
        lambda a: mb.upsample_bilinear(
            x=a, scale_factor_height=2.0, scale_factor_width=1.5, align_corners=False
        ),
        lambda a: scaled(a, (18, 15), align_corners=False),
    ),
    "nearest": (
        lambda a: mb.resize_nearest_neighbor(x=a, target_size_height=5, target_size_width=23),
        lambda a: F.interpolate(a, (5, 23)),
    ),
    "upsample_nearest": (
        lambda a: mb.upsample_nearest_neighbor(x=a, scale_factor_height=2, scale_factor_width=3),
        lambda a: F.interpolate(a, scale_factor=(2, 3)),
    ),
    "resize": (
        lambda a: mb.resize(
            x=a, shape=[1, 12, 0], resized_dims=np.uint32(2), sampling_mode="UNALIGN_CORNERS"
        ),
        lambda a: scaled(a, (12, 10), align_corners=False),
    ),
}


@pytest.mark.parametrize("name", SCALINGS)
def test_scaling(assert_agrees, name):
    function, expected = SCALINGS[name]
    assert_agrees(function, [X], expected, folds=False, rtol=1e-4)


@pytest.mark.parametrize(
    ("mode", "target", "points"),
    [  # the examples in the documentation of MIL, for the input 0, 1
        ("DEFAULT", 5, [0, 0.4, 0.8, 1, 1]),
        ("OFFSET_CORNERS", 5, [0.1, 0.3, 0.5, 0.7, 0.9]),
        ("UNALIGN_CORNERS", 5, [0, 0.1, 0.5, 0.9, 1]),
        ("ALIGN_CORNERS", 1, [0.5]),
        ("STRICT_ALIGN_CORNERS", 1, [0]),
    ],
)
def test_documented_sampling_points(evaluate, mode, target, points):
    array = np.array([0, 1], np.float32).reshape(1, 1, 1, 2)
    (result,) = evaluate(
        lambda a: mb.resize_bilinear(
            x=a, target_size_height=1, target_size_width=target, sampling_mode=mode
        ),
        [array],
    )
    np.testing.assert_allclose(result.ravel(), points, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("padding", ["constant", "border", "reflection"])
def test_resample(assert_agrees, padding):
    points = draw(2, 6, 7, 2) * np.float32(0.8)
    assert_agrees(
        lambda a, b: mb.resample(
            x=a,
            coordinates=b,
            sampling_mode="bilinear",
            padding_mode=padding,
            padding_value=0.0,
            coordinates_mode="normalized_minus_one_to_one",
            align_corners=True,
        ),
        [X, points],
        lambda a, b: F.grid_sample(
            a, b, padding_mode={"constant": "zeros"}.get(padding, padding), align_corners=True
        ),
        rtol=1e-4,
    )
