"""Operators that move, select or make elements, against torch, numpy and coremltools."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F

mb = pytest.importorskip("coremltools.converters.mil.mil").Builder


def count(*shape, dtype=np.float32):
    return np.arange(np.prod(shape)).reshape(shape).astype(dtype)


X = count(2, 3, 4, 6)

MOVES = {
    "reshape": (lambda a: mb.reshape(x=a, shape=[6, -1]), lambda a: a.reshape(6, 24)),
    "transpose": (lambda a: mb.transpose(x=a, perm=[0, -1, 1, 2]), lambda a: a.permute(0, 3, 1, 2)),
    "squeeze": (
        lambda a: mb.squeeze(x=mb.expand_dims(x=a, axes=[0]), axes=[0]),
        lambda a: a,
    ),
    "flatten2d": (lambda a: mb.flatten2d(x=a, axis=2), lambda a: a.reshape(6, 24)),
    "reverse": (lambda a: mb.reverse(x=a, axes=[1, -1]), lambda a: a.flip(1, 3)),
    "slice": (
        lambda a: mb.slice_by_index(
            x=a,
            begin=[0, -1, 1, 4],
            end=[2, 0, 3, 0],
            stride=[1, 1, 1, -2],
            begin_mask=[True, False, False, False],
            end_mask=[False, True, False, False],
        ),
        lambda a: a[:, -1:, 1:3].flip(-1)[..., 1::2][..., :2],
    ),
    "slice_squeezed": (
        lambda a: mb.slice_by_index(
            x=a,
            begin=[0, 2, 0, 0],
            end=[0, 0, 0, 0],
            end_mask=[True, False, True, True],
            squeeze_mask=[False, True, False, False],
        ),
        lambda a: a[:, 2],
    ),
    "slice_by_size": (
        lambda a: mb.slice_by_size(x=a, begin=[0, 1, 2, 3], size=[2, 1, -1, 2]),
        lambda a: a[:, 1:2, 2:, 3:5],
    ),
    "depth_to_space": (
        lambda a: mb.depth_to_space(x=mb.space_to_depth(x=a, block_size=2), block_size=2),
        lambda a: a,
    ),
    "space_to_depth": (
        lambda a: mb.space_to_depth(x=a, block_size=2),
        # the place within the block outermost
        lambda a: (
            F.pixel_unshuffle(a, 2).reshape(2, 3, 4, 2, 3).transpose(1, 2).reshape(2, 12, 2, 3)
        ),
    ),
    "pixel_shuffle": (
        lambda a: mb.pixel_shuffle(x=mb.reshape(x=a, shape=[2, 12, 2, 3]), upscale_factor=2),
        lambda a: F.pixel_shuffle(a.reshape(2, 12, 2, 3), 2),
    ),
    "pixel_unshuffle": (
        lambda a: mb.pixel_unshuffle(x=a, downscale_factor=np.uint32(2)),
        lambda a: F.pixel_unshuffle(a, 2),
    ),
    "concat": (lambda a: mb.concat(values=(a, a, a), axis=-2), lambda a: torch.cat((a, a, a), -2)),
    "concat_of_one": (lambda a: mb.concat(values=(a,), axis=1), lambda a: a),
    "concat_interleaved": (
        lambda a: mb.concat(values=(a, mb.mul(x=a, y=-1.0)), axis=1, interleave=True),
        lambda a: torch.stack((a, -a), 2).reshape(2, 6, 4, 6),
    ),
    "stack": (lambda a: mb.stack(values=(a, a), axis=1), lambda a: torch.stack((a, a), 1)),
    "split": (lambda a: mb.split(x=a, num_splits=2, axis=-1), lambda a: a.chunk(2, -1)),
    "split_sizes": (
        lambda a: mb.split(x=a, split_sizes=[1, 3, 2], axis=3),
        lambda a: a.split([1, 3, 2], 3),
    ),
    "tile": (lambda a: mb.tile(x=a, reps=[1, 2, 1, 3]), lambda a: a.tile(1, 2, 1, 3)),
    "pad": (
        lambda a: mb.pad(x=a, pad=[1, 0, 2, 3], constant_val=-1.5),
        lambda a: F.pad(a, [2, 3, 1, 0], value=-1.5),
    ),
    "pad_reflect": (
        lambda a: mb.pad(x=a, pad=[1, 2, 2, 3], mode="reflect"),
        lambda a: F.pad(a, [2, 3, 1, 2], mode="reflect"),
    ),
    "pad_replicate": (
        lambda a: mb.pad(x=a, pad=[1, 2, 2, 3], mode="replicate"),
        lambda a: F.pad(a, [2, 3, 1, 2], mode="replicate"),
    ),
    "crop": (
        lambda a: mb.crop(x=a, crop_height=[1, 1], crop_width=[2, 0]),
        lambda a: a[..., 1:3, 2:],
    ),
    "shape": (lambda a: mb.shape(x=a), lambda a: torch.tensor(a.shape)),
    "sliding_windows": (
        lambda a: mb.sliding_windows(x=a, axis=-1, size=3, stride=2),
        lambda a: a.unfold(-1, 3, 2),
    ),
    "band_part": (lambda a: mb.band_part(x=a, lower=1, upper=2), lambda a: a.triu(-1).tril(2)),
    "band_part_upper": (lambda a: mb.band_part(x=a, lower=0, upper=-1), lambda a: a.triu()),
    "cumsum": (lambda a: mb.cumsum(x=a, axis=2), lambda a: a.cumsum(2)),
    "cumsum_reverse": (
        lambda a: mb.cumsum(x=a, axis=-1, reverse=True),
        lambda a: a.flip(-1).cumsum(-1).flip(-1),
    ),
    "cumsum_exclusive": (
        lambda a: mb.cumsum(x=a, axis=1, exclusive=True),
        lambda a: a.cumsum(1) - a,
    ),
    "fill_like": (
        lambda a: mb.fill_like(ref_tensor=a, value=2.5),
        lambda a: torch.full_like(a, 2.5),
    ),
    "fill": (
        lambda a: mb.add(x=mb.fill(shape=[4, 6], value=2.5), y=a),
        lambda a: a + 2.5,
    ),
    "argsort": (lambda a: mb.argsort(x=mb.sin(x=a), axis=2), lambda a: (-a.sin()).argsort(2)),
    "topk": (
        lambda a: mb.topk(x=mb.sin(x=a), k=3, axis=-1),
        lambda a: tuple(a.sin().topk(3)),
    ),
    "topk_ascending": (
        lambda a: mb.topk(x=mb.sin(x=a), k=2, axis=1, ascending=True),
        lambda a: tuple(a.sin().topk(2, 1, largest=False)),
    ),
    "range_1d": (
        lambda a: mb.add(x=mb.range_1d(start=1.0, end=13.0, step=2.0), y=a),
        lambda a: a + torch.arange(1, 13, 2),
    ),
    "non_zero": (
        lambda a: mb.non_zero(x=mb.greater(x=a, y=140.0)),
        lambda a: (a > 140).nonzero(),
    ),
    "gather_constant": (
        lambda a: mb.gather(x=a, indices=[[2, 0], [-1, 1]], axis=1),
        lambda a: a[:, torch.tensor([[2, 0], [2, 1]])],
    ),
    "batch": (
        lambda a: mb.space_to_batch(x=a, block_shape=[2, 3], paddings=[[1, 1], [0, 0]]),
        lambda a: (
            F.pad(a, [0, 0, 1, 1])
            .reshape(2, 3, 3, 2, 2, 3)
            .permute(3, 5, 0, 1, 2, 4)
            .reshape(12, 3, 3, 2)
        ),
    ),
    "batch_and_back": (
        lambda a: mb.batch_to_space(
            x=mb.space_to_batch(x=a, block_shape=[2, 3], paddings=[[1, 1], [0, 0]]),
            block_shape=[2, 3],
            crops=[[1, 1], [0, 0]],
        ),
        lambda a: a,
    ),
}
#: coremltools computes none of these, or computes them wrongly (in the comment)
UNFOLDED = {
    "cumsum_exclusive",  # raises
    "concat_interleaved",  # ignores interleave
    "concat_of_one",
    "squeeze",
}


@pytest.mark.parametrize("name", MOVES)
def test_move(assert_agrees, name):
    function, expected = MOVES[name]
    assert_agrees(function, [X], expected, folds=name not in UNFOLDED)


def test_reshape_by_zero_counts_from_the_right(assert_agrees):
    assert_agrees(
        lambda a: mb.reshape(x=a, shape=[1, 0, -1, 0]),
        [count(2, 50)],
        lambda a: a.reshape(1, 1, 2, 50),
    )


def test_expand_dims_at_several_axes(assert_agrees):
    assert_agrees(
        lambda a: mb.expand_dims(x=a, axes=[0, -1]), [count(2, 3)], lambda a: a[None, ..., None]
    )


def test_squeeze_keeps_longer_axes(assert_agrees):
    assert_agrees(
        lambda a: mb.squeeze(x=a, axes=[0, 1]),
        [count(1, 2, 3)],
        lambda a: a.squeeze(0),
        folds=False,
    )


def test_reshape_like(assert_agrees):
    assert_agrees(
        lambda a, b: mb.reshape_like(
            x=a, ref_tensors=(b, b), begins=(0, 1), ends=(1, 0), end_masks=(False, True)
        ),
        [count(4, 6), count(4, 2, 3)],
        lambda a, b: a.reshape(b.shape),
        folds=False,
    )


def test_reverse_sequence(assert_agrees):
    def expected(a, b):
        return torch.stack(
            [torch.cat((row[:n].flip(0), row[n:])) for row, n in zip(a, b, strict=True)]
        )

    assert_agrees(
        lambda a, b: mb.reverse_sequence(x=a, lengths=b, seq_axis=1, batch_axis=0),
        [count(3, 5, 2), np.array([0, 2, 5], np.int32)],
        expected,
        folds=False,
    )
