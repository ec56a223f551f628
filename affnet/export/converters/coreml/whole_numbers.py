"""Quotients of lengths that are open, in Core ML's types.

coremltools makes ``length // step`` a float32, as torch once did, and stops where a shape holds it
beside whole numbers; of more than 2^24 it would be another number.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

_TORCH = "coremltools.converters.mil.frontend.torch"


@contextmanager
def whole_quotients() -> Iterator[None]:
    """Have the quotient of whole numbers stay one."""
    known = import_module(f"{_TORCH}.torch_op_registry")._TORCH_OPS_REGISTRY.name_to_func_mapping
    if (floor_divide := known.get("floordiv")) is None:
        yield
        return
    known["floordiv"] = _whole(floor_divide)
    try:
        yield
    finally:
        known["floordiv"] = floor_divide


def _whole(floor_divide: Any) -> Any:
    mil: Any = import_module("coremltools.converters.mil.mil")
    inputs = import_module(f"{_TORCH}.ops")._get_inputs

    def floordiv(context: Any, node: Any) -> None:
        x, y = inputs(context, node, expected=2)
        if all(mil.types.is_int(each.dtype) for each in (x, y)):
            context.add(mil.Builder.floor_div(x=x, y=y, name=node.name))
        else:
            floor_divide(context, node)

    return floordiv
