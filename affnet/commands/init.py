"""``affnet init``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from affnet import console


def init(
    source: Annotated[
        str | None,
        typer.Option(
            metavar="SOURCE",
            help="The project's model: a checkpoint, module:function or a name.  Default: the one "
            "checkpoint in this folder.",
        ),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Replace an existing affnet.toml.")
    ] = False,
) -> None:
    """Write a project file, affnet.toml, from what this folder holds, and say what was found.

    Example: affnet init --source checkpoint_ema_best.pt
    """
    from affnet.project.init import find, write

    found = find(Path(), source)
    written = write(Path(), found, force=force)
    console.print_fields(found.fields() | {"written": ", ".join(map(str, written))})
