"""The model of a command that names none: this folder's checkpoint, else the bundled network."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from affnet.errors import UsageError

#: The trained network that is taken where there is nothing else.
BUNDLED = "emoji"
_PROGRAM = ".pt2"
CHECKPOINT_SUFFIXES = (".pt", ".pth", ".ckpt", ".safetensors", _PROGRAM)


@dataclass(frozen=True)
class ModelChoice:
    """A SOURCE, as `affnet.model.source.load_source` takes it, and why it was taken."""

    source: str
    reason: str  # "the only checkpoint in this folder"

    def sentence(self) -> str:
        """Return what the user is told."""
        return f"No SOURCE given: using {self.source}, {self.reason}."


def choose_source(folder: Path = Path()) -> ModelChoice:
    """Return the model of a command that names none.

    Raises:
        UsageError: there are several checkpoints in ``folder``.
    """
    return checkpoint_in(folder) or ModelChoice(
        BUNDLED, "the bundled trained network (this folder has no checkpoint)"
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
        and not (path.suffix == _PROGRAM and manifest_path(path).exists())
    )
