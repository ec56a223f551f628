"""What of ExecuTorch's Python package runs and reads programs, without its compiler.

The runtime takes one class of warnings from the package of the compiler, and the reader of programs
is a part of it.  That package imports PyTorch's own compilers: three times as long as all that
running a program needs.
"""

from __future__ import annotations

import functools
import importlib
import importlib.util
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType, SimpleNamespace

_COMPILER = "executorch.exir"


@functools.cache
def runtime_modules() -> tuple[ModuleType, ModuleType]:
    """Return the runtime's modules, Python's and C++'s.

    Raises:
        ImportError: the installation is broken.
    """
    with _without_the_compiler():
        return (
            importlib.import_module("executorch.runtime"),
            importlib.import_module("executorch.extension.pybindings.portable_lib"),
        )


@contextmanager
def reader() -> Iterator[SimpleNamespace]:
    """Yield what reads programs: ``schema``, ``deserialize_pte_binary``, ``program_of``.

    The functions return objects of the classes in this ``schema``, which are others once the
    compiler has been imported.
    """
    with _without_the_compiler():
        serialize = importlib.import_module(f"{_COMPILER}._serialize._program")
        flatbuffers = importlib.import_module(f"{_COMPILER}._serialize._flatbuffer_program")
        yield SimpleNamespace(
            schema=importlib.import_module(f"{_COMPILER}.schema"),
            deserialize_pte_binary=serialize.deserialize_pte_binary,
            program_of=flatbuffers._flatbuffer_to_program,
        )


#: Modules that were imported without the compiler; they look each other up in `sys.modules`.
_parts: dict[str, ModuleType] = {}


@contextmanager
def _without_the_compiler() -> Iterator[None]:
    """Let parts of the compiler's package be imported without what it imports itself.

    They are taken out again, so that the compiler comes whole to whom imports it.
    """
    if _COMPILER in sys.modules or (spec := importlib.util.find_spec(_COMPILER)) is None:
        yield
        return
    sys.modules.update(_parts or {_COMPILER: importlib.util.module_from_spec(spec)})  # runs nothing
    try:
        yield
    finally:
        for name in [*sys.modules]:
            if name == _COMPILER or name.startswith(f"{_COMPILER}."):
                _parts[name] = sys.modules.pop(name)
