"""Running the user's code without its assertions, as ``python -O`` does.

An assertion about a tensor's values cannot hold or fail for ``torch.export``, whose tensors have
none; a file does not check it in any case.
"""

from __future__ import annotations

import ast
import linecache
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import CellType, CodeType, FunctionType, ModuleType
from typing import Any

from affnet.model.stack_traces import place_of, users_frames

_HOLDERS = (FunctionType, staticmethod, classmethod, property, type)


@dataclass(frozen=True)
class Assertion:
    """An assertion of the user's code, or of a package that it uses."""

    file: str
    place: str

    def __str__(self) -> str:
        return self.place


def failing_assertion(error: BaseException) -> Assertion | None:
    """Return the innermost assertion during which ``error`` was raised, if there is one."""
    frames = users_frames(traceback.extract_tb(error.__traceback__))
    for count in range(len(frames), 0, -1):
        frame = frames[count - 1]
        assert frame.lineno is not None  # a traceback has it
        if _in_assertion(frame.filename, frame.lineno):
            return Assertion(frame.filename, place_of(frames[:count]))
    return None


def _in_assertion(file: str, line: int) -> bool:
    try:
        tree = ast.parse("".join(linecache.getlines(file)))
    except (SyntaxError, ValueError):
        return False
    return any(
        isinstance(node, ast.Assert) and node.lineno <= line <= (node.end_lineno or node.lineno)
        for node in ast.walk(tree)
    )


@contextmanager
def without_assertions(file: str) -> Iterator[None]:
    """Let all functions of a source file run without their assertions; restore them afterwards."""
    source = "".join(linecache.getlines(file))
    lean = {_key(code): code for code in _codes(compile(source, file, "exec", optimize=1))}
    replaced: list[tuple[FunctionType, CodeType]] = []
    for function in _functions(file):
        code = lean.get(_key(function.__code__))
        if code is not None and code.co_freevars == function.__code__.co_freevars:
            replaced.append((function, function.__code__))
            function.__code__ = code
    try:
        yield
    finally:
        for function, code in replaced:
            function.__code__ = code


def _functions(file: str) -> Iterator[FunctionType]:
    """Yield the functions of a source file, those in its classes and under decorators included."""
    waiting: list[Any] = [
        module for module in list(sys.modules.values()) if getattr(module, "__file__", "") == file
    ]
    seen: set[int] = set()
    while waiting:
        thing = waiting.pop()
        if id(thing) in seen:
            continue
        seen.add(id(thing))
        if isinstance(thing, FunctionType):
            waiting += [cell.cell_contents for cell in thing.__closure__ or () if _is_filled(cell)]
            if thing.__code__.co_filename == file:
                yield thing
        elif isinstance(thing, staticmethod | classmethod):
            waiting.append(thing.__func__)
        elif isinstance(thing, property):
            waiting += [thing.fget, thing.fset]
        elif isinstance(thing, type | ModuleType):
            waiting += [each for each in vars(thing).values() if isinstance(each, _HOLDERS)]


def _is_filled(cell: CellType) -> bool:
    try:
        return isinstance(cell.cell_contents, _HOLDERS)
    except ValueError:
        return False


def _key(code: CodeType) -> tuple[str, int]:
    return code.co_qualname, code.co_firstlineno


def _codes(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _codes(constant)
