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
from collections.abc import Sequence
from dataclasses import dataclass

from affnet.errors import ConversionError

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
    """What of this package's networks stays in float.

    That are the parts of ``parts``, and those that ``modules`` have a share in.
    """

    parts: frozenset[str] = frozenset()
    modules: tuple[str, ...] = ()

    def keeps(self, modules: Sequence[str], operator: str) -> bool:
        """Return whether an operator stays in float.

        Args:
            modules: those that it computes for, by their paths, the one of its result first.
            operator: what `part_of` takes.
        """
        part = part_of(next(iter(modules), ""), operator)
        path = f"{part.partition(':')[0]}."
        return part in self.parts or any(
            path.startswith(f"{module}.") or f"{module}.".startswith(path)
            for module in self.modules
        )


@dataclass(frozen=True)
class KeptModules:
    """What of a network of the user's own stays in float.

    That are ``modules`` with all that is in them, and what is not of the modules ``quantized``.
    """

    modules: tuple[str, ...] = ()
    quantized: frozenset[str] | None = None  # None: all that may be

    def keeps(self, modules: Sequence[str], operator: str) -> bool:
        """Return whether an operator stays in float; see `KeptParts.keeps`."""
        named = any(f"{path}.".startswith(f"{kept}.") for path in modules for kept in self.modules)
        return named or (self.quantized is not None and self.quantized.isdisjoint(modules))


Kept = KeptParts | KeptModules
NOTHING_KEPT = KeptParts()


def check_some_quantized(name: str, some: bool) -> None:
    """Refuse a file that is to compute in 8 bits and in which nothing does.

    Raises:
        ConversionError: it is not ``some`` operator at least.
    """
    if not some:
        raise ConversionError(
            f"Nothing of {name} is in 8 bits, as no layer with weights enough was found in what "
            "was converted; export it in fp32 or fp16."
        )


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
