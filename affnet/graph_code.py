"""When `torch.fx` writes the Python code of a graph, and what it notes of where nodes come from."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

#: What a graph module has of its code, beside ``forward``.
_OF_CODE = ("_code", "_lineno_map", "_prologue_start")


@contextmanager
def graph_code_when_run() -> Iterator[None]:
    """Have `torch.fx` write and compile a graph's code once it is run or read.

    It does so whenever a graph is set or changed.  An export sets a hundred graphs, of up to
    thousands of operators, and runs a few of them by their code: torch interprets the others.
    """
    from torch.fx import GraphModule

    write: Any = GraphModule.recompile
    if isinstance(getattr(write, "writes", None), _Later):  # within another of these
        yield
        return
    later = _Later(write)

    def recompile(module: GraphModule) -> Any:
        return later(module)

    recompile.writes = later  # type: ignore[attr-defined]
    GraphModule.recompile = recompile  # type: ignore[method-assign, assignment]
    try:
        yield
    finally:
        GraphModule.recompile = write  # type: ignore[method-assign]


@contextmanager
def origins_shared() -> Iterator[None]:
    """Have the notes of which nodes a node comes from shared instead of copied.

    At each trace `torch.fx` copies, with each node, its history, which grows by a note a trace, and
    of which no note changes once it is made.
    """
    from torch.fx import traceback

    kind: Any = getattr(traceback, "NodeSource", None)
    if kind is None or "__deepcopy__" in vars(kind):  # within another of these
        yield
        return
    kind.__deepcopy__ = lambda source, _: source
    try:
        yield
    finally:
        del kind.__deepcopy__


class _Later:
    """Does as `GraphModule.recompile`, once something asks for what that makes."""

    def __init__(self, write: Callable[[Any], Any]) -> None:
        self._write = write

    def __call__(self, module: Any) -> Any:
        """Return the code to be written, which stands for what ``recompile`` returns."""
        kind: Any = type(module)
        if not kind.__qualname__.endswith("GraphModuleImpl"):  # a class of several modules
            return self._write(module)
        laid_out = getattr(getattr(module.graph, "_codegen", None), "pytree_info", None)
        if laid_out is not None:
            module._in_spec, module._out_spec = laid_out.in_spec, laid_out.out_spec
        code = _Code(module, self._write)
        for name in _OF_CODE:
            vars(module).pop(name, None)
            setattr(kind, name, _OnDemand(code, name))
        kind.forward = _OnDemand(code, "forward")
        kind.__reduce__ = _reduced_by_code(kind)
        return code


def _reduced_by_code(kind: Any) -> Callable[[Any], Any]:
    """Return how to pickle a module, which is done by its code: once that is written."""

    def reduced(module: Any) -> Any:
        assert module._code
        return super(kind, module).__reduce__()

    return reduced


class _Code:
    """A module's code, written when something of it is asked for."""

    def __init__(self, module: Any, write: Callable[[Any], Any]) -> None:
        self._module, self._write = module, write

    def written(self) -> Any:
        """Write the code as the graph is now, and return what ``recompile`` does."""
        return self._write(self._module)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.written(), name)


class _OnDemand:
    """An attribute that a module has once its code is written."""

    def __init__(self, code: _Code, name: str) -> None:
        self._code, self._name = code, name

    def __get__(self, module: Any, kind: type) -> Any:
        if module is None and self._name != "forward":
            return self
        if module is not None and self._name == "forward":
            codegen = getattr(module.graph, "_codegen", None)
            if laid_out := getattr(codegen, "pytree_info", None):
                return _Forward(self._code, module, laid_out.orig_args)
        self._code.written()  # which puts another in this one's place
        return getattr(kind if module is None else module, self._name)


class _Forward:
    """A module's ``forward`` before its code is written: torch.export asks for its signature."""

    def __init__(self, code: _Code, module: Any, names: Sequence[str]) -> None:
        self._code, self._module = code, module
        kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
        parameters = [inspect.Parameter(name, kind) for name in names if name != "self"]
        self.__signature__ = inspect.Signature(parameters)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        self._code.written()  # which puts another forward in this one's place
        return self._module.forward(*args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        if name in ("__wrapped__", "__partialmethod__"):  # asked for before the signature is
            raise AttributeError(name)
        self._code.written()
        return getattr(self._module.forward, name)
