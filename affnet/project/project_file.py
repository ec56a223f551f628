"""The project file: ``affnet.toml``, or ``[tool.affnet]`` in ``pyproject.toml``.

It is looked for in the current folder, then in those above it, up to the repository's root.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from affnet.errors import ProjectError, suggestion
from affnet.files import is_path
from affnet.reading import read_text
from affnet.toml_file import Location, TomlFile

if TYPE_CHECKING:
    from affnet.project.schema import Settings

NAME = "affnet.toml"
BUDGETS = "budgets.toml"
LABELS = "labels.txt"
_PYPROJECT = "pyproject.toml"
_TABLE = ("tool", "affnet")
_MISSING = "make one with: affnet init"
#: What pydantic calls an error, and what is said of it; the value is put in.
_KINDS = {
    "string_type": "must be a text in quotes, not {!r}",
    "bool_type": "must be true or false, not {!r}",
    "int_type": "must be a whole number, not {!r}",
    "list_type": "must be a list in brackets, not {!r}",
    "dict_type": "must be a table, not {!r}",
    "model_type": "must be a table, not {!r}",
    "string_too_short": "must not be empty",
}


@dataclass(frozen=True)
class Project:
    """A project file that has been checked; paths in it start at its folder."""

    file: TomlFile
    table: tuple[str, ...]  # of the file: () or ("tool", "affnet")
    settings: Settings

    @property
    def path(self) -> Path:
        """Return the file."""
        return self.file.path

    def resolve(self, text: str) -> str:
        """Return a path of the file as one from here."""
        return str(self.path.parent / text)

    def model(self) -> str | None:
        """Return the project's SOURCE, None where the file names none."""
        if self.settings.source is None:
            return None
        return self.resolve_model(self.settings.source.model)

    def resolve_model(self, name: str) -> str:
        """Return a model as commands take it: a path as one from here, a name as it is."""
        return self.resolve(name) if is_path(name) else name

    def budgets_file(self) -> tuple[Path, tuple[str, ...] | None] | None:
        """Return the file of the project's budgets, and its table if it holds more; or None."""
        if self.settings.budget:
            return self.path, self.table
        if self.settings.budgets is not None:
            return Path(self.resolve(self.settings.budgets)), None
        beside = self.path.with_name(BUDGETS)
        return (beside, None) if beside.is_file() else None

    def fail(self, location: Location, why: str) -> NoReturn:
        """Raise `ProjectError` with the line and the key of what is wrong."""
        key = ".".join(str(part) for part in location if isinstance(part, str))
        line = self.file.line_of((*self.table, *location))
        end = "" if why.endswith((".", "?")) else "."
        raise ProjectError(f"{self.path}, line {line}: {key} {why}{end}")


def find_project(folder: Path | None = None) -> Project | None:
    """Return the project of ``folder`` (default: the current one), None where it is in none.

    Raises:
        ProjectError: its file cannot be read, or is wrong; line and key are named.
    """
    start = Path.cwd() if folder is None else folder.resolve()
    for place in _up_to_root(start):
        shown = Path() if folder is None and place == start else place
        if (own := shown / NAME).is_file():
            return _read(own, ())
        if shared := pyproject_in(shown):
            return _read(shared, _TABLE)
    return None


def _up_to_root(start: Path) -> Iterator[Path]:
    for place in (start, *start.parents):
        yield place
        if (place / ".git").exists():
            return


def pyproject_in(folder: Path) -> Path | None:
    """Return a folder's pyproject.toml if it may have our table: others are not read as TOML."""
    path = folder / _PYPROJECT
    try:
        text = read_text(path)
    except (OSError, ValueError):
        return None
    found = re.search(r"^\s*\[+\s*tool\s*\.\s*affnet\b", text, re.MULTILINE)
    return path if found else None


def _read(path: Path, table: tuple[str, ...]) -> Project:
    from pydantic import ValidationError

    from affnet.project.schema import Settings

    file = TomlFile.read(path, ProjectError, _MISSING)
    content: Any = file.content
    for name in table:
        content = content.get(name, {})
    project = Project(file, table, Settings())
    try:
        project = Project(file, table, Settings.model_validate(content))
    except ValidationError as error:
        # an unknown key first: it may be the missing one, misspelled
        found = min(error.errors(), key=lambda one: one["type"] != "extra_forbidden")
        location = tuple(part for part in found["loc"] if part in _places(content, found["loc"]))
        project.fail(location, _reason(found, Settings))
    _check_paths(project)
    return project


def _places(content: Any, location: Location) -> set[str | int]:
    """Return the parts of pydantic's location that are in the file, or would be its key."""
    there: set[str | int] = set()
    for part in location:
        if isinstance(content, dict) and isinstance(part, str):
            there.add(part)
            content = content.get(part)
        elif isinstance(content, list) and isinstance(part, int):
            there.add(part)
            content = content[part]
    return there


def _reason(found: Any, settings: type[Any]) -> str:
    kind, value = found["type"], found.get("input")
    if kind == "extra_forbidden":
        table = settings
        for part in found["loc"][:-1]:
            annotation = table.model_fields[part].annotation
            tables = [annotation, *getattr(annotation, "__args__", ())]
            table = next(one for one in tables if hasattr(one, "model_fields"))
        return f"is unknown{suggestion(str(found['loc'][-1]), table.model_fields)}"
    if kind == "literal_error":
        valid = re.findall(r"'([^']+)'", found["ctx"]["expected"])
        return f"{value!r} is unknown{suggestion(str(value), valid)}"
    if found["loc"][:2] == ("source", "image_size"):
        return f"must be a number such as 256, or height x width such as '256x320', not {value!r}"
    if kind == "missing":
        return "is missing; add it"
    return _KINDS.get(kind, f"is wrong: {found['msg'].lower()}").format(value)


def _check_paths(project: Project) -> None:
    """Raise `ProjectError` where a file or folder that must be there is not."""
    settings = project.settings
    source, calibration = settings.source, settings.export.calibration_data
    named: list[tuple[Location, str | None]] = [
        (("budgets",), settings.budgets),
        (("bench", "devices_file"), settings.bench.devices_file),
        (("export", "calibration_data"), None if calibration == "bundled" else calibration),
    ]
    if source is not None:
        model = source.model if is_path(source.model) else None
        named += [(("source", "model"), model)]
        named += [
            (("source", key), getattr(source, key)) for key in ("config", "weights", "labels")
        ]
    for location, text in named:
        if text is not None and not Path(project.resolve(text)).exists():
            project.fail(location, f"{text!r} does not exist; correct the path or remove the key")
