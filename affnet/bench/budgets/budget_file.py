"""Budgets: what a model may cost, read from ``budgets.toml``.

[models]                     # what names stand for: a file, or a source to export
mine = "build/mine.onnx"

[[budget]]
model = "mine"
at_most = "12 ms"            # absolute: of the metric, on the device

[[budget]]
model = "mine"
peer = "mobilevit_s"         # relative to a peer that is measured in the same run
at_most = 0.8
metric = "p90"

[[budget]]
model = "mine"
at_most = "+5 %"             # relative to a baseline
device = "pixel"
runtime = "litert"           # default: what runs the file, else what the device is at home in
threads = 4

[[budget]]
model = "mine"
metric = "placement"         # the share of the operators that run where they were asked to
at_least = "100 %"
device = "pixel"
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from affnet.bench.budgets.metrics import METRICS
from affnet.bench.measurement.runtimes import runtime_on
from affnet.devices.catalog import open_devices
from affnet.errors import BudgetError, UnknownNameError, UsageError, suggestion
from affnet.files import is_path
from affnet.runtimes import RUNTIMES, file_format, runtime_for
from affnet.toml_file import Location, TomlFile
from affnet.units import parse_quantity

_TYPES: dict[str, tuple[tuple[type, ...], str]] = {
    "threads": ((int,), "a whole number"),
    "at_most": ((str, int, float), "a number or a quantity in quotes"),
    "at_least": ((str, int, float), "a number or a quantity in quotes"),
}
_TEXT: tuple[tuple[type, ...], str] = ((str,), "a text in quotes")
_PERCENT = re.compile(r"\+\s*(\d+\.?\d*)\s*%")


@dataclass(frozen=True)
class Place:
    """Where and how a budget is measured."""

    device: str = "host"
    runtime: str = "onnxruntime"
    threads: int = 1
    pipeline: bool = False  # whether a run begins with the file of a picture
    energy: bool = False  # whether the energy of inferences is counted, too


@dataclass(frozen=True)
class Budget:
    """One line that may not be crossed."""

    name: str
    model: str
    metric: str
    place: Place
    limit: float  # in the metric's unit, or a factor of the peer or baseline
    text: str  # the limit as it is written
    peer: str | None
    relative_to_baseline: bool
    line: int  # of the file


@dataclass(frozen=True)
class Budgets:
    """A file of budgets."""

    path: Path
    models: dict[str, str]  # a name and the file or source it stands for
    budgets: tuple[Budget, ...]
    written: bool = (
        True  # in a file; else they are the default ones, of names as commands take them
    )

    def source(self, model: str) -> str:
        """Return the file or source that a model's name stands for; paths start at this file."""
        if not self.written:
            return model
        return _resolved(self.path.parent, self.models.get(model, model))


def read_budgets(
    path: Path, table: Sequence[str] | None = None, devices_file: Path | None = None
) -> Budgets:
    """Read a file of budgets, or the budgets in the ``table`` of a project file.

    The table is () where that file as a whole is the project's; it holds more than budgets.
    ``devices_file`` is the catalog of the devices that they name, if it is not the user's.

    Raises:
        BudgetError: it cannot be read, or is wrong; the line and the key are named.
        CatalogError: the catalog cannot be read, or is wrong.
    """
    file = TomlFile.read(path, BudgetError, "docs/budgets.md shows how budgets are written")
    reader, content = _Reader(file, tuple(table or ())), file.content
    for name in table or ():
        content = content[name]
    if table is None and (unknown := content.keys() - {"models", "budget"}):
        key = min(unknown)
        reader.fail((key,), f"is unknown{suggestion(key, ('models', 'budget'))}")
    models, entries = content.get("models", {}), content.get("budget", [])
    if not isinstance(models, dict) or not all(isinstance(v, str) for v in models.values()):
        reader.fail(("models",), "must give a file or source to each name")
    if not isinstance(entries, list) or not entries:
        raise BudgetError(f"{path} holds no [[{'.'.join((*(table or ()), 'budget'))}]].")
    runtimes = _UsualRuntimes(models, devices_file)
    budgets = tuple(reader.budget(index, entry, runtimes) for index, entry in enumerate(entries))
    _check_names(reader, budgets)
    return Budgets(path, models, budgets)


