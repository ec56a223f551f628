"""Choosing, for every node of the old graph, how it comes into the new one."""

from __future__ import annotations

from typing import Any

import torch
from torch._ops import HigherOrderOperator
from torch.fx import Node
from torch.fx.node import map_aggregate

# The rules register themselves; where two families name one operator the later one holds, and
# none do today.
from affnet.export.fourier.rewrite import (  # noqa: F401
    arithmetic,
    creation,
    fft,
    frames,
    functions,
    products,
    shapes,
    views,
)
from affnet.export.fourier.rewrite.boxes import on_boxes
from affnet.export.fourier.rewrite.decompose import is_complex, tensors
from affnet.export.fourier.rewrite.emitter import Emitter
from affnet.export.fourier.rewrite.known_values import value_of
from affnet.export.fourier.rewrite.registry import COMPLEX_RULES, REAL_RULES, Call
from affnet.export.fourier.rewrite.scaling import apply_scaled
from affnet.export.fourier.rewrite.values import Complex, RealView, Scaled, real_dtype


class NodeRewriter:
    """The values of the old nodes in the new graph, and the making of the next one."""

    def __init__(self, emitter: Emitter) -> None:
        self.emitter = emitter
        self.values = emitter.values
        self.fixed: set[Node] = set()  # old nodes that no rule holds, and that weights alone decide

    def rewrite(self, node: Node) -> None:
        """Bring ``node`` into the new graph.

        Raises:
            ConversionError: it touches a complex value and no rule holds it.
        """
        self.emitter.source = node
        if node.op == "get_attr":
            self.values[node] = self._copy(node)
            return
        if node in self.fixed:
            self.values[node] = self._constant(node)
            return
        args, kwargs = self._mapped(node.args), self._mapped(node.kwargs)
        if is_complex(node) or any(map(is_complex, node.all_input_nodes)):
            result = self._by_rule(node, args, kwargs)
        else:
            result = self._by_real_rule(node, args, kwargs)
        self._check(node, result)
        self.values[node] = result

    def real(self, node: Node) -> Node:
        """Return what stands for an old node where one real tensor must."""
        value = self.values[node]
        if isinstance(value, RealView):
            value = value.source
        return value.whole if isinstance(value, Complex) else value

    def _mapped(self, arguments: Any) -> Any:
        def new(value: Any) -> Any:
            return self.values[value] if isinstance(value, Node) else value

        return map_aggregate(arguments, new)

    def _by_rule(self, node: Node, args: Any, kwargs: Any) -> Any:
        rule = COMPLEX_RULES.get(node.target)
        if rule is None and value_of(node, self.emitter.known_before) is not None:
            return self._constant(node)
        if rule is None:
            if isinstance(node.target, HigherOrderOperator):
                self.emitter.refuse(
                    "complex values go into or come out of a nested graph; pass it real ones "
                    "(torch.view_as_real), or choose between results with torch.where"
                )
            self.emitter.refuse(
                "no rule is known for this operator on complex values; write it with z.real and "
                "z.imag, or with arithmetic, exp, log, sqrt, abs and angle, which have one"
            )
        built = self._built(node, args), self._built(node, kwargs)
        return apply_scaled(rule, Call(self.emitter, node, *built))

    def _constant(self, node: Node) -> Any:
        """Return what weights alone decide as a constant; of several results each one's user is."""
        value = value_of(node, self.emitter.known_before)
        if not isinstance(value, torch.Tensor):
            self.fixed.update(node.users)
            return None
        name = f"known_{node.name}"
        if not value.is_complex():
            return self.emitter.constant(name, value.detach)
        parts = torch.view_as_real(value.detach().resolve_conj())
        return Complex(self.emitter, whole=self.emitter.constant(name, lambda: parts))

    def _by_real_rule(self, node: Node, args: Any, kwargs: Any) -> Any:
        result = views.pointwise(Call(self.emitter, node, args, kwargs))
        if result is not NotImplemented:
            return result
        if not any(isinstance(value, RealView) for value in args):
            result = on_boxes(self.emitter, node.target, args, kwargs)
            if result is not NotImplemented:
                return result
        rule = REAL_RULES.get(node.target)
        if rule is not None:
            built = self._built(node, args), self._built(node, kwargs)
            result = rule(Call(self.emitter, node, *built))
            if result is not NotImplemented:
                return result
        return self._unchanged(node)

    def _built(self, node: Node, arguments: Any) -> Any:
        """Build the `RealView` arguments of all but the rules that look through them."""
        if node.target in views.LOOK_THROUGH:
            return arguments

        def build(value: Any) -> Any:
            return value.source.whole if isinstance(value, RealView) else value

        return map_aggregate(arguments, build)

    def _unchanged(self, node: Node) -> Node:
        """Copy a real node, evaluating it anew if what goes into it is laid out differently.

        A nested graph is copied as it is: nothing complex is in it or comes near it.
        """
        if isinstance(node.target, HigherOrderOperator) or not self._relaid(node):
            return self._copy(node)
        args: Any = map_aggregate(node.args, self._real_argument)
        kwargs: Any = map_aggregate(node.kwargs, self._real_argument)
        return self.emitter.call(node.target, *args, **kwargs)

    def _real_argument(self, value: Any) -> Any:
        return self.real(value) if isinstance(value, Node) else value

    def _copy(self, node: Node) -> Node:
        return self.emitter.graph.node_copy(node, self.real)

    def _relaid(self, node: Node) -> bool:
        """Return whether an argument's strides in the new graph are not those of the old one."""
        for source in node.all_input_nodes:
            old = list(tensors(source.meta.get("val")))
            new = list(tensors(self.real(source).meta.get("val")))
            if [str(a.stride()) for a in old] != [str(b.stride()) for b in new]:
                return True
        return False

    def _check(self, node: Node, result: Any) -> None:
        """Compare shape and type with the old node's: a rule at fault is found where it errs."""
        want = node.meta.get("val")
        if not isinstance(want, torch.Tensor) or result is None:
            return
        result = result.bare if isinstance(result, Scaled) else result
        nodes = [result.real, result.imag] if isinstance(result, Complex) else [result]
        if isinstance(result, RealView):
            return
        for new in nodes:
            have = new.meta["val"]
            same_shape = [str(n) for n in have.shape] == [str(n) for n in want.shape]
            if not same_shape or have.dtype != real_dtype(want.dtype):
                self.emitter.refuse(
                    f"its rule made {have.dtype} {list(have.shape)} in the place of "
                    f"{want.dtype} {list(want.shape)}, which is a bug in affnet; "
                    "report this network"
                )
