"""The columns of the table: one module for each converter, one line in `MODULES`.

A module has a table ``COLUMNS`` of its columns by their names.  A column's steps yield the name of
each stage before it starts and return what came out of the last, the run.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Generator
from importlib import metadata
from pathlib import Path
from typing import Any, NamedTuple

from numpy.typing import NDArray

MODULES = (
    "torch_onnx",
    "onnxruntime_web",
    "openvino",
    "mnn",
    "ncnn",
    "coreai",
    "coreml",
    "litert",
    "onnx2tf",
    "executorch",
    "iree",
    "by_affnet",
)

OPSETS = (18, 20)  # of PyTorch's ONNX files; the DFT of 17 is that of 18

Steps = Generator[str, None, NDArray[Any]]
Versions = Callable[[], dict[str, str]]


class Column(NamedTuple):
    """A converter with its runtime."""

    steps: Callable[[Any, Any, Path], Steps]  # of a network, its input and a folder for files
    #: Of what the cells depend on; raises `LookupError` with a sentence where a tool is missing.
    versions: Versions
    rewritten: bool = False  # by affnet: listed apart


def columns() -> dict[str, Column]:
    """Return all columns in their order."""
    found: dict[str, Column] = {}
    for name in MODULES:
        found.update(importlib.import_module(f"{__name__}.{name}").COLUMNS)
    return found


def installed(*packages: str) -> Versions:
    """Return what gives the versions of PyTorch and of other Python packages."""

    def versions() -> dict[str, str]:
        try:
            return {package: metadata.version(package) for package in ("torch", *packages)}
        except metadata.PackageNotFoundError as error:
            raise LookupError(f"{error.name} is not installed") from error

    return versions


def run(runtime: str, path: Path, x: Any) -> Steps:
    """The last two stages: load a file in a runtime of affnet's, and run it."""
    from affnet.runtimes import get_runtime

    yield "load"
    session = get_runtime(runtime).load(path, threads=1)
    yield "run"
    return session.run(x.numpy())[0]
