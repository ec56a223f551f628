"""Trying a file out in a process of its own.

Runtimes check the files they load, but not against everything: a damaged or hostile one may end the
process.  A file that affnet wrote has a manifest with its hash; any other is tried out here first,
so that a crash costs one sentence.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np

from affnet.artifact import TensorSpec
from affnet.errors import AffnetError, ArtifactError, first_line, from_wire, to_wire
from affnet.garbage import exit_without_teardown
from affnet.processes import (
    TooMuchOutputError,
    collect,
    module_command,
    module_environment,
)
from affnet.runtimes import Interface, Runtime, get_runtime

_NUMBERS = ("float16", "float32", "float64", "uint8")
_TIMEOUT_S = 600.0  # the evaluator of ML programs takes seconds for each GMAC


def try_out(path: Path, runtime: type[Runtime], shape: tuple[int, ...] | None) -> Interface:
    """Load a file in another process, run it once, and return what it took and gave.

    ``shape`` is that of the input wanted, for axes that the file leaves open; None: none is known.
    A file that is not `comparable`, or then leaves more open than how many inputs, is described
    only.

    Raises:
        ArtifactError: the runtime rejects the file, crashes on it, or does not come to an end.
        AffnetError: as `Runtime.load` and `Session.run`.
    """
    process = subprocess.Popen(
        [*module_command("affnet.runtimes.trial"), runtime.name, str(path), json.dumps(shape)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=module_environment(),
    )
    try:
        with process:
            try:
                answered, _ = collect(process, _TIMEOUT_S)
            finally:
                process.kill()
    except TooMuchOutputError as error:
        raise ArtifactError(f"{path} has inputs and outputs without end ({error}).") from error
    except TimeoutError as error:
        raise ArtifactError(
            f"{runtime.name} did not finish running {path} within {_TIMEOUT_S:.0f} s."
        ) from error
    if process.returncode == -signal.SIGKILL:
        raise ArtifactError(f"Running {path} in {runtime.name} was killed; memory may not suffice.")
    if process.returncode != 0 or not answered:
        code = process.returncode
        how = f"signal {-code}" if code < 0 else f"exit {code}"
        raise ArtifactError(
            f"{runtime.name} crashes on {path} ({how}): the file is damaged, or uses what this "
            f"version of the runtime gets wrong",
            "write it again.",
        )
    answer = json.loads(answered)
    if "error" in answer:
        raise from_wire(answer["error"])
    return Interface(_specs(answer["inputs"]), _specs(answer["outputs"]), answer["precision"])


def _specs(values: list[dict[str, object]]) -> tuple[TensorSpec, ...]:
    from pydantic import TypeAdapter

    return TypeAdapter(tuple[TensorSpec, ...]).validate_python(values)


def open_axes(spec: TensorSpec, shape: tuple[int, ...]) -> TensorSpec:
    """Give the axes that ``spec`` leaves open the sizes they have in ``shape``, else 1.

    A file whose last axis is what ``shape`` has second keeps its channels last.
    """
    sizes = shape if len(shape) == len(spec.shape) else (1,) * len(spec.shape)
    if len(sizes) == 4 and spec.shape[3] == sizes[1] != spec.shape[1]:
        sizes = tuple(sizes[axis] for axis in (0, 2, 3, 1))
    filled = tuple(
        size if isinstance(axis, str) else axis
        for axis, size in zip(spec.shape, sizes, strict=True)
    )
    return dataclasses.replace(spec, shape=filled)


def comparable(interface: Interface) -> bool:
    """Return whether a file has one input, and takes and gives numbers only, with no empty axis."""
    specs = (*interface.inputs, *interface.outputs)
    return (
        len(interface.inputs) == 1
        and len(interface.outputs) > 0
        and all(spec.dtype in _NUMBERS for spec in specs)
        and not any(axis == 0 for spec in specs for axis in spec.shape)
    )


def _answer(runtime: type[Runtime], path: Path, shape: tuple[int, ...] | None) -> dict[str, object]:
    try:
        interface = runtime.describe(path)
        if not comparable(interface):  # the caller says why
            return dataclasses.asdict(interface)
        taken = interface.inputs[0]
        if shape is None and any(isinstance(axis, str) for axis in taken.shape[1:]):
            return dataclasses.asdict(interface)
        taken = open_axes(taken, shape or ())
        session = runtime.load(path, threads=1)
        outputs = session.run(np.zeros(taken.static_shape(), taken.dtype))
        # what a file says of its outputs may leave axes open, or all of them
        given = tuple(
            dataclasses.replace(
                spec, shape=tuple(np.shape(value)), dtype=np.asarray(value).dtype.name
            )
            for spec, value in zip(interface.outputs, outputs, strict=True)
        )
        interface = Interface((taken,), given, interface.precision)
    except AffnetError as error:
        return {"error": to_wire(error)}
    except Exception as error:  # each runtime has its own kinds
        failure = ArtifactError(f"{runtime.name} cannot run {path}: {first_line(error)}.")
        return {"error": to_wire(failure)}
    return dataclasses.asdict(interface)


def _bound_memory() -> None:
    """Take no more memory than is free: a few bytes may declare any size.

    What cannot be had is an error in here, and not the end of another process.
    """
    import psutil

    with contextlib.suppress(ImportError, OSError, ValueError):  # a system without such a limit
        import resource

        free = psutil.virtual_memory().available
        _, hard = resource.getrlimit(resource.RLIMIT_DATA)
        resource.setrlimit(resource.RLIMIT_DATA, (free, hard))


def main() -> None:
    """Print one JSON object, and nothing that a library prints."""
    _bound_memory()
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as answers:
        os.dup2(2, 1)
        name, path, shape = sys.argv[1:]
        axes = json.loads(shape)
        answer = _answer(get_runtime(name), Path(path), None if axes is None else tuple(axes))
        json.dump(answer, answers)


if __name__ == "__main__":
    exit_without_teardown(main)  # in which a runtime's own threads may end it by a signal
