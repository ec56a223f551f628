"""A network as the ATen calls that one run of it makes, with real tensors.

Where ``torch.export`` runs a network on tensors without values, this runs it as it is, on its
example, and notes each call that the input has an influence on::

    def forward(self, x):
        window = self.cache(x.shape[-1])    nothing is noted: its result is a constant
        assert window.sum() > 0             nothing: it holds
        y = x * window                      mul(x, constant)
        y[:, 0] = 0                         select(y, 1, 0), fill_(.., 0)
        return y if y.sum() > 0 else -y     sum(y); that a number is taken is a doubt

What the input has no influence on is a value, computed once.  Memory that it has been written into
becomes part of the graph from there on, with the views of it.  Parameters and buffers keep their
names, with views of them, so that weights are stored as they were.
"""

from __future__ import annotations

import inspect
import operator
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from traceback import FrameSummary, StackSummary
from types import FrameType
from typing import Any

import torch
from torch import Tensor, nn
from torch.fx import Graph, Interpreter, Node
from torch.fx import traceback as fx_traceback
from torch.fx.graph_module import _assign_attr
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils import _pytree as pytree
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.weak import WeakTensorKeyDictionary

from affnet.model.arguments import signature_of
from affnet.model.capture.calls import (
    copied,
    dense,
    has_open_shape,
    has_subclass,
    is_view,
    layout_of,
    named_tensors,
    plain_kernels,
    reads_noted,
    storage_of,
    subclasses_of_results,
    version_of,
    with_fixed_shape,
    without_repeats,
    written_arguments,
)
from affnet.model.capture.module_calls import ModuleCalls
from affnet.model.export_failures import DependsOnValuesError
from affnet.model.stack_traces import place_of, users_frames

aten = torch.ops.aten

_HERE = str(Path(__file__).parent)


@dataclass(frozen=True)
class Recording:
    """A network of recorded calls, and the user's lines that took numbers from what they gave."""

    network: nn.Module
    doubts: tuple[str, ...]


