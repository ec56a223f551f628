"""The parts of a network that get a precision of their own.

A part is named by the module it belongs to, as the state dict names it; an AFF filter has several,
because its products, its mask and the spectrum's product have ranges of their own::

    layer_1.0                              an inverted residual
    layer_3.1.global_rep.0.mlp             the channel mixer of an AFF block
    layer_3.1.global_rep.0.filter: DFT     its transforms' products with constants
    layer_3.1.global_rep.0.filter: mask    the channel MLP that predicts the mask
    layer_3.1.global_rep.0.filter: shrinkage
    layer_3.1.global_rep.0.filter: product of the spectrum with its mask
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_WRAPPED = "network."  # of a network with a head, or with channels last
_FILTER = re.compile(r"^(.*?\bfilter)(?:\.|$)")
_PARTS = {
    "conv": "mask",
    "linear": "DFT",
    "matmul": "DFT",
    "silu": "mask",
    "sigmoid": "mask",
    "clamp": "shrinkage",
    "sub": "shrinkage",
    "mul": "product",
    "add": "product",
    "cat": "product",
}


@dataclass(frozen=True)
class KeptParts:
    """Parts that stay in float: those of ``parts``, and those that ``modules`` have a share in."""

    parts: frozenset[str] = frozenset()
    modules: tuple[str, ...] = ()

    def __contains__(self, part: str) -> bool:
        path = f"{part.partition(':')[0]}."
        return part in self.parts or any(
            path.startswith(f"{module}.") or f"{module}.".startswith(path)
            for module in self.modules
        )


NOTHING_KEPT = KeptParts()


def part_of(module: str, operator: str) -> str:
    """Return the part that an operator belongs to.

    Args:
        module: the path of the module that calls it, ``layer_1.0.block.exp_1x1.block.conv``.
        operator: what it is, a key of the parts of a filter: conv, linear, matmul, mul, ...
    """
    while module.startswith(_WRAPPED):
        module = module.removeprefix(_WRAPPED)
    if found := _FILTER.match(module):
        if module.endswith(".act"):  # SiLU is a product, too
            operator = "silu"
        return f"{found[1]}: {_PARTS.get(operator, 'product')}"
    return module.partition(".block")[0] or operator
