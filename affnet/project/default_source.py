"""The model of a command that names none.

It is the project's, else the one checkpoint in this folder, else the bundled trained network.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from affnet.errors import UsageError
from affnet.project.project_file import Project

#: The trained network that is taken where there is nothing else.
BUNDLED = "emoji"
PROGRAM_SUFFIX = ".pt2"
CHECKPOINT_SUFFIXES = (".pt", ".pth", ".ckpt", ".safetensors", PROGRAM_SUFFIX)


@dataclass(frozen=True)
class ModelChoice:
    """A SOURCE, as `affnet.model.source.load_source` takes it, and why it was taken."""

    source: str
    reason: str  # "the only checkpoint in this folder"
    # config, weights, labels: paths; ema: bool; image_size: "HxW"; those that were set
    settings: dict[str, Any] = field(default_factory=dict)
    bundled: bool = False  # for want of another

    def sentence(self, argument: str = "SOURCE") -> str:
        """Return what the user is told."""
        return f"No {argument} given: using {self.source}, {self.reason}."


def choose_source(project: Project | None, folder: Path = Path()) -> ModelChoice:
    """Return the model of a command that names none.

    Raises:
        UsageError: the project names none, and there are several checkpoints in ``folder``.
    """
    if project is not None and (choice := project_model(project)):
        return choice
    return checkpoint_in(folder) or ModelChoice(
        BUNDLED, "the bundled trained network (this folder has no checkpoint)", bundled=True
    )


def checkpoint_in(folder: Path) -> ModelChoice | None:
    """Return the one checkpoint or program in ``folder``; None if there is none.

    Raises:
        UsageError: there are several.
    """
    found = find_checkpoints(folder)
    if len(found) > 1:
        names = ", ".join(path.name for path in found)
        raise UsageError(
            f"There are {len(found)} checkpoints in this folder, {names}; name one as SOURCE, or "
            "in a project file: affnet init --source FILE."
        )
    return ModelChoice(str(found[0]), "the only checkpoint in this folder") if found else None


def find_checkpoints(folder: Path) -> list[Path]:
    """Return the checkpoints and programs in ``folder``, but not what ``affnet export`` wrote."""
    from affnet.artifact import manifest_path

    return sorted(
        path
        for path in folder.iterdir()
        if path.suffix in CHECKPOINT_SUFFIXES
        and path.is_file()
        and not (path.suffix == PROGRAM_SUFFIX and manifest_path(path).exists())
    )


def project_model(project: Project) -> ModelChoice | None:
    """Return the model that a project file names, None where it names none."""
    source, table = project.model(), project.settings.source
    if source is None or table is None:
        return None
    paths = {key: getattr(table, key) for key in ("config", "weights", "labels")}
    settings: dict[str, Any] = {
        key: Path(project.resolve(text)) for key, text in paths.items() if text is not None
    }
    if table.ema:
        settings["ema"] = True
    if table.image_size is not None:
        settings["image_size"] = str(table.image_size)
    return ModelChoice(source, f"the model of {project.path}", settings)
