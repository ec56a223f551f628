"""What a folder holds that a project file can name, and the file that names it."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

from affnet.errors import UsageError
from affnet.files import is_path, write_whole
from affnet.project.default_source import PROGRAM_SUFFIX, checkpoint_in
from affnet.project.project_file import BUDGETS, LABELS, NAME, pyproject_in
from affnet.project.schema import schema_file
from affnet.reading import existing_file
from affnet.units import image_size

_SCHEMA = "affnet.schema.json"


@dataclass(frozen=True)
class Findings:
    """What a project file can name; None is what is not there."""

    model: str | None
    config: str | None
    image_size: tuple[int, int] | None  # of the config, height and width
    labels: str | None
    budgets: str | None

    def fields(self) -> dict[str, str]:
        """Return what the user is told, name to value."""
        size = image_size(*self.image_size) if self.image_size else None
        return {
            "model": self.model or "none found: commands take the bundled emoji",
            "config": self.config or "none found",
            "image size": size or "the model's own",
            "labels": self.labels or "none found",
            "budgets": self.budgets or "none found",
        }


def find(folder: Path, source: str | None = None) -> Findings:
    """Look for what a project file can name; ``source`` is its model if it is given.

    Raises:
        UsageError: there are several checkpoints, or no file ``source``.
        ConfigError: the config beside the checkpoint cannot be read.
    """
    model = source
    if source is not None and is_path(source):
        existing_file(folder / source, "a checkpoint or a program")
    elif source is None and (choice := checkpoint_in(folder)):
        model = Path(choice.source).name
    budgets = BUDGETS if (folder / BUDGETS).is_file() else None
    if model is None or not is_path(model) or Path(model).suffix == PROGRAM_SUFFIX:
        return Findings(model, None, None, None, budgets)
    from affnet.model.config import find_config, read_config

    path = folder / model
    config = find_config(path)
    labels = path.with_name(LABELS)
    return Findings(
        model,
        _from(folder, config) if config else None,
        read_config(config).image_size if config else None,
        _from(folder, labels) if labels.is_file() else None,
        budgets,
    )


def write(folder: Path, found: Findings, *, force: bool = False) -> list[Path]:
    """Write the project file and, for editors, its schema; return both.

    Raises:
        UsageError: there is a project file already, and not ``force``.
        OutputError: they cannot be written.
    """
    path, schema = folder / NAME, folder / _SCHEMA
    if path.exists() and not force:
        raise UsageError(f"{path} exists; edit it, or replace it with --force.")
    if (other := pyproject_in(folder)) and not force:
        raise UsageError(
            f"{other} holds [tool.affnet] already, which {NAME} would hide; edit it, or add "
            "--force."
        )
    write_whole(schema, schema_file().read_text(encoding="utf-8"))
    write_whole(path, text_of(found))
    return [path, schema]


def text_of(found: Findings) -> str:
    """Return the project file: what was found, and as comments what else can be said."""
    size = image_size(*found.image_size) if found.image_size else None
    source = {
        "model": found.model,
        "config": found.config,
        "image_size": size,
        "labels": found.labels,
    }
    entries = [f"{key} = {_quoted(value)}" for key, value in source.items() if value]
    budgets = f"budgets = {_quoted(found.budgets)}\n\n" if found.budgets else ""
    return f"""\
#:schema ./{_SCHEMA}
# Options on the command line win; docs/project.md explains every key.
{budgets}{_section("source", entries, 'model = "checkpoint.pt"')}
[export]
formats = ["onnx"]  # and "coreml", "tflite", "executorch"
output = "build"

[bench]
# peers = ["mobilevit_s"]  # default: the MobileViT of the model's size
devices = ["host"]  # and others that affnet devices shows
"""


def _section(name: str, entries: list[str], example: str) -> str:
    if not entries:
        return f"# [{name}]\n# {example}\n"
    return "\n".join([f"[{name}]", *entries, ""])


def _quoted(text: str) -> str:
    """Return a text as TOML writes it, which for printable ones is as JSON does."""
    return json.dumps(text, ensure_ascii=False)


def _from(folder: Path, path: Path) -> str:
    """Return a path as one from ``folder``."""
    return os.path.relpath(path, folder)
