"""What is said of a wrong part of a file, and the file that reproduces it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from affnet.artifact import Artifact
from affnet.export.bisection.causes import advice_of, reason_of
from affnet.export.bisection.graph import CutGraph, Part
from affnet.export.bisection.record import ValueRange, WrongPart
from affnet.files import translating_os_errors, write_arrays
from affnet.parity import InputParity, badness


def describe(
    graph: CutGraph,
    part: Part,
    compared: Mapping[str, InputParity],
    given: Mapping[str, NDArray[Any]],
    artifact: Artifact,
    *,
    together: bool,
    runs: int,
) -> WrongPart:
    """Return what is known of a part that gives wrong values on right ones.

    ``together`` and ``runs`` are as in the record.
    """
    operators = graph.operators[part.start : part.end]
    value, error = max(compared.items(), key=lambda item: badness(item[1]))
    found = graph.values((*part.reads, value))
    values = {name: array for name, array in found.items() if array is not None}
    modules = [operator.module for operator in operators if operator.module]
    module = modules[-1] if modules else None
    return WrongPart(
        operators=tuple(operator.name for operator in operators),
        kinds=tuple(operator.kind for operator in operators),
        module=module,
        together=together,
        value=value,
        error=error,
        reads=tuple(_range(graph, name, values[name]) for name in part.reads),
        gives=_range(graph, value, values[value]),
        reason=reason_of(values[value], given[value], graph.stored(value, values[value])),
        advice=advice_of(artifact.manifest, module),
        runs=runs,
    )


def _range(graph: CutGraph, name: str, value: NDArray[Any]) -> ValueRange:
    stored = graph.stored(name, value)
    finite = value[np.isfinite(value)] if value.dtype.kind == "f" else value
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (None, None)
    return ValueRange(name, value.shape, stored.dtype.name, low, high)


def file_name(number: int, wrong: WrongPart, artifact: Artifact) -> str:
    """Return how the file of a wrong part is called; a type of others may be any text."""
    kind = re.sub(r"\W+", "-", wrong.kinds[-1])
    return f"{number}-{kind}{artifact.path.suffix}"


def write_reproducer(
    graph: CutGraph, part: Part, given: Mapping[str, NDArray[Any]], path: Path
) -> None:
    """Write a part, and beside it what it reads, what the reference gives and what came instead."""
    values = graph.values((*part.reads, *part.writes))
    known = {name: array for name, array in values.items() if array is not None}
    arrays = {
        **_numbered("input", [graph.stored(name, known[name]) for name in part.reads]),
        **_numbered("expected", [known[name] for name in part.writes]),
        **_numbered("given", [given[name] for name in part.writes]),
    }
    with translating_os_errors(path.parent):
        path.parent.mkdir(parents=True, exist_ok=True)
        graph.write(part, path)
        write_arrays(path.with_suffix(".npz"), arrays)


def _numbered(kind: str, arrays: list[NDArray[Any]]) -> dict[str, NDArray[Any]]:
    return {f"{kind}_{index}": array for index, array in enumerate(arrays)}
