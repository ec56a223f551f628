"""Operators that read and write at given places, and quantise, against torch."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F

mb = pytest.importorskip("coremltools.converters.mil.mil").Builder


def count(*shape, dtype=np.float32):
    return np.arange(np.prod(shape)).reshape(shape).astype(dtype)


def test_one_hot(assert_agrees):
    assert_agrees(
        lambda a: mb.one_hot(
            indices=a,
            one_hot_vector_size=4,
            axis=1,
            on_value=np.float32(2),
            off_value=np.float32(-1),
        ),
        [np.array([[0, 3], [1, 2]], np.int32)],
        lambda a: 3 * F.one_hot(a.long(), 4).movedim(-1, 1).float() - 1,
        folds=False,
    )


def test_gather(assert_agrees):
    x, rows = count(3, 4, 5), np.array([[0, 2], [1, 0], [2, 2]], np.int32)
    assert_agrees(
        lambda a, b: mb.gather(x=a, indices=b, axis=1, batch_dims=1),
        [x, rows],
        lambda a, b: torch.stack([data[index] for data, index in zip(a, b.long(), strict=True)]),
    )
    assert_agrees(
        lambda a, b: mb.gather_nd(x=a, indices=b),
        [x, rows],
        lambda a, b: a[b[:, 0], b[:, 1]],
        folds=False,
    )
    assert_agrees(
        lambda a, b: mb.gather_along_axis(x=a, indices=b, axis=0),
        [x, (count(2, 4, 5, dtype=np.int32) % 3)],
        lambda a, b: a.gather(0, b.long()),
    )


MODES = {
    "update": lambda a, i, u: a.index_copy(0, i, u),
    "add": lambda a, i, u: a.index_add(0, i, u),
    "sub": lambda a, i, u: a.index_add(0, i, -u),
    "mul": lambda a, i, u: a.index_reduce(0, i, u, "prod"),
    "div": lambda a, i, u: a.index_reduce(0, i, 1 / u, "prod"),
    "max": lambda a, i, u: a.index_reduce(0, i, u, "amax"),
    "min": lambda a, i, u: a.index_reduce(0, i, u, "amin"),
}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.filterwarnings("ignore:index_reduce:UserWarning")
def test_scatter(assert_agrees, mode):
    data, updates = count(4, 3), count(2, 3) * np.float32(2) + 1
    indices = np.array([3, 1], np.int32)
    arrays = [data, indices, updates]
    assert_agrees(
        lambda a, b, c: mb.scatter(data=a, indices=b, updates=c, axis=0, mode=mode),
        arrays,
        lambda a, b, c: MODES[mode](a, b.long(), c),
        folds=False,
    )
    assert_agrees(
        lambda a, b, c: mb.scatter_nd(
            data=a, indices=mb.expand_dims(x=b, axes=[1]), updates=c, mode=mode
        ),
        arrays,
        lambda a, b, c: MODES[mode](a, b.long(), c),
        folds=False,
    )
    assert_agrees(
        lambda a, b, c: mb.scatter_along_axis(
            data=a,
            indices=mb.tile(x=mb.expand_dims(x=b, axes=[1]), reps=[1, 3]),
            updates=c,
            mode=mode,
        ),
        arrays,
        lambda a, b, c: MODES[mode](a, b.long(), c),
        folds=False,
    )


def test_scatter_counts_repeated_places(assert_agrees):
    assert_agrees(
        lambda a, b, c: mb.scatter(data=a, indices=b, updates=c, axis=1, mode="add"),
        [count(2, 3), np.array([1, 1, 0], np.int32), count(2, 3)],
        lambda a, b, c: a.index_add(1, b.long(), c),
        folds=False,
    )


def test_slice_update(assert_agrees):
    import coremltools as ct

    def expected(a, b):
        a = a.clone()
        a[:, 1:3] = b
        return a

    assert_agrees(
        lambda a, b: mb.slice_update(
            x=a, update=b, begin=[0, 1], end=[0, 3], end_mask=[True, False]
        ),
        [count(3, 4), -count(3, 2)],
        expected,
        target=ct.target.iOS18,
        folds=False,
    )


def test_quantize_and_back(assert_agrees):
    scale, zero = np.array([0.1, 0.5, 2], np.float32), np.array([0, 3, -5], np.int8)

    def function(a):
        steps = mb.quantize(input=a, scale=scale, zero_point=zero, axis=1, output_dtype="int8")
        return mb.dequantize(input=steps, scale=scale, zero_point=zero, axis=1)

    def expected(a):
        s, z = torch.tensor(scale).view(-1, 1), torch.tensor(zero).view(-1, 1)
        return ((a / s).round() + z).clamp(-128, 127).sub(z) * s

    values = np.random.default_rng(0).normal(0, 40, (2, 3, 5)).astype(np.float32)
    assert_agrees(function, [values], expected, folds=False)
