"""Cutting a signal into overlapping frames and adding them up again, for the STFT.

These operators are real, but no mobile converter knows them: slices, padding and indices all do.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from dataclasses import replace
from functools import partial, reduce
from typing import Any

import torch
from torch.fx import Node
from torch.fx.experimental.symbolic_shapes import statically_known_true

from affnet.export.fourier.rewrite.emitter import Emitter
from affnet.export.fourier.rewrite.registry import Call, complex_rule, real_rule
from affnet.export.fourier.rewrite.signal_frames import Frames
from affnet.export.fourier.rewrite.values import Complex

aten = torch.ops.aten


_WINDOWS = (
    aten.bartlett_window,
    aten.blackman_window,
    aten.hamming_window,
    aten.hann_window,
    aten.kaiser_window,
)

# A frame of more blocks is picked by index: so many slices would cost more.
_MAX_BLOCKS = 32


@real_rule(
    aten.fft_fftfreq.default,
    aten.fft_rfftfreq.default,
    *(
        getattr(window, name)
        for window in _WINDOWS
        for name in window.overloads()  # type: ignore[no-untyped-call]
        if not name.endswith("out")
    ),
)
def _constant(call: Call) -> Any:
    """A window, or the list of frequencies, is a constant."""
    target: Any = call.node.target
    if any(isinstance(value, Node) for value in (*call.args, *call.kwargs.values())):
        call.emitter.refuse("its length is dynamic; export it with a fixed one")
    settings = {key: value for key, value in call.kwargs.items() if key != "device"}
    name = "_".join([target._schema.name.split("::")[1], *map(str, call.args)])
    name = "".join(letter if letter.isalnum() else "_" for letter in name)
    name += f"_f{torch.finfo(call.node.meta['val'].dtype).bits}"
    return call.emitter.constant(name, lambda: target(*call.args, **settings))


@real_rule(aten.unfold.default)
def _unfold(call: Call) -> Any:
    """Cut frames, and note what they are: see `framed`."""
    x, _, size, step = call.args
    result = _cut_frames(call)
    if result is not NotImplemented:
        call.emitter.frames[result] = Frames(x, result, size, step)
    return result


def _cut_frames(call: Call) -> Any:
    """Cut frames, [.., L] -> [.., frames, size]: frame f starts at f * step.

    The signal in blocks of a step, frame f is the blocks f, f + 1, .. side by side, without what
    they have beyond its size.  Of many blocks it is index_select with [frame * step + k].
    """
    x, axis, size, step = call.args
    value = x.meta["val"]
    length, rank = value.shape[axis], value.dim()
    if axis % rank != rank - 1:
        return NotImplemented  # exact as it is, though fewer converters take it
    if not isinstance(length, int):
        return _frames_of_any_length(call)
    frames, blocks = (length - size) // step + 1, -(-size // step)
    if blocks > _MAX_BLOCKS:
        return _picked_frames(call, frames)
    shape = call.emitter.sizes(call.want)
    have = (frames + blocks - 1) * step
    if have < length:
        x = call.emitter.call(aten.slice.Tensor, x, rank - 1, 0, have)
    x = _padded(call.emitter, x, [0, max(0, have - length)])
    rows = call.emitter.call(aten.view.default, x, [*shape[:-2], have // step, step])
    return _side_by_side(
        call.emitter, rows, size, step, [block + frames for block in range(blocks)]
    )


def _frames_of_any_length(call: Call) -> Any:
    """Cut frames of a signal whose length is open: padded, so that each has all its blocks."""
    x, _, size, step = call.args
    emit, rank = call.emitter.call, x.meta["val"].dim()
    blocks = -(-size // step)
    if blocks > _MAX_BLOCKS:
        return NotImplemented
    length = emit(aten.sym_size.int, x, rank - 1)
    starts = emit(operator.floordiv, emit(operator.sub, length, size), step)
    have = emit(operator.mul, emit(operator.add, starts, blocks), step)
    *before, _ = call.emitter.sizes(x.meta["val"])
    x = _padded(call.emitter, x, [0, blocks * step - size])
    x = emit(aten.slice.Tensor, x, rank - 1, 0, have)
    rows = emit(aten.view.default, x, [*before, emit(operator.add, starts, blocks), step])
    ends = [emit(operator.add, starts, block + 1) for block in range(blocks)]
    return _side_by_side(call.emitter, rows, size, step, ends)


def _side_by_side(
    emitter: Emitter, rows: Node, size: int, step: int, ends: Sequence[int | Node]
) -> Node:
    """Return frames of ``size``: block b of all is ``rows``, [.., blocks, step], to ``ends[b]``."""
    rank = rows.meta["val"].dim() - 1
    pieces = []
    for block, last in enumerate(ends):
        piece = emitter.call(aten.slice.Tensor, rows, rank - 1, block, last)
        if (end := size - block * step) < step:
            piece = emitter.call(aten.slice.Tensor, piece, rank, 0, end)
        pieces.append(piece)
    return pieces[0] if len(pieces) == 1 else emitter.call(aten.cat.default, pieces, rank)


def _picked_frames(call: Call, frames: int) -> Node:
    x, _, size, step = call.args
    rank = x.meta["val"].dim()

    def indices() -> torch.Tensor:
        starts = torch.arange(frames)[:, None] * step
        return torch.flatten(starts + torch.arange(size))

    index = call.emitter.constant(f"frames_{frames}_{size}_{step}", indices)
    picked = call.emitter.call(aten.index_select.default, x, rank - 1, index)
    return call.emitter.call(aten.view.default, picked, call.emitter.sizes(call.want))


@real_rule(aten.unfold_backward.default)
def _overlap_add(call: Call) -> Any:
    """Add frames up where they overlap: [.., frames, size] -> [.., L].

    With the size a multiple of the step (zeros make it one), a frame is k = size / step blocks,
    and block j of frame f falls on block f + j of the signal: the sum of k shifted copies.
    """
    x, sizes, axis, size, step = call.args
    value, rank = x.meta["val"], len(sizes)
    frames, length = value.shape[-2], call.want.shape[-1]
    if axis % rank != rank - 1:
        return NotImplemented
    is_open = not isinstance(frames, int) or not isinstance(length, int)
    if is_open and not statically_known_true(length == (frames - 1) * step + size):
        return NotImplemented
    blocks = -(-size // step)
    x = _padded(call.emitter, x, [0, blocks * step - size])
    pieces = []
    for block in range(blocks):
        piece = call.emitter.call(aten.slice.Tensor, x, -1, block * step, (block + 1) * step)
        pieces.append(_padded(call.emitter, piece, [0, 0, block, blocks - 1 - block]))
    total = reduce(partial(call.emitter.call, aten.add.Tensor), pieces)
    before = call.emitter.sizes(value)[:-2]
    if is_open:
        emit = call.emitter.call
        have = emit(operator.mul, emit(aten.sym_size.int, total, total.meta["val"].dim() - 2), step)
        flat = emit(aten.view.default, total, [*before, have])
        if beyond := blocks * step - size:
            flat = emit(aten.slice.Tensor, flat, -1, 0, emit(operator.sub, have, beyond))
        return call.emitter.fit(flat, call.want)
    have = (frames + blocks - 1) * step
    flat = call.emitter.call(aten.view.default, total, [*before, have])
    if have > length:
        flat = call.emitter.call(aten.slice.Tensor, flat, -1, 0, length)
    flat = _padded(call.emitter, flat, [0, max(0, length - have)])
    # the operator broadcasts: istft gives the frames of one window for a batch of signals
    return call.emitter.fit(flat, call.want)


def _padded(emitter: Emitter, x: Node, amounts: list[int]) -> Node:
    return emitter.call(aten.constant_pad_nd.default, x, amounts) if any(amounts) else x


@real_rule(aten.as_strided.default)
def _as_strided(call: Call) -> Any:
    """Strides speak of memory, which the new graph lays out in its own way: pick by index.

    as_strided(x, sizes, strides, offset) -> index_select(view(x, [-1]), indices) -> view(sizes)

    Frames of the last axis, which is how torch's STFT asks for them, are cut as such.
    """
    x, sizes, strides = call.args[:3]
    before: torch.Tensor = call.node.all_input_nodes[0].meta["val"]
    offset: Any = call.argument(3, "storage_offset")
    offset = before.storage_offset() if offset is None else offset
    numbers: Sequence[Any] = (*before.shape, *before.stride(), *sizes, *strides, offset)
    if not all(isinstance(number, int) for number in numbers):
        call.emitter.refuse("as_strided with a dynamic size or stride has no rule; use unfold")
    if _is_unfold(before, sizes, strides, int(offset)):
        frames = replace(call, args=(x, before.dim() - 1, sizes[-1], strides[-2]))
        return _complex_frames(frames) if isinstance(x, Complex) else _unfold(frames)
    own = _addresses(before.shape, before.stride(), int(before.storage_offset()))
    wanted = _addresses(sizes, strides, int(offset))
    places = torch.full((int(max([-1, *own.tolist(), *wanted.tolist()])) + 1,), -1)
    places[own] = torch.arange(own.numel())
    indices = places[wanted]
    if indices.numel() and int(indices.min()) < 0:
        call.emitter.refuse("as_strided reaches beyond its argument, which has no rule; use unfold")
    numbers = (*sizes, *strides, offset, "of", *before.stride(), before.storage_offset())
    name = "strided_" + "_".join(map(str, numbers))
    index = call.emitter.constant(name, lambda: indices)

    def pick(part: Node) -> Node:
        flat = call.emitter.call(aten.view.default, part, [before.numel()])
        picked = call.emitter.call(aten.index_select.default, flat, 0, index)
        return call.emitter.call(aten.view.default, picked, list(sizes))

    if isinstance(x, Complex):
        return call.emitter.result(pick(x.real), pick(x.imag))
    return pick(x)


def _is_unfold(
    before: torch.Tensor, sizes: Sequence[int], strides: Sequence[int], offset: int
) -> bool:
    """Return whether ``as_strided`` gives all frames of the last axis of ``before``."""
    if before.dim() == 0 or len(sizes) != before.dim() + 1 or min(sizes) == 0:
        return False
    step, size, length = strides[-2], sizes[-1], before.shape[-1]
    same = (*strides[:-2], strides[-1]) == before.stride() and before.stride(-1) == 1
    given = (*sizes[:-2], sizes[-2]) == (*before.shape[:-1], (length - size) // max(step, 1) + 1)
    return same and given and step > 0 and offset == before.storage_offset()


def _addresses(sizes: Sequence[int], strides: Sequence[int], offset: int) -> torch.Tensor:
    """Return where in memory the elements of a tensor are, in the order of a contiguous one."""
    places = torch.tensor(offset)
    for size, stride in zip(sizes, strides, strict=True):
        places = places[..., None] + torch.arange(size) * stride
    return places.flatten()


complex_rule(aten.as_strided.default)(_as_strided)


@complex_rule(aten.unfold.default, aten.unfold_backward.default)
def _complex_frames(call: Call) -> Complex:
    rule = _overlap_add if call.node.target is aten.unfold_backward.default else _unfold
    parts = []
    for index in (0, 1):
        args = (call.args[0].part(index), *call.args[1:])
        part = rule(replace(call, args=args))
        if part is NotImplemented:
            part = call.emitter.call(call.node.target, *args)
        parts.append(part)
    return call.emitter.result(parts[0], parts[1])
