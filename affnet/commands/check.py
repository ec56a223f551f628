"""``affnet check``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from affnet import console
from affnet.commands.cluster_client import Lab, about_this_client, on_cluster
from affnet.commands.options import (
    ClusterOption,
    DevicesFileOption,
    InsecureOption,
    JsonOption,
    NoCacheOption,
    QuietOption,
    StoreOption,
    parse_size,
)
from affnet.errors import UsageError
from affnet.files import scratch_folder

if TYPE_CHECKING:
    from affnet.bench.budgets.budget_file import Budgets
    from affnet.bench.budgets.devices import BudgetDevice
    from affnet.devices.base import Device


def check(
    context: typer.Context,
    results: Annotated[
        list[Path] | None,
        typer.Argument(help="Stored results (.json); without any, models are measured."),
    ] = None,
    budgets: Annotated[
        Path | None,
        typer.Option(
            help="A file of budgets.  Default: the project's, or budgets.toml; without one, the "
            "model must be no slower than its MobileViT."
        ),
    ] = None,
    baseline: Annotated[
        Path | None,
        typer.Option(help="Baseline: a results file, or a folder of baseline artifacts."),
    ] = None,
    devices_file: DevicesFileOption = None,
    max_rounds: Annotated[
        int,
        typer.Option(
            min=2,
            max=100,
            help="Maximum number of rounds; stops early once every budget is decided.",
        ),
    ] = 12,
    calibrate: Annotated[
        bool,
        typer.Option(
            "--calibrate", help="Measure the smallest change this machine can detect (A/A test)."
        ),
    ] = False,
    cluster: ClusterOption = None,
    insecure: InsecureOption = False,
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
    _no_cache: NoCacheOption = False,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Hold models to their latency, memory and size budgets: PASS, FAIL or INCONCLUSIVE.

    Example: affnet check --budgets budgets.toml --baseline main-build --junit check.xml
    """
    from affnet.bench.budgets import check as checking
    from affnet.bench.budgets.report import Targets, emit, show_calibration
    from affnet.bench.store.recorder import open_recorder
    from affnet.devices.catalog import open_devices
    from affnet.export.open_or_export import ModelOpener

    if results and (calibrate or output):
        option = "--calibrate" if calibrate else "--output"
        raise UsageError(
            f"{option} applies only when models are measured; remove the result files."
        )
    if cluster is not None and calibrate:
        raise UsageError("--calibrate is for devices of this machine", "run it on their host.")
    wanted, settings, size = _budgets(context, budgets, devices_file, bool(results))
    targets = Targets(junit, summary, output)
    targets.check()

    def find(name: str) -> Device:
        return open_devices(name, devices_file)[0]

    with (
        scratch_folder() as scratch,
        console.progress(quiet, animated=False) as show,
        open_recorder(None if results or calibrate else store) as recorder,
    ):
        open_model = ModelOpener(settings, size, scratch, show)
        if calibrate:
            found = checking.calibrate(wanted, find, open_model, rounds=max_rounds, progress=show)
        elif results:
            outcome = checking.evaluate_files(wanted, results, baseline)
        else:
            outcome = checking.measure_and_evaluate(
                wanted,
                baseline,
                _finder(find, cluster, context, insecure, quiet),
                open_model,
                max_rounds=max_rounds,
                progress=show,
                keep=recorder.keep,
            )
    if calibrate:
        show_calibration(found, as_json=json)
        return
    code = emit(outcome, wanted.path, targets, as_json=json, strict=strict)
    raise typer.Exit(code or recorder.exit_code)


def _finder(
    find: Callable[[str], Device],
    cluster: str | None,
    context: typer.Context,
    insecure: bool,
    quiet: bool,
) -> Callable[[str], BudgetDevice]:
    """Return what finds devices: here, or of a cluster, which is left when the command ends."""
    if cluster is None:
        from affnet.bench.budgets.devices import AttachedDevice

        return lambda name: AttachedDevice(find(name))
    from affnet.bench.budgets.on_cluster import LabBudgetDevice

    lab = Lab.of(context.with_resource(on_cluster(cluster, insecure, resumable=False)), quiet)
    about = about_this_client("check")
    return lambda name: LabBudgetDevice(lab.client, lab.devices(name)[0], about)


def _budgets(
    context: typer.Context, path: Path | None, devices_file: Path | None, judging: bool
) -> tuple[Budgets, dict[str, dict[str, Any]], tuple[int, int] | None]:
    """Return the budgets, what loading the project's model takes, and the size of all images."""
    from affnet.bench.budgets.budget_file import read_budgets
    from affnet.bench.budgets.default_budgets import default_budgets
    from affnet.project.default_source import project_model

    request = context.obj
    if path is not None:
        choice = project_model(request.project) if request.project else None
        settings = dict(choice.settings) if choice else {}
        size = parse_size(settings.pop("image_size", None))
        read = read_budgets(path, request.table, devices_file)
        return read, {choice.source: settings} if choice else {}, size
    if judging:
        return read_budgets(Path("budgets.toml")), {}, None
    comparison = request.take_comparison(None, None)
    model, why = comparison.names[0], request.choice.reason
    peer = comparison.peers.get(model)
    named = model if request.choice.bundled else f"{model}, {why},"
    bound = f"be no slower than {peer} and agree" if peer else "agree"
    request.note(f"No budgets found: {named} must {bound} with PyTorch.")
    budgets = default_budgets(model, peer)
    return budgets, comparison.settings, comparison.image_size
