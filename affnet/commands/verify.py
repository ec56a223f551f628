"""``affnet verify``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from affnet import console
from affnet.commands.options import (
    ConfigOption,
    JsonOption,
    QuietOption,
    VerifyOnOption,
    WeightsOption,
)
from affnet.errors import UsageError


def verify(
    artifact: Annotated[
        Path,
        typer.Argument(
            help="An exported artifact, or any model file together with --against.  "
            "Default: what export wrote last."
        ),
    ] = Path(),
    against: Annotated[
        str | None, typer.Option(help="The source; default: the one it was exported from.")
    ] = None,
    config: ConfigOption = None,
    weights: WeightsOption = None,
    held_out: Annotated[
        bool, typer.Option("--held-out", help="Also on all held-out images of a bundled source.")
    ] = False,
    verify_on: VerifyOnOption = None,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Run a file and compare its outputs with PyTorch's; exit code 1 if they disagree.

    Example: affnet verify emoji.onnx --held-out
    A file of another tool: affnet verify their.mlpackage --against my.pt2
    """
    if weights is not None and against is None:
        raise UsageError("--weights fills the peer to compare with; name it with --against.")
    from affnet.artifact import Artifact
    from affnet.model.source_file import check_source_file

    if against is None:  # what needs no torch is found before its import, which takes seconds
        Artifact.open(artifact)
    else:
        check_source_file(against)
    with console.progress(quiet) as show:
        show(f"Running {artifact} and comparing it with PyTorch")
        from affnet.export.reporting import artifact as report
        from affnet.export.verification import compare
        from affnet.export.verification.open import inputs_for, open_subject
        from affnet.export.verification.user_inputs import read_inputs

        subject, opened, source = open_subject(artifact, against, config, weights)
        more = read_inputs(verify_on, subject.network_inputs(source)) if verify_on else ()
        inputs = [*inputs_for(subject, source), *more]
        parity = compare.verify_against(subject, source, inputs)
        agreement = compare.verify_held_out(subject, source) if held_out else None
    if json:
        verdict = report.verdict_record(subject, parity)
        record = report.parity_record(opened, parity) if opened else verdict
        if agreement:
            record["held_out"] = report.held_out_record(agreement)
        console.print_json(record)
    else:
        verdict = report.verdict_fields(subject, parity)
        fields = report.parity_fields(opened, parity) if opened else verdict
        console.print_fields(fields | (report.held_out_fields(agreement) if agreement else {}))
    if not parity.passed or (agreement and agreement.agreeing < agreement.images):
        raise typer.Exit(1)
