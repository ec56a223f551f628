"""The file from which an interrupted training goes on."""

from __future__ import annotations

import io
import pickle
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from affnet.errors import UsageError
from affnet.files import write_whole

if TYPE_CHECKING:
    from training.loop import Progress, Recipe


def save_state(progress: Progress, recipe: Recipe, path: Path) -> None:
    """Write the state in one step, so that a kill at any time leaves a whole file."""
    content = io.BytesIO()
    torch.save(
        {
            "recipe": asdict(recipe),
            "epoch": progress.epoch,
            "seconds": progress.seconds,
            "model": progress.model.state_dict(),
            "average": progress.average.state_dict(),
            "optimizer": progress.optimizer.state_dict(),
        },
        content,
    )
    write_whole(path, content.getvalue())


def load_state(progress: Progress, recipe: Recipe, path: Path) -> None:
    """Continue from ``path`` if it exists.

    Raises:
        UsageError: it is no such file, or of a training with another recipe or network.
    """
    if not path.exists():
        return
    try:
        state = torch.load(path, weights_only=True)
        recipe_then = state["recipe"]
    except (OSError, RuntimeError, EOFError, KeyError, TypeError, pickle.UnpicklingError) as error:
        raise UsageError(f"{path} is not the state of a training; remove it.") from error
    if recipe_then != asdict(recipe):
        changed = [k for k, v in asdict(recipe).items() if recipe_then.get(k) != v]
        raise UsageError(
            f"{path} is of a training with other settings ({', '.join(changed)}); "
            "give the same options to go on, or another --output to begin anew."
        )
    try:
        progress.model.load_state_dict(state["model"])
        progress.average.load_state_dict(state["average"])
        progress.optimizer.load_state_dict(state["optimizer"])
    except (RuntimeError, ValueError) as error:
        raise UsageError(f"{path} is of another network; give another --output.") from error
    progress.epoch, progress.seconds = state["epoch"], state["seconds"]
    print(f"goes on after epoch {progress.epoch} of {path}", flush=True)
