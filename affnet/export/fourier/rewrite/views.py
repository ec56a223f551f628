"""Real tensors that hold both parts of a complex one, taken apart before they are put together.

::

    view_as_real(z) -> select(-1, 0)                            the real part, nothing is stacked
    stack([a, b], -1) -> softshrink -> view_as_complex          softshrink(a), softshrink(b)
    z.imag = a: select_scatter(view_as_real(z), a, -1, 1)       the real part of z, and a
    zeros(.., 2); [.., 0] = a; view_as_complex                  a, and a part known to be zero

Beside the work it saves an axis: with a complex z of rank 5 the pair would be of rank 6, one more
than Core ML takes.
"""

from __future__ import annotations

from typing import Any

import torch
from torch._ops import OpOverload
from torch.fx import Node

from affnet.export.fourier.rewrite.boxes import on_boxes
from affnet.export.fourier.rewrite.embedding import is_embedded
from affnet.export.fourier.rewrite.emitter import undone
from affnet.export.fourier.rewrite.registry import Call, complex_rule, real_rule
from affnet.export.fourier.rewrite.values import Complex, RealView

aten = torch.ops.aten

# The operators whose rules take a `RealView` as it is; for all others it is built.
LOOK_THROUGH = (
    aten.view_as_complex.default,
    aten.select.int,
    aten.select_scatter.default,
    aten.copy.default,
    aten._assert_tensor_metadata.default,
)


@complex_rule(aten.view_as_real.default)
def _view_as_real(call: Call) -> RealView:
    return RealView(call.args[0])


@real_rule(aten.stack.default)
def _stack(call: Call) -> Any:
    """Two tensors along a new last axis are a pair, until someone needs it built."""
    tensors, last = call.args[0], call.want.dim() - 1
    if len(tensors) != 2 or call.argument(1, "dim", 0) % (last + 1) != last:
        return NotImplemented
    if len({tensor.meta["val"].dtype for tensor in tensors}) > 1:
        return NotImplemented  # stacking brings them to one type
    return RealView(Complex(call.emitter, parts=(tensors[0], tensors[1])))


@complex_rule(aten.view_as_complex.default)
def _view_as_complex(call: Call) -> Complex:
    value = call.args[0]
    if isinstance(value, RealView):
        return value.source
    if is_embedded(call.emitter, value):
        axis = value.meta["val"].dim() - 1
        parts = [on_boxes(call.emitter, aten.select.int, (value, axis, i), {}) for i in (0, 1)]
        if NotImplemented not in parts:
            return Complex(call.emitter, parts=(parts[0], parts[1]), whole=value)
    return Complex(call.emitter, whole=value)


@real_rule(aten.select.int)
def _select(call: Call) -> Any:
    value, rank = call.args[0], call.want.dim() + 1
    if isinstance(value, RealView) and call.args[1] % rank == rank - 1:
        return value.source.part(call.args[2] % 2)
    inner = None if isinstance(value, RealView) else undone(aten.select.int, call.args)
    return NotImplemented if inner is None else inner


@real_rule(aten.select_scatter.default)
def _select_scatter(call: Call) -> Any:
    """A part that is assigned is that part from there on, and the other stays."""
    value, assigned, axis, index = (*call.args, 0, 0)[:4]
    if not isinstance(value, RealView) or not isinstance(assigned, Node):
        return NotImplemented
    if call.kwargs or axis % call.want.dim() != call.want.dim() - 1:
        return NotImplemented
    other = value.source.part(1 - index % 2)
    parts = (other, assigned) if index % 2 else (assigned, other)
    return RealView(Complex(call.emitter, parts=parts))


@real_rule(aten.copy.default)
def _copy(call: Call) -> Any:
    """What is written over the whole of a tensor takes its place, in its shape and type."""
    value = call.args[1]
    if isinstance(value, RealView):
        source = call.node.args[1]
        assert isinstance(source, Node)
        want = source.meta["val"]
        alike = want.dtype == call.want.dtype and str(want.shape) == str(call.want.shape)
        return value if alike else NotImplemented
    return call.emitter.fit(value, call.want)


@real_rule(aten.view.default)
def _view(call: Call) -> Any:
    """A view of the shape that its tensor had before it was viewed otherwise is that tensor."""
    source, want = call.args[0], list(map(str, call.want.shape))
    while source.op == "call_function":
        if list(map(str, source.meta["val"].shape)) == want:
            return source
        if source.target not in (aten.view.default, aten.unsqueeze.default):
            break
        source = source.args[0]
    return NotImplemented


@real_rule(aten._assert_tensor_metadata.default)
def _assertion(call: Call) -> Any:
    """Drop the check that an export puts before each cast, if it alone would have a pair built."""
    return None if isinstance(call.args[0], RealView) else NotImplemented


def pointwise(call: Call) -> Any:
    """Apply an elementwise operator to both parts, if its tensors are pairs of the same shape."""
    target = call.node.target
    values = (*call.args, *call.kwargs.values())
    pairs = [value for value in values if isinstance(value, RealView)]
    if not pairs or not isinstance(target, OpOverload):
        return NotImplemented
    if not isinstance(call.node.meta.get("val"), torch.Tensor):  # an assertion has none
        return NotImplemented
    tags = target.tags
    if torch.Tag.pointwise not in tags or torch.Tag.nondeterministic_seeded in tags:
        return NotImplemented
    if any(isinstance(value, Node | list | tuple) for value in values):
        return NotImplemented  # another tensor would have to be split along the trailing axis too
    if "memory_format" in call.kwargs:
        return NotImplemented  # it counts axes
    shapes = {str(tuple(node.meta["val"].shape)) for node in call.node.all_input_nodes}
    if shapes != {str(tuple(call.want.shape))}:
        return NotImplemented

    def apply(index: int) -> Node:
        def part(value: Any) -> Any:
            return value.source.part(index) if isinstance(value, RealView) else value

        kwargs = {key: part(value) for key, value in call.kwargs.items()}
        return call.emitter.call(target, *map(part, call.args), **kwargs)

    return RealView(Complex(call.emitter, parts=(apply(0), apply(1))))
