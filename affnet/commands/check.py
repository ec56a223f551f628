"""``affnet check``."""

from __future__ import annotations

import functools
import tempfile
from pathlib import Path
from typing import Annotated, Any

import typer

from affnet import console
from affnet.commands.options import DevicesFileOption, JsonOption, QuietOption, StoreOption
from affnet.errors import UsageError


def check(
    results: Annotated[
        list[Path] | None,
        typer.Argument(help="Stored results (.json); without any, models are measured."),
    ] = None,
    budgets: Annotated[Path, typer.Option(help="The budgets.")] = Path("budgets.toml"),
    baseline: Annotated[
        Path | None,
        typer.Option(help="Results of before, or a folder with the artifacts of before."),
    ] = None,
    devices_file: DevicesFileOption = None,
    max_rounds: Annotated[
        int, typer.Option(min=2, max=100, help="Measure at most so often; fewer if it is clear.")
    ] = 12,
    calibrate: Annotated[
        bool,
        typer.Option(
            "--calibrate", help="Measure the smallest change this machine can detect (A/A test)."
        ),
    ] = False,
    strict: Annotated[
        bool, typer.Option("--strict", help="Exit with 1 if a budget stays undecided, too.")
    ] = False,
    junit: Annotated[Path | None, typer.Option(help="Also write JUnit XML here.")] = None,
    summary: Annotated[Path | None, typer.Option(help="Also append Markdown here.")] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Keep the results here: .json, or add to .jsonl."),
    ] = None,
    store: StoreOption = None,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Hold models to their latency, memory and size budgets: PASS, FAIL or INCONCLUSIVE.

    Example: affnet check --budgets budgets.toml --baseline main-build --junit check.xml
    """
    from affnet.bench.budgets import check as checking
    from affnet.bench.budgets.budget_file import read_budgets
    from affnet.bench.budgets.report import Targets, emit, show_calibration
    from affnet.bench.store.recorder import open_recorder
    from affnet.devices.catalog import open_devices
    from affnet.export.open_or_export import open_or_export
    from affnet.runtimes import get_runtime

    if results and (calibrate or output):
        option = "--calibrate" if calibrate else "--output"
        raise UsageError(f"{option} is for what is measured; leave the stored results away.")
    wanted = read_budgets(budgets)
    targets = Targets(junit, summary, output)
    targets.check()

    def find(name: str) -> Any:
        return open_devices(name, devices_file)[0]

    with (
        tempfile.TemporaryDirectory(prefix="affnet-check-") as scratch,
        console.progress(quiet, animated=False) as show,
        open_recorder(None if results or calibrate else store) as recorder,
    ):

        @functools.cache  # a source that several budgets name is exported once
        def open_model(source: str, runtime: str) -> Any:
            return open_or_export(
                source, get_runtime(runtime).format, None, "auto", Path(scratch), show
            )

        if calibrate:
            found = checking.calibrate(wanted, find, open_model, rounds=max_rounds, progress=show)
        elif results:
            outcome = checking.evaluate_files(wanted, results, baseline)
        else:
            outcome = checking.measure_and_evaluate(
                wanted,
                baseline,
                find,
                open_model,
                max_rounds=max_rounds,
                progress=show,
                keep=recorder.keep,
            )
    if calibrate:
        show_calibration(found, as_json=json)
        return
    code = emit(outcome, budgets, targets, as_json=json, strict=strict)
    raise typer.Exit(code or recorder.exit_code)
