"""Building the new graph node by node, with the shapes and types of every node."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NoReturn

import torch
from torch._dispatch.python import enable_python_dispatcher
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.export.graph_signature import InputKind, InputSpec, TensorArgument
from torch.fx import Graph, Node
from torch.fx.node import map_aggregate

from affnet.errors import RewriteError, UsageError
from affnet.export.fourier.costs import LEFT_PRODUCTS, speed_of
from affnet.export.fourier.rewrite.embedding import Embedding
from affnet.export.fourier.rewrite.ranges import Ranges
from affnet.export.fourier.rewrite.signal_frames import Frames
from affnet.export.fourier.rewrite.values import Complex, Part, real_dtype
from affnet.model.stack_traces import source_line

aten = torch.ops.aten

_KEPT_META = ("stack_trace", "nn_module_stack", "source_fn_stack", "torch_fn")


def refusal(node: Node, reason: str) -> RewriteError:
    """Return the error for a node that cannot be rewritten: its name, operator, reason, source."""
    line = source_line(node)
    where = f", from {line}" if line else ""
    return RewriteError(
        f"Node {node.name!r} ({node.target}){where} cannot be rewritten in real arithmetic: "
        f"{reason}."
    )


def wrong_length(node: Node, reason: str, remedy: str) -> UsageError:
    """Return the error for a transform of a length that no file can have."""
    return UsageError(refusal(node, reason).problem, remedy)


def undone(operator: Any, args: tuple[Any, ...]) -> Node | None:
    """Return what ``operator(*args)`` is where it takes back the operator that made its argument.

    That is a transpose of the same axes again, or the only index of an axis of length 1 that was
    just made.
    """
    node, *axes = args
    if operator is aten.transpose.int and node.target is operator:
        rank = node.meta["val"].dim()
        same = {axis % rank for axis in axes} == {axis % rank for axis in node.args[1:]}
    elif operator is aten.select.int and node.target is aten.unsqueeze.default:
        rank = node.meta["val"].dim()
        same = axes[0] % rank == node.args[1] % rank
    else:
        return None
    return node.args[0] if same else None


class Emitter:
    """Appends real-valued nodes to a graph and keeps the constants they need.

    Every node is evaluated on fake tensors as it is made, so that shapes, types and strides in
    the new graph are those of the new operators, not copies of what the old ones had.
    """

    def __init__(
        self, fake_mode: FakeTensorMode, half: bool = False, runtime: str = "onnxruntime"
    ) -> None:
        self.graph = Graph()
        self.half = half  # whether the values between will be float16
        self.speed = speed_of(runtime)
        self.left_products = runtime in LEFT_PRODUCTS
        self.values: dict[Node, Any] = {}  # what stands in the new graph for each old node
        self.embeddings: dict[Node, Embedding] = {}  # new nodes that are zero outside a box
        self.frames: dict[Node, Frames] = {}  # new nodes that are frames of a signal
        self.moduli: set[Node] = set()  # new nodes that are the square root of a sum of squares
        self.known: dict[Node, torch.Tensor | None] = {}  # values of new nodes, where asked for
        self.known_before: dict[Node, Any] = {}  # those of old nodes, of weights to begin with
        self.live: Mapping[Node, Mapping[int, Ranges]] = {}  # old nodes of which not all is read
        self.signed_zeros = False  # whether what is computed depends on the signs of zeros
        self.fake_mode = fake_mode
        self.source: Node | None = None  # the old node that is being rewritten
        self.constants: dict[str, torch.Tensor] = {}
        self.constant_nodes: dict[str, Node] = {}
        self.first_input: Node | None = None  # constants are placed before it
        self.taken: set[str] = set()  # names of the program's own tensors
        self._lengths: dict[str, Node] = {}  # the node of each symbolic length asked for

    def call(self, operator: Any, *args: Any, **kwargs: Any) -> Node:
        """Append ``operator(*args, **kwargs)`` and return its node."""
        if operator is aten.view.default:
            args = (self._viewable(args[0], args[1]), args[1])
        if (inner := undone(operator, args)) is not None:
            return inner
        value = self.evaluate(operator, args, kwargs)
        return self.append(operator, args, kwargs, value)

    def append(self, operator: Any, args: Any, kwargs: dict[str, Any], value: Any) -> Node:
        """Append a call whose fake ``value`` is known."""
        node = self.graph.call_function(operator, args, kwargs)
        node.meta["val"] = value
        if self.source is not None:
            meta = self.source.meta
            node.meta.update({key: meta[key] for key in _KEPT_META if key in meta})
        return node

    def evaluate(self, operator: Any, args: Any, kwargs: Any) -> Any:
        """Return the fake result of a call on nodes of the new graph."""

        def fake(value: Any) -> Any:
            return value.meta["val"] if isinstance(value, Node) else value

        with self.fake_mode, enable_python_dispatcher(), torch.no_grad():
            return operator(*map_aggregate(args, fake), **map_aggregate(kwargs, fake))

    def _viewable(self, node: Node, shape: Any) -> Node:
        """Return ``node``, laid out anew if its strides, which may not be the old ones, forbid."""
        value = node.meta["val"]
        try:
            if all(isinstance(length, int) for length in (*value.shape, *value.stride(), *shape)):
                # fake tensors, of torch 2.13 at least, take views that no others do
                torch.empty_strided(value.shape, value.stride(), device="meta").view(*shape)
            else:
                self.evaluate(aten.view.default, (node, shape), {})
        except (RuntimeError, ValueError):
            return self.call(aten.clone.default, node, memory_format=torch.contiguous_format)
        return node

    def placeholder(self, name: str) -> Node:
        """Append an input called ``name``, or a similar name where fx reserves it: ``input_1``."""
        node = self.graph.placeholder(name)
        node.target = node.name  # by which the code that fx generates calls it
        return node

    def constant(self, name: str, make: Callable[[], torch.Tensor]) -> Node:
        """Return the node of the constant ``name``, made and stored at its first use."""
        if name not in self.constants:
            target = name
            while target in self.taken:
                target += "_"
            tensor = make().contiguous()
            with self._before_inputs():
                node = self.placeholder(f"b_{target}")
            node.meta["val"] = self.fake_mode.from_tensor(tensor, static_shapes=True)
            self.constants[name], self.constant_nodes[name] = tensor, node
            self.known[node] = tensor
            node.meta["constant_target"] = target
        return self.constant_nodes[name]

    def _before_inputs(self) -> Any:
        if self.first_input is not None:
            return self.graph.inserting_before(self.first_input)
        placeholders = [node for node in self.graph.nodes if node.op == "placeholder"]
        if placeholders:
            return self.graph.inserting_after(placeholders[-1])
        # the root stands before all nodes: inserting before its successor is inserting first
        return self.graph.inserting_before(next(iter(self.graph.nodes), None))

    def constant_specs(self) -> dict[str, tuple[InputSpec, torch.Tensor]]:
        """Return, by placeholder name, the signature and value of each constant still in use."""
        specs = {}
        for name, node in self.constant_nodes.items():
            if node.users:
                target = node.meta.pop("constant_target")
                spec = InputSpec(InputKind.BUFFER, TensorArgument(node.name), target, False)
                specs[node.name] = spec, self.constants[name]
            else:
                self.graph.erase_node(node)
        return specs

    def refuse(self, reason: str) -> NoReturn:
        """Raise the `RewriteError` for the node that is being rewritten."""
        raise refusal(self.current(), reason)

    @property
    def want(self) -> torch.Tensor:
        """The fake tensor that the node being rewritten gave in the old graph."""
        value: torch.Tensor = self.current().meta["val"]
        return value

    def current(self) -> Node:
        """Return the old node that is being rewritten."""
        if self.source is None:
            raise RuntimeError("no node is being rewritten")
        return self.source

    def result(self, real: Part, imag: Part) -> Complex:
        """Return a complex result with the shape and type that the old node's result had."""
        return Complex(self, parts=(self.fit(real, self.want), self.fit(imag, self.want)))

    def fit(self, part: Part, want: torch.Tensor) -> Node:
        """Give ``part`` the type and, by expanding it, the shape of (a part of) ``want``."""
        dtype = real_dtype(want.dtype)
        if not isinstance(part, Node):
            sizes = self.sizes(want)
            value = 0.0 if part is None else part
            node = self.call(aten.full.default, sizes, value, dtype=dtype, device=want.device)
            if part is None:
                self.embeddings[node] = Embedding(None)
            return node
        if part.meta["val"].dtype != dtype:
            part = self.call(aten._to_copy.default, part, dtype=dtype)
        have = part.meta["val"].shape
        if len(have) != want.dim() or any(
            str(a) != str(b) for a, b in zip(have, want.shape, strict=True)
        ):
            part = self.call(aten.expand.default, part, self.sizes(want))
        return part

    def sizes(self, want: torch.Tensor) -> list[int | Node]:
        """Return the shape of ``want``, with a node for every symbolic length."""
        return [self._size(length) for length in want.shape]

    def _size(self, length: int | torch.SymInt) -> int | Node:
        if isinstance(length, int):
            return length
        name = str(length)
        if name not in self._lengths:
            self._lengths[name] = self._find_length(name)
        return self._lengths[name]

    def _find_length(self, name: str) -> Node:
        nodes: list[Node] = list(self.graph.nodes)  # inputs come first
        for node in nodes:
            value = node.meta.get("val")
            if isinstance(value, torch.SymInt) and str(value) == name:
                return node
            if isinstance(value, torch.Tensor):
                shape = list(map(str, value.shape))
                if name in shape:
                    return self.call(aten.sym_size.int, node, shape.index(name))
        self.refuse(
            "the values of the input decide the size of its result; choose between values with "
            "torch.where(mask, a, b) in place of x[mask]"
        )

    def cast(self, node: Node, dtype: torch.dtype) -> Node:
        """Return ``node`` in ``dtype``."""
        if node.meta["val"].dtype == dtype:
            return node
        return self.call(aten._to_copy.default, node, dtype=dtype)