def record(network: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Recording:
    """Run ``network`` once and return what it computed as a network of recorded calls.

    Raises:
        DependsOnValuesError: the values of the input decide the shape of a result.
        Exception: whatever the network raises.
    """
    recorder = _Recorder(network)
    args, kwargs = copied((args, kwargs))
    for number, leaf in enumerate(pytree.tree_leaves((args, kwargs))):
        recorder.input(leaf, number)
    reads = reads_noted(recorder.read)
    modules = recorder.modules.followed()
    with torch.no_grad(), plain_kernels(), reads, subclasses_of_results(), modules, recorder:
        result = network(*args, **kwargs)
    outputs, spec = pytree.tree_flatten(result)
    recorder.graph.output([recorder.value(leaf) for leaf in outputs])
    replay = _Replay(recorder.graph, recorder.tensors, spec, signature_of(network))
    return Recording(replay, tuple(dict.fromkeys(recorder.doubts)))


class _Replay(nn.Module):
    """The recorded calls as a network that takes and gives what the recorded one does."""

    def __init__(
        self,
        graph: Graph,
        tensors: dict[str, Tensor],
        spec: pytree.TreeSpec,
        signature: inspect.Signature,
    ) -> None:
        super().__init__()
        self.calls, self.spec = graph, spec
        for name, tensor in tensors.items():
            _assign_attr(tensor, self, name)

        def forward(*args: Any, **kwargs: Any) -> Any:
            return self._run(*pytree.tree_leaves((args, kwargs)))

        forward.__signature__ = signature  # type: ignore[attr-defined]  # it names the inputs
        self.forward = forward

    def _run(self, *leaves: Any) -> Any:
        interpreter = Interpreter(self, graph=self.calls)
        with fx_traceback.preserve_node_meta():  # each call's line of the user's
            results = interpreter.run(*leaves)
        return pytree.tree_unflatten(results, self.spec)


class _Recorder(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Notes the calls of one run.

    A tensor is *live* where the input has an influence on its memory; any other is a constant.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.graph = Graph()
        self.tensors: dict[str, Tensor] = {}  # of the graph's get_attr nodes
        self.doubts: list[str] = []
        self.nodes = WeakTensorKeyDictionary()  # of tensors that are memory of the graph
        self.constants = WeakTensorKeyDictionary()  # to (version, node)
        self.views = WeakTensorKeyDictionary()  # of constants, to _View
        self.live: dict[StorageWeakRef, dict[Any, Node]] = {}  # to nodes by their layout
        self.modules = ModuleCalls(network)
        self.named = {
            id(tensor): (name, version_of(tensor)) for name, tensor in named_tensors(network)
        }

    def input(self, leaf: Any, number: int) -> None:
        """Add a placeholder, for ``leaf`` if that is a tensor."""
        node = self.graph.placeholder(f"input_{number}")
        if isinstance(leaf, Tensor):
            self._keep(leaf, node)

    def read(self, tensor: Tensor) -> None:
        """Note the line that reads values of ``tensor``, if the input has an influence on them."""
        if self._is_live(tensor):
            self.doubts.append(place_of(_users_stack()))

    def value(self, leaf: Any) -> Any:
        """Return what stands for a value in the graph: a node for a tensor."""
        if not isinstance(leaf, Tensor):
            return leaf
        in_graph = leaf in self.nodes or self._is_live(leaf)
        return self._memory(leaf) if in_graph else self._constant(leaf)

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Run a call, and note it if the input has an influence on it."""
        if has_subclass(types):  # its own dispatch makes calls on plain tensors
            return NotImplemented
        kwargs = kwargs or {}
        if not any(map(self._is_live, pytree.tree_leaves((args, kwargs)))):
            result = func(*args, **kwargs)
            self._keep_views(result, func, args, kwargs)
            return result
        args, kwargs = dense((args, kwargs))
        func, args = with_fixed_shape(func, args, self._is_live)
        if has_open_shape(func, args, self._is_live):
            raise DependsOnValuesError(
                [place_of(_users_stack())], "they decide the size of a result"
            )
        return self._noted(func, args, kwargs)

    def _noted(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        written = [
            leaf for leaf in written_arguments(func, args, kwargs) if isinstance(leaf, Tensor)
        ]
        memories = [self._memory(tensor) for tensor in written]
        new_args, new_kwargs = pytree.tree_map(self.value, (args, kwargs))
        result = func(*args, **kwargs)
        stack = _users_stack()
        leaves = pytree.tree_leaves(result)
        if leaves and not any(isinstance(leaf, Tensor) for leaf in leaves):
            self.doubts.append(place_of(stack))
            return result
        node = self.graph.call_function(func, tuple(new_args), new_kwargs)
        node.meta["nn_module_stack"] = self.modules.stack()
        if stack:
            node.meta["stack_trace"] = "".join(StackSummary.from_list(stack).format())
        for tensor, memory in zip(written, memories, strict=True):
            self._keep(tensor, memory)
        if isinstance(result, Tensor):
            self._keep(result, node)
        else:
            for index, each in enumerate(result or ()):
                if isinstance(each, Tensor):
                    self._keep(each, self.graph.call_function(operator.getitem, (node, index)))
        return result

    def _keep(self, tensor: Tensor, node: Node) -> None:
        if tensor not in self.nodes:
            self.nodes[tensor] = node
        if (storage := storage_of(tensor)) is not None:
            self.live.setdefault(storage, {}).setdefault(layout_of(tensor), self.nodes[tensor])

    def _keep_views(self, result: Any, func: Any, args: Any, kwargs: dict[str, Any]) -> None:
        if not is_view(func):
            return
        if isinstance(result, Tensor):
            if result is not args[0]:  # lift_fresh() gives its argument itself
                self.views[result] = _View(func, args, kwargs, None)
            return
        for index, each in enumerate(result):
            self.views[each] = _View(func, args, kwargs, index)

    def _is_live(self, value: Any) -> bool:
        return isinstance(value, Tensor) and storage_of(value) in self.live

    def _memory(self, tensor: Tensor) -> Node:
        """Return the node of a tensor as memory that may be written to."""
        storage = storage_of(tensor)
        node: Node
        if tensor in self.nodes:
            node = self.nodes[tensor]
        elif tensor in self.views:
            node = self._viewed(self.views[tensor], self._memory)
        elif storage in self.live:  # another object of the same memory, as as_subclass() makes
            node = self.live[storage][layout_of(tensor)]
        elif self._is_untouched(tensor):
            node = self._stored(tensor, self.named[id(tensor)][0])
        else:
            node = self.graph.call_function(aten.clone.default, (self._snapshot(tensor),))
        self.nodes[tensor] = node
        return node

    def _constant(self, tensor: Tensor) -> Node:
        """Return the node of a tensor that is only read, as it is now."""
        node: Node
        if tensor in self.constants:
            version, node = self.constants[tensor]
            if version == version_of(tensor):
                return node
        if self._is_untouched(tensor):
            node = self._stored(tensor, self.named[id(tensor)][0])
        elif tensor in self.views and self._is_untouched(self._base(tensor)):
            node = self._viewed(self.views[tensor], self._constant)
        else:
            node = self._snapshot(tensor)
        self.constants[tensor] = (version_of(tensor), node)
        return node

    def _is_untouched(self, tensor: Tensor) -> bool:
        """Return whether it is a parameter or buffer that has its value from before the run."""
        name, version = self.named.get(id(tensor), (None, None))
        return name is not None and version == version_of(tensor)

    def _base(self, tensor: Tensor) -> Tensor:
        while tensor in self.views:
            tensor = self.views[tensor].args[0]
        return tensor

    def _viewed(self, view: _View, of: Callable[[Tensor], Node]) -> Node:
        base, *others = view.args
        node = self.graph.call_function(view.func, (of(base), *others), view.kwargs)
        if view.index is None:
            return node
        return self.graph.call_function(operator.getitem, (node, view.index))

    def _snapshot(self, tensor: Tensor) -> Node:
        name, part = f"constant_{len(self.tensors)}_of_run", without_repeats(tensor.detach())
        node = self._stored(part.clone(), name)
        if part.shape == tensor.shape:
            return node
        return self.graph.call_function(aten.expand.default, (node, list(tensor.shape)))

    def _stored(self, tensor: Tensor, name: str) -> Node:
        self.tensors[name] = tensor
        return self.graph.get_attr(name)


@dataclass(frozen=True)
class _View:
    """How a view of a constant was made: its base is the first argument."""

    func: Any
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    index: int | None  # among several results


def _users_stack() -> list[FrameSummary]:
    """Return the frames, oldest first, of the user's code that made the call being noted."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and frame.f_code.co_filename.startswith(_HERE):
        frame = frame.f_back
    frames: list[FrameSummary] = []
    while frame is not None:
        code = frame.f_code
        frames.append(
            FrameSummary(code.co_filename, frame.f_lineno, code.co_name, lookup_line=False)
        )
        frame = frame.f_back
    return users_frames(reversed(frames))
