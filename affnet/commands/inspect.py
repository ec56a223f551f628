"""``affnet inspect``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from affnet import console
from affnet.commands.options import JsonOption, completing
from affnet.runtimes.operator_rules.rules import TARGETS


def inspect(
    artifact: Annotated[Path, typer.Argument(help="A file that export made, or another tool.")],
    target: Annotated[
        str | None,
        typer.Option(
            "--for",
            metavar="TARGET",
            autocompletion=completing(*TARGETS),
            help=f"Predict which operators would fall back there: {', '.join(TARGETS)}.",
        ),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Show what an artifact holds: operators, size, inputs, FFT plan, precision, weights.

    Example: affnet inspect affnet_et.onnx --json

    Before there is a phone: affnet inspect affnet_et.tflite --for tflite-gpu
    """
    from affnet.export.reporting.artifact import inspection_fields, inspection_record
    from affnet.export.reporting.prediction import prediction_fields, prediction_record
    from affnet.runtimes.foreign import describe_file

    opened = describe_file(artifact)
    record = inspection_record(opened)
    prediction = prediction_record(opened, target) if target is not None else None
    if json:
        console.print_json(record | ({"prediction": prediction} if prediction else {}))
    else:
        console.print_fields(
            inspection_fields(record) | (prediction_fields(prediction) if prediction else {})
        )
