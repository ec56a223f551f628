"""What coremltools does after each of its passes, done where it finds or changes something."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from importlib import import_module
from typing import Any

from affnet.export.converters.patches import replaced

_MIL = "coremltools.converters.mil.mil"
_THOROUGH_AFTER = "common::dead_code_elimination"  # as coremltools has it


@contextmanager
def little_upkeep() -> Iterator[None]:
    """Have programs checked once a pipeline of passes, and marked where they are compressed.

    There are ninety passes.  The checks concern a program's tables: what a pass leaves wrong in
    them, the check at the end finds as well.  The marks say which values depend on compressed
    constants (of ``constexpr`` operators).  Both take as long as the passes.  What a program is
    as text goes to a log that nobody reads.
    """
    pipelines = import_module(f"{_MIL}.passes.pass_pipeline")
    blocks = import_module(f"{_MIL}.block")
    program = import_module(f"{_MIL}.program").Program
    with ExitStack() as stack:

        def replace(owner: Any, name: str, value: Callable[[Any], Any]) -> None:
            if hasattr(owner, name):
                stack.enter_context(replaced(owner, name, value(getattr(owner, name))))

        replace(pipelines.PassPipelineManager, "apply_pipeline", partial(_checked_once, program))
        replace(blocks.Block, "_propagate_nonreplaceable_vars", _marked_once_compressed)
        for described in (program, blocks.Function):
            replace(described, "__str__", lambda _: object.__repr__)
        yield


def _checked_once(program: Any, apply: Callable[..., None]) -> Any:
    def apply_and_check(given: Any, pipeline: Any) -> None:
        with replaced(program, "validate", lambda *_, **__: None):
            apply(given, pipeline)
        thorough = pipeline.passes[-1:] == [_THOROUGH_AFTER]
        given.validate(check_essential_scope=thorough)

    return staticmethod(apply_and_check)


def _marked_once_compressed(propagate: Callable[[Any], None]) -> Callable[[Any], None]:
    compressed = False  # from then on marks are kept up, also where the last such operator goes

    def propagate_if_compressed(block: Any) -> None:
        nonlocal compressed
        compressed = compressed or _is_compressed(block)
        if compressed:
            propagate(block)

    return propagate_if_compressed


def _is_compressed(block: Any) -> bool:
    return any(
        operator.op_type.startswith("constexpr_") or any(map(_is_compressed, operator.blocks))
        for operator in block.operations
    )
