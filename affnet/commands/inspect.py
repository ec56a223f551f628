"""``affnet inspect``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from affnet import console
from affnet.commands.options import JsonOption


def inspect(
    artifact: Annotated[Path, typer.Argument(help="A file that export made.")],
    json: JsonOption = False,
) -> None:
    """Show what an artifact holds: operators, size, inputs, FFT plan, precision, weights.

    Example: affnet inspect affnet_et.onnx --json
    """
    from affnet.artifact import Artifact
    from affnet.export.reporting.artifact import inspection_fields, inspection_record

    record = inspection_record(Artifact.open(artifact))
    if json:
        console.print_json(record)
    else:
        console.print_fields(inspection_fields(record))
