"""Spectra held at the size of their signals, where values are float16.

An unscaled transform of an image of 256 x 256 has sums of 65,536 values: 8 million for pixels of
0..255, and float16 ends at 65,504.  Scaled by the root of that number it grows no noise, and a
constant by 256 only.  So a forward transform without factor is computed with 2^-e in its matrices,
2^e being about the root of its length, and its result is a `Scaled` value that remembers e.  Powers
of two change no digit.  What is linear passes e on::

    rfft2 -> X 2^-e -> times a filter -> X W 2^-e -> irfft2, with 2^e in its last matrix

and whoever asks for the parts themselves gets a multiplication by 2^e, as every other rule does.
"""

from __future__ import annotations

from typing import Any

import torch
from torch.fx import Node

from affnet.export.fourier.rewrite.registry import Call, Rule
from affnet.export.fourier.rewrite.shapes import PARTWISE_OF_ONE
from affnet.export.fourier.rewrite.values import Complex, Scaled

aten = torch.ops.aten

#: Linear in the first argument; the others have no scale.
_LINEAR = {
    *PARTWISE_OF_ONE,
    aten.neg.default,
    aten._neg_view.default,
    aten._conj.default,
    aten._conj_physical.default,
    aten.conj_physical.default,
}
#: The exponents of a product add up.
_PRODUCTS = {
    aten.mul.Tensor,
    aten.mul.Scalar,
    aten.mm.default,
    aten.bmm.default,
    aten.matmul.default,
    aten.einsum.default,
}
_QUOTIENTS = {aten.div.Tensor, aten.div.Scalar}
#: Linear in all arguments together, which must have the same scale.
_SUMS = {aten.add.Tensor, aten.sub.Tensor, aten.cat.default, aten.stack.default}
#: Where the scale makes no difference.
_INVARIANT = {aten.angle.default, aten.sgn.default}
#: Real results that scale as their argument.
_HOMOGENEOUS = {aten.abs.default, aten.linalg_vector_norm.default}


def apply_scaled(rule: Rule, call: Call) -> Any:
    """Apply a rule to what `Scaled` arguments hold, where its result then is `Scaled` alike.

    Any other rule gets the arguments as they are, and so their parts multiplied out.
    """
    values = _values(call.args)
    scaled = [value for value in values if isinstance(value, Scaled)]
    if not scaled:
        return rule(call)
    exponent = _exponent(call, values)
    if exponent is None:
        return rule(call)
    bare = Call(call.emitter, call.node, _bare(call.args), call.kwargs)
    result = rule(bare)
    if call.node.target in _INVARIANT:
        return result
    if isinstance(result, Node):
        return call.emitter.call(aten.mul.Tensor, result, 2.0**exponent)
    if isinstance(result, tuple):
        return tuple(Scaled.of(call.emitter, each, exponent) for each in result)
    return Scaled.of(call.emitter, result, exponent)


def _exponent(call: Call, values: list[Any]) -> int | None:
    """Return the exponent of the result of a rule on bare values, None if it has none."""
    target = call.node.target
    exponents = [value.exponent if isinstance(value, Scaled) else 0 for value in values]
    if target in _PRODUCTS:
        return sum(exponents)
    if target in _QUOTIENTS:
        return exponents[0] - sum(exponents[1:])
    if target in _LINEAR | _INVARIANT | _HOMOGENEOUS and not any(exponents[1:]):
        return exponents[0]
    if target in _SUMS and len(set(exponents)) == 1:
        return exponents[0]
    return None


def _values(arguments: Any) -> list[Any]:
    """Return the tensors and numbers among arguments that a rule computes with, in their order."""
    found: list[Any] = []
    for value in arguments:
        if isinstance(value, Complex | Node):
            found.append(value)
        elif isinstance(value, list | tuple):
            found += [each for each in value if isinstance(each, Complex | Node)]
        elif isinstance(value, complex | float):
            found.append(value)
    return found


def _bare(arguments: Any) -> Any:
    def bare(value: Any) -> Any:
        if isinstance(value, Scaled):
            return value.bare
        return type(value)(map(bare, value)) if isinstance(value, list | tuple) else value

    return tuple(map(bare, arguments))