def usual_runtime(
    models: Sequence[str], device: str = Place.device, devices_file: Path | None = None
) -> str:
    """Return the runtime that runs the files among ``models``, on ``device``.

    Where all are sources, it is the one that the device is at home in; stored results may be of a
    device that is not in this machine's catalog, which is taken to be like this machine.

    Raises:
        UsageError: the files are of several formats, or the device runs none of theirs.
        CatalogError: the catalog cannot be read, or is wrong.
    """
    format_ = file_format(models)
    try:
        place = open_devices(device, devices_file)[0]
    except (UnknownNameError, UsageError):  # it is refused once something is to be measured there
        return runtime_for(format_).name if format_ else Place.runtime
    return runtime_on(place, format_)


def _resolved(folder: Path, text: str) -> str:
    """Take a path as relative to the file of budgets; anything else is a source's name."""
    return str(folder / text) if is_path(text) else text


def _check_names(reader: _Reader, budgets: tuple[Budget, ...]) -> None:
    seen: set[str] = set()
    for budget in budgets:
        if budget.name in seen:
            reader.fail(("name",), f"{budget.name!r} is taken; give each its own", budget.line)
        seen.add(budget.name)


@dataclass(frozen=True)
class _UsualRuntimes:
    """The runtimes of budgets that name none."""

    models: Mapping[str, str]
    devices_file: Path | None

    def of(self, entry: Mapping[str, Any]) -> str:
        """Return the runtime of an entry of the file; see `usual_runtime`."""
        if "runtime" in entry:
            return str(entry["runtime"])
        names = filter(None, (entry["model"], entry.get("peer")))
        sources = [self.models.get(name, name) for name in names]
        return usual_runtime(sources, entry.get("device", Place.device), self.devices_file)


class _Reader:
    """Checks the entries of a file's table, and knows the lines they stand on."""

    _KEYS = (
        "name", "model", "metric", "device", "runtime", "threads", "at_most", "at_least", "peer"
    )  # fmt: skip

    def __init__(self, file: TomlFile, table: tuple[str, ...]) -> None:
        self._file, self._table = file, table

    def budget(self, index: int, entry: Any, runtimes: _UsualRuntimes) -> Budget:
        """Check one entry; ``runtimes`` gives the runtime that it leaves open."""

        def fail(key: str, why: str) -> NoReturn:
            self.fail(("budget", index, key), why)

        self._check_types(entry, fail)
        metric = entry.get("metric", "median")
        if metric not in METRICS:
            fail("metric", f"{metric!r} is unknown{suggestion(metric, METRICS)}")
        limit_key, other = _limit_keys(metric)
        if other in entry:
            fail(other, f"is not for the metric {metric}; write {limit_key}")
        for key in ("model", limit_key):
            if key not in entry:
                fail(key, "is missing")
        if (runtime := entry.get("runtime", Place.runtime)) not in RUNTIMES:
            fail("runtime", f"{runtime!r} is unknown{suggestion(runtime, RUNTIMES)}")
        if entry.get("threads", 1) < 1:
            fail("threads", "must be at least 1")
        if "," in entry.get("device", ""):
            fail("device", "must be one; write a [[budget]] for each")
        if (peer := entry.get("peer")) == entry["model"]:
            fail("peer", "must be another model")
        try:
            limit, relative = _limit(entry[limit_key], metric, peer)
        except ValueError as error:
            fail(limit_key, str(error))
        fields = {key: entry[key] for key in ("device", "threads") if key in entry}
        try:
            fields |= {
                "runtime": runtimes.of(entry),
                "pipeline": METRICS[metric].pipeline,
                "energy": METRICS[metric].dimension == "energy",
            }
            place = Place(**fields)
        except UsageError as error:
            fail("model", f"has no runtime: {error}")
        text = limit_text(entry[limit_key], peer)
        return Budget(
            name=entry.get("name") or _name(entry["model"], metric, place, text),
            model=entry["model"],
            metric=metric,
            place=place,
            limit=limit,
            text=text,
            peer=peer,
            relative_to_baseline=relative,
            line=self._line(("budget", index, "model")),
        )

    def _check_types(self, entry: Any, fail: Callable[[str, str], NoReturn]) -> None:
        """Refuse keys that are unknown, and values that are not of the key's type."""
        if not isinstance(entry, dict):
            fail("budget", f"must hold tables, not {entry!r}")
        for key, value in entry.items():
            if key not in self._KEYS:
                fail(key, f"is unknown{suggestion(key, self._KEYS)}")
            expected, description = _TYPES.get(key, _TEXT)
            if type(value) not in expected:
                fail(key, f"must be {description}, not {value!r}")
            if value == "":
                fail(key, "must not be empty")

    def fail(self, location: Location, why: str, line: int | None = None) -> NoReturn:
        end = "" if why.endswith("?") else "."
        line = line or self._line(location)
        raise BudgetError(f"{self._file.path}, line {line}: {location[-1]} {why}{end}")

    def _line(self, location: Location) -> int:
        return self._file.line_of((*self._table, *location))


