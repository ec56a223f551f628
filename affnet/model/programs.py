"""Networks of the user's own: a ``torch.export`` program, or a function that builds a network."""

from __future__ import annotations

import importlib
import inspect
import os
import re
import sys
import traceback
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch.export import ExportedProgram

from affnet.errors import AffnetError, MissingError, UsageError, first_line
from affnet.exported_program import load_exported_program
from affnet.graph_code import graph_code_when_run
from affnet.model.arguments import RETURNS, check_built, in_eval_mode
from affnet.model.capture import capture, check_program, check_runs
from affnet.model.complex_parts import PAIR, PARTS, check_complex, in_parts
from affnet.model.export_failures import remedy_for
from affnet.model.open_lengths import check_lengths_run, opened
from affnet.model.program_interface import LoadedProgram, described
from affnet.model.source_file import check_program_file
from affnet.model.stack_traces import users_frames

_FUNCTION = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*")


def is_function(source: str) -> bool:
    """Return whether ``source`` has the form ``module:function``."""
    return _FUNCTION.fullmatch(source) is not None


@graph_code_when_run()
def load_program(path: Path, dynamic: str | None = None, complex_as: str = PAIR) -> LoadedProgram:
    """Load a ``.pt2`` file, of which ``dynamic`` and ``complex_as`` can change nothing any more.

    Raises:
        UsageError: the file is missing or damaged, or the network is none of tensors in and
            tensors out, of static shapes, in eval mode.
    """
    check_program_file(path)
    _check_closed(path.name, dynamic, complex_as)
    return _of_program(path.name, load_exported_program(path))


@graph_code_when_run()
def build_program(
    function: str, seed: int, dynamic: str | None = None, complex_as: str = PAIR
) -> LoadedProgram:
    """Call ``module:function`` and export the network it returns.

    ``dynamic`` names the axes whose lengths are left open, as `affnet.dynamic_axes` reads them.
    ``complex_as`` says what a complex tensor is that it takes or gives: a ``pair``, real with a
    last axis of 2, or its ``parts``, two real tensors.

    It is found from the working directory or wherever Python finds modules, and called without
    arguments, after a seed of PyTorch's generator for the CPU, so that random weights are the same
    at every call.

    Raises:
        UsageError: no such function, it fails, or returns something else; and as `load_program`.
        ConversionError: `torch.export` cannot export the network.
    """
    built = _call(function, seed)
    if isinstance(built, ExportedProgram):
        _check_closed(function, dynamic, complex_as)
        return _of_program(function, built)
    network, args, kwargs = check_built(function, built)
    mode_notes = in_eval_mode(function, network)
    if complex_as == PARTS:
        network, args, kwargs = in_parts(network, args, kwargs)
    check_runs(function, network, args, kwargs)
    check_complex(function, network)
    call = opened(network, args, kwargs, dynamic) if dynamic is not None else None
    if call is not None:
        check_lengths_run(function, network, call)
    captured = capture(function, network, args, kwargs, call)
    program, kept_notes = check_program(function, captured.program)
    loaded = described(function, program, network, call)
    return replace(
        loaded,
        notes=(*loaded.notes, *mode_notes, *captured.notes, *kept_notes),
        captured=captured.record(),
    )


def _check_closed(name: str, dynamic: str | None, complex_as: str) -> None:
    """Refuse to change what a network takes and gives that is a program already."""
    for option, given in (("--dynamic", dynamic is not None), ("--complex", complex_as != PAIR)):
        if given:
            raise UsageError(
                f"{option} does not apply to {name}, a program whose inputs torch.export has fixed",
                "name a function that builds the network, module:function.",
            )


def _of_program(name: str, given: ExportedProgram) -> LoadedProgram:
    program, notes = check_program(name, given)
    loaded = described(name, program)
    return replace(loaded, notes=(*loaded.notes, *notes))


def _call(function: str, seed: int) -> Any:
    name, _, attribute = function.partition(":")
    here = str(Path.cwd())
    sys.path.insert(0, here)
    try:
        torch.default_generator.manual_seed(seed)  # of the CPU; a GPU's numbers are left alone
        module = importlib.import_module(name)
        if not hasattr(module, attribute):
            raise UsageError(
                f"The module {name!r} has no function {attribute!r}",
                f"name one that it has, as {name}:FUNCTION.",
            )
        build = getattr(module, attribute)
        if not callable(build):
            kind = type(build).__name__
            raise UsageError(
                f"{function} is of the type {kind} and no function", f"let it {RETURNS}."
            )
        _check_takes_nothing(function, build)
        return build()
    except AffnetError:
        raise
    except (Exception, SystemExit) as error:  # the user's own code
        raise _build_failure(function, error) from error
    finally:
        sys.path.remove(here)
        os.chdir(here)  # files are named from here, wherever a package went to find its weights


def _check_takes_nothing(function: str, build: Callable[..., Any]) -> None:
    try:
        inspect.signature(build).bind()
    except TypeError as error:
        raise UsageError(
            f"{function} takes no arguments from affnet, but needs some ({error})",
            "give each a default, or write a function that calls it with them.",
        ) from error
    except ValueError:  # a function of C code, without a signature
        return


def _build_failure(function: str, error: BaseException) -> AffnetError:
    """Return the error to raise where importing or calling ``function`` failed."""
    name = function.partition(":")[0]
    if isinstance(error, ModuleNotFoundError) and error.name is not None:
        if error.name == name or name.startswith(f"{error.name}."):
            return UsageError(f"There is no module {error.name!r} here or in Python's path.")
        return MissingError(
            f"{function} needs the package {error.name!r}, which is not installed",
            "install it into the environment that affnet runs in.",
        )
    trace = traceback.extract_tb(error.__traceback__)
    frame = (users_frames(trace) or trace)[-1]
    where = f"{Path(frame.filename).name}, line {frame.lineno}"
    if isinstance(error, SystemExit):
        return UsageError(f"{function} ends the process (SystemExit: {error}; {where})")
    return UsageError(
        f"{function} fails with {type(error).__name__}: {first_line(error)} ({where}).",
        remedy_for(error),
    )
