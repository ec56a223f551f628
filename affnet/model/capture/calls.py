"""What is known of a single ATen call and its tensors: what it views, writes and decides."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from typing import Any

import torch
from torch import Tensor, nn
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils import _pytree as pytree

aten = torch.ops.aten

_READERS = ("numpy", "tolist")
_INDEXED = (aten.index.Tensor, aten.index_put.default, aten.index_put_.default)


def has_subclass(types: Iterable[type]) -> bool:
    """Return whether tensors with a dispatch of their own are among those that a mode is told of.

    ``x.data`` tells it of plain ones as well.
    """
    return any(kind not in (Tensor, nn.Parameter) for kind in types)


def copied(values: Any) -> Any:
    """Return nested values with copies in the place of their tensors."""
    return pytree.tree_map(
        lambda leaf: leaf.detach().clone() if isinstance(leaf, Tensor) else leaf, values
    )


def is_sparse(value: Any) -> bool:
    """Return whether a value is a tensor that keeps some of its values only."""
    return isinstance(value, Tensor) and value.layout != torch.strided


def dense(values: Any) -> Any:
    """Return nested values with all values of their tensors."""
    return pytree.tree_map(lambda leaf: leaf.to_dense() if is_sparse(leaf) else leaf, values)


def named_tensors(network: nn.Module) -> Iterator[tuple[str, Tensor]]:
    """Yield the parameters and buffers of a network with their names."""
    yield from network.named_parameters()
    yield from network.named_buffers()


@contextmanager
def plain_kernels() -> Iterator[None]:
    """Have attention and recurrent layers computed by operators that converters know."""
    fast = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with torch.backends.mkldnn.flags(enabled=False):
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)


@contextmanager
def reads_noted(note: Callable[[Tensor], None]) -> Iterator[None]:
    """Call ``note`` with each tensor whose memory Python or NumPy reads: that is no ATen call."""
    readers: dict[str, Callable[..., Any]] = {name: getattr(Tensor, name) for name in _READERS}

    def noting(read: Callable[..., Any]) -> Callable[..., Any]:
        def noted(tensor: Tensor, *args: Any, **kwargs: Any) -> Any:
            note(tensor)
            return read(tensor, *args, **kwargs)

        return noted

    for name, read in readers.items():
        setattr(Tensor, name, noting(read))
    try:
        yield
    finally:
        for name in readers:
            delattr(Tensor, name)  # what it inherits is back


@contextmanager
def subclasses_of_results() -> Iterator[None]:
    """Let ``Subclass.__new__`` take a tensor that a dispatch mode made: torch refuses it.

    Such a tensor has a Python object of its own, which ``Tensor.__new__`` cannot turn into one of
    a subclass; another tensor of the same memory can be.
    """
    import_module("torch._dynamo")  # it looks at Tensor.__new__ when it is imported
    usual = Tensor.__new__

    def new(cls: type, *args: Any, **kwargs: Any) -> Any:
        if cls is Tensor or kwargs or len(args) != 1 or not isinstance(args[0], Tensor):
            return usual(cls, *args, **kwargs)
        return Tensor._make_subclass(cls, args[0], args[0].requires_grad)

    Tensor.__new__ = staticmethod(new)  # type: ignore[method-assign]
    try:
        yield
    finally:
        del Tensor.__new__  # what it inherits is back


def storage_of(tensor: Tensor) -> StorageWeakRef | None:
    """Return the identity of a tensor's memory; None if it has none of its own."""
    try:
        return StorageWeakRef(tensor.untyped_storage())  # type: ignore[no-untyped-call]
    except (NotImplementedError, RuntimeError):  # sparse, or of a subclass
        return None


def without_repeats(tensor: Tensor) -> Tensor:
    """Return one of what repeats along an axis, for all axes, bit by bit, to expand it again."""
    if not tensor.numel() or not tensor.is_contiguous():
        return tensor
    values = tensor.unsqueeze(-1).view(torch.uint8)
    repeats = [
        bool((values == values.narrow(axis, 0, 1)).all()) for axis in range(values.dim() - 1)
    ]
    return tensor[tuple(slice(1) if each else slice(None) for each in repeats)]


def layout_of(tensor: Tensor) -> tuple[Any, ...]:
    """Return how a tensor is laid out in its memory."""
    return tensor.shape, tensor.stride(), tensor.storage_offset(), tensor.dtype, tensor.is_conj()


def version_of(tensor: Tensor) -> int | None:
    """Return the count of writes to a tensor; None where it is not kept."""
    try:
        return tensor._version
    except RuntimeError:  # made in inference mode
        return None


def is_view(func: Any) -> bool:
    """Return whether an operator's result shares its first argument's memory, unwritten."""
    return any(
        result.alias_info is not None and not result.alias_info.is_write
        for result in func._schema.returns
    )


def written_arguments(func: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> list[Any]:
    """Return the arguments, tensors or nodes, that a call writes to."""
    names = [argument.name for argument in func._schema.arguments]
    given = {**dict(zip(names, args, strict=False)), **kwargs}
    return pytree.tree_leaves(
        [
            given.get(argument.name)
            for argument in func._schema.arguments
            if argument.alias_info is not None and argument.alias_info.is_write
        ]
    )


def with_fixed_shape(
    func: Any, args: tuple[Any, ...], is_live: Callable[[Any], bool]
) -> tuple[Any, tuple[Any, ...]]:
    """Return a call that picks by masks which are constants as one that picks by places."""
    if func is aten.masked_select.default and not is_live(args[1]):
        values, mask = args
        if torch.broadcast_shapes(values.shape, mask.shape) == values.shape:  # type: ignore[no-untyped-call]
            func, args = aten.index.Tensor, (values, [mask.expand(values.shape)])
    if func not in _INDEXED or any(is_live(index) for index in args[1] if _is_mask(index)):
        return func, args
    places: list[Any] = []
    for index in args[1]:
        places += index.nonzero(as_tuple=True) if _is_mask(index) else [index]
    return func, (args[0], places, *args[2:])


def has_open_shape(func: Any, args: tuple[Any, ...], is_live: Callable[[Any], bool]) -> bool:
    """Return whether the values of the input decide the shape of a call's result."""
    if torch.Tag.dynamic_output_shape not in func.tags or func is aten.linalg_lstsq.default:
        return False  # of least squares the residuals alone have no fixed size
    if func is aten.index.Tensor:
        return any(_is_mask(index) for index in args[1])
    if func is aten.repeat_interleave.Tensor:
        return is_live(args[0])
    return True


def _is_mask(index: Any) -> bool:
    return isinstance(index, Tensor) and index.dtype in (torch.bool, torch.uint8)