def _limit_keys(metric: str) -> tuple[str, str]:
    """Return the key of a metric's limit, and that of the other metrics' limits."""
    keys = ("at_most", "at_least")
    return keys[::-1] if METRICS[metric].at_least else keys


def _limit(at_most: Any, metric: str, peer: str | None) -> tuple[float, bool]:
    """Return the limit, and whether it is relative to a baseline; raise `ValueError`."""
    unit = METRICS[metric].dimension
    if unit == "share":
        if peer is not None:
            raise ValueError(f"is a percentage, and a peer means nothing to {metric}; omit peer")
        return _share(at_most), False
    if peer is not None:
        if isinstance(at_most, str):
            raise ValueError(f"beside a peer is a factor, such as 0.8, not {at_most!r}")
        limit, relative = float(at_most), False
    elif isinstance(at_most, str) and (found := _PERCENT.fullmatch(at_most)):
        limit, relative = 1 + float(found[1]) / 100, True
    elif unit is None and not isinstance(at_most, str):
        limit, relative = float(at_most), False
    else:
        example = {"time": "'12 ms'", "bytes": "'25 MB'", "energy": "'12 mJ'", None: "1e-4"}[unit]
        try:
            limit, relative = parse_quantity(at_most, unit), False
        except ValueError:
            raise ValueError(
                f"must be like {example}, '+5 %' of a baseline, or a factor beside a peer, "
                f"not {at_most!r}"
            ) from None
    if not 0 < limit < float("inf"):
        raise ValueError(f"must be above 0, not {at_most!r}")
    return limit, relative


def _share(at_least: Any) -> float:
    """Return ``"96 %"`` or 96 as 0.96; raise `ValueError`."""
    found = re.fullmatch(r"\s*(\d+\.?\d*)\s*%?\s*", str(at_least))
    if not found or not 0 < float(found[1]) <= 100:
        raise ValueError(f"must be a percentage above 0, such as '100 %', not {at_least!r}")
    return float(found[1]) / 100


def limit_text(at_most: Any, peer: str | None) -> str:
    """Return a limit as reports show it."""
    return f"{at_most} x {peer}" if peer else str(at_most)


def _name(model: str, metric: str, place: Place, text: str) -> str:
    threads = "" if place.threads == 1 else f", {place.threads} threads"
    sign = ">=" if METRICS[metric].at_least else "<="
    return f"{metric} of {model} {sign} {text} ({place.runtime} on {place.device}{threads})"
