"""``affnet inspect``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from affnet import console
from affnet.commands.options import JsonOption


def inspect(
    artifact: Annotated[Path, typer.Argument(help="A file that export made, or another tool.")],
    json: JsonOption = False,
) -> None:
    """Show what an artifact holds: operators, size, inputs, FFT plan, precision, weights.

    Example: affnet inspect affnet_et.onnx --json
    """
    from affnet.export.reporting.artifact import inspection_fields, inspection_record
    from affnet.runtimes.foreign import describe_file

    record = inspection_record(describe_file(artifact))
    if json:
        console.print_json(record)
    else:
        console.print_fields(inspection_fields(record))
