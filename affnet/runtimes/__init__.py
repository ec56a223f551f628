"""Runtimes: what loads an artifact on this host and runs it.

A runtime is one file here and one line in `RUNTIMES`.  Its class declares what it can hold.  All
else that lists runtimes or their formats reads it here, which loads nothing heavy.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from affnet.errors import UnknownNameError, UsageError
from affnet.placement import CPU

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from affnet.artifact import TensorSpec

#: In the order in which they are listed; of several for one format the first is the format's own,
#: which proves its files.
RUNTIMES: dict[str, str] = {
    "onnxruntime": "affnet.runtimes.onnxruntime:OnnxRuntime",
    "litert": "affnet.runtimes.litert:LiteRtRuntime",
    "executorch": "affnet.runtimes.executorch:ExecutorchRuntime",
    "coreml": "affnet.runtimes.coreml:CoreMLRuntime",
    "coreai": "affnet.runtimes.coreai:CoreAiRuntime",
    "openvino": "affnet.runtimes.openvino:OpenVinoRuntime",
    "mnn": "affnet.runtimes.mnn:MnnRuntime",
    "ncnn": "affnet.runtimes.ncnn:NcnnRuntime",
    "tract": "affnet.runtimes.tract:TractRuntime",
    "torch": "affnet.runtimes.torch:TorchRuntime",
}


@dataclass(frozen=True)
class Interface:
    """What a file takes and gives, by its own account."""

    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    precision: str  # int8 or fp16 if any of its tensors is of that type, else fp32


class Session(Protocol):
    """An artifact, loaded and ready to run."""

    def run(self, *inputs: NDArray[Any]) -> list[NDArray[Any]]:
        """Run once, on an array for each input, of the shape and type that its spec gives."""
        ...


class Runtime(Protocol):
    """Loads artifacts of some formats.

    One with a profiler also has a class method ``profile(path, threads=, inputs=, runs=)`` that
    returns name, type and mean time in ns of each operator, and one that knows which of its units
    runs which operator a class method ``placement(path, threads=, inputs=)`` that returns an
    `affnet.placement.Placement`, or raises `ArtifactError` or `ValueError`.

    One that computes on other units than the CPU lists them as ``accelerators``; its ``load``,
    ``profile`` and ``placement`` take an ``accelerator`` of these, and a class method
    ``check_accelerator(accelerator)`` raises `MissingError` where this machine has none.  A session
    on a unit that computes in float16 has ``arithmetic = "fp16"``.
    """

    name: ClassVar[str]
    format: ClassVar[str]  # the artifact format it runs
    suffix: ClassVar[str]  # of that format's files
    distribution: ClassVar[str]  # what pip installs it as

    @classmethod
    def version(cls) -> str:
        """Return the installed version; raise `MissingError` where there is none."""
        ...

    @classmethod
    def load(cls, path: Path, *, threads: int) -> Session:
        """Load a file to run on ``threads`` threads of the CPU.

        Raises:
            MissingError: the runtime's package is not installed.
            ArtifactError: the runtime rejects the file.
        """
        ...

    @classmethod
    def describe(cls, path: Path) -> Interface:
        """Return what a file takes and gives, which need not have been written by affnet.

        Raises:
            MissingError, ArtifactError: as `load`.
        """
        ...

    @classmethod
    def operators(cls, path: Path) -> Mapping[str, int]:
        """Count the operators of a file by type; foreign ones keep their domain as a prefix."""
        ...


def get_runtime(name: str) -> type[Runtime]:
    """Return the runtime class called ``name``; its package is first needed to load."""
    if name not in RUNTIMES:
        raise UnknownNameError("runtime", name, RUNTIMES)
    module, _, attribute = RUNTIMES[name].partition(":")
    runtime: type[Runtime] = getattr(importlib.import_module(module), attribute)
    return runtime


def check_measurable(runtime: type[Runtime]) -> None:
    """Raise `UntimedError` where ``runtime`` only emulates, so that its time says nothing.

    A runtime that may do so has a class method of this name that raises; the others need none.
    """
    check = getattr(runtime, "check_measurable", None)
    if check is not None:
        check()


def check_accelerated(runtime: type[Runtime], accelerator: str) -> None:
    """Raise `UsageError` where ``runtime`` does not compute on the unit that is asked for."""
    if accelerator == CPU or accelerator in _accelerators(runtime):
        return
    able = [name for name in RUNTIMES if accelerator in _accelerators(get_runtime(name))]
    raise UsageError(
        f"{runtime.name} computes on the CPU here, not on the {accelerator.upper()}",
        f"choose the runtime {' or '.join(able)}, or omit --accelerator.",
    )


def _accelerators(runtime: type[Runtime]) -> tuple[str, ...]:
    found: tuple[str, ...] = getattr(runtime, "accelerators", ())
    return found


def formats() -> list[str]:
    """Return the formats of all runtimes, in their order."""
    return list(dict.fromkeys(get_runtime(name).format for name in RUNTIMES))


def is_artifact(path: Path) -> bool:
    """Return whether, by its suffix, ``path`` is a file that some runtime executes."""
    return any(get_runtime(name).suffix == path.suffix for name in RUNTIMES)


def names_artifact(model: str) -> bool:
    """Tell an artifact from a source, such as a program of the user's own, by name and manifest."""
    from affnet.artifact import manifest_path

    path = Path(model)
    is_program = path.suffix == get_runtime("torch").suffix
    return is_artifact(path) and not (is_program and not manifest_path(path).exists())


def file_format(models: Iterable[str]) -> str | None:
    """Return the format of the artifacts among ``models``, None where all are sources.

    Raises:
        UsageError: they are of several formats, which no runtime measures side by side.
    """
    formats: dict[str, str] = {}
    for model in filter(names_artifact, models):
        formats.setdefault(runtime_of_file(Path(model)).format, model)
    if len(formats) > 1:
        listed = " and ".join(f"{model} of {format_}" for format_, model in formats.items())
        raise UsageError(
            f"One runtime measures all models side by side, and {listed} need one each",
            "export them to the same format, or measure each by itself.",
        )
    return next(iter(formats), None)


def runtime_of_file(path: Path) -> type[Runtime]:
    """Return the runtime that executes files with the suffix of ``path``."""
    runtimes: dict[str, type[Runtime]] = {}
    for runtime in map(get_runtime, RUNTIMES):
        runtimes.setdefault(runtime.suffix, runtime)
    if path.suffix not in runtimes:
        raise UsageError(
            f"{path} is no file of a format that affnet runs: {', '.join(sorted(runtimes))}."
        )
    return runtimes[path.suffix]


def runtime_for(artifact_format: str) -> type[Runtime]:
    """Return the runtime that executes artifacts of ``artifact_format``."""
    for name in RUNTIMES:
        runtime = get_runtime(name)
        if runtime.format == artifact_format:
            return runtime
    raise UsageError(f"No runtime executes artifacts of the format {artifact_format!r}.")
