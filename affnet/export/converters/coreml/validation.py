"""coremltools' checks of a program in the making."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any


@contextmanager
def validated_now_and_then() -> Iterator[None]:
    """Have a program checked as it is read, cleaned up and written, not after each of its passes.

    There are ninety, and the checks take as long as the passes.  They concern the tables of a
    program; what a pass leaves wrong in them, the check before it is written finds as well.
    """
    program = import_module("coremltools.converters.mil.mil.program").Program
    validate = getattr(program, "validate", None)
    if validate is None:
        yield
        return

    def validate_if_thorough(self: Any, check_essential_scope: bool = False) -> None:
        if check_essential_scope:
            validate(self, check_essential_scope=True)

    program.validate = validate_if_thorough
    try:
        yield
    finally:
        program.validate = validate
