"""``affnet bench``."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from affnet import console
from affnet.commands.options import (
    DevicesFileOption,
    JsonOption,
    QuietOption,
    SizeOption,
    StoreOption,
    WeightsOption,
    parse_size,
)
from affnet.commands.two_words import refuse_second_words
from affnet.errors import UsageError

if TYPE_CHECKING:
    from affnet.bench.measurement.interleaved import Job


def bench(
    models: Annotated[
        list[str],
        typer.Argument(help="Artifacts, or sources to export first.", callback=refuse_second_words),
    ],
    against: Annotated[
        list[str] | None, typer.Option(help="A peer to measure in turns; the first one divides.")
    ] = None,
    device: Annotated[str, typer.Option(help="A name, user@host or several: host,rpi.")] = "host",
    devices_file: DevicesFileOption = None,
    install: Annotated[
        bool, typer.Option("--install", help="Install what is missing on a board, in a venv there.")
    ] = False,
    runner_dir: Annotated[
        Path | None, typer.Option(help="The folder with the runtime's tool for a phone.")
    ] = None,
    compute_units: Annotated[
        str | None, typer.Option(help="Of Core ML: all, cpu_only, cpu_and_gpu or cpu_and_ne.")
    ] = None,
    profile: Annotated[
        bool, typer.Option("--profile", help="Also tell the time of each operator, run apart.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what it would do.")] = False,
    runtime: Annotated[
        str, typer.Option(help="onnxruntime, litert, executorch, coreml (on a Mac) or torch.")
    ] = "onnxruntime",
    threads: Annotated[int, typer.Option(min=1)] = 1,
    preset: Annotated[
        str, typer.Option(help="default, quick, check, benchmark_model (50 runs) or mlperf.")
    ] = "default",
    sustained: Annotated[
        float | None,
        typer.Option(
            metavar="MINUTES", min=0.1, help="Run each so long; tell whether it throttles."
        ),
    ] = None,
    image_size: SizeOption = None,
    fft: Annotated[
        str, typer.Option("--fft", help="Of sources that are exported: auto, native or a plan.")
    ] = "auto",
    weights: WeightsOption = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Also write here: .json, .md, .csv; add to .jsonl."),
    ] = None,
    store: StoreOption = None,
    json: JsonOption = False,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print Markdown.")] = False,
    csv: Annotated[bool, typer.Option("--csv", help="Print CSV.")] = False,
    quiet: QuietOption = False,
) -> None:
    """Measure latency, memory and load time, each model in a fresh process, in turns.

    Example: affnet bench affnet_et --against mobilevit_xxs --threads 1

    The whole field in one run: affnet bench zoo.  Token mixers over map sizes: affnet bench mixers.
    Each has a --help of its own.
    """
    from affnet.bench.measurement import dry_run as plan
    from affnet.bench.measurement.protocol import choose_protocol
    from affnet.bench.measurement.sweep import sweep
    from affnet.bench.reporting import output as bench_output
    from affnet.bench.store.recorder import open_recorder
    from affnet.devices.catalog import open_devices
    from affnet.runtimes import get_runtime

    form = bench_output.choose(json=json, markdown=markdown, csv=csv)
    if output is not None:
        bench_output.check_target(output)
    protocol = choose_protocol(preset, sustained)
    get_runtime(runtime)  # unknown? say so first
    size = parse_size(image_size)
    places = open_devices(
        device,
        devices_file,
        install=install or None,
        runner=str(runner_dir) if runner_dir else None,
        compute_units=compute_units,
    )
    names = list(dict.fromkeys([*models, *(against or [])]))
    if dry_run:
        steps = {p.name: plan.steps(names, p, runtime, threads, protocol, profile) for p in places}
        plan.show(steps, json)
        return
    if len(places) == 1:  # missing? say so before anything is exported
        places[0].check_runtime(runtime)
    with (
        tempfile.TemporaryDirectory(prefix="affnet-bench-") as scratch,
        console.progress(quiet, animated=False, lines=[p.name for p in places]) as show,
        open_recorder(store) as recorder,
    ):
        jobs = _jobs(names, weights, runtime, size, fft, Path(scratch), show)
        recorder.peer = peer = jobs[names.index(against[0])].label if against else None
        outcomes = sweep(
            jobs,
            places,
            protocol,
            threads=threads,
            profile=profile,
            progress=show,
            keep=recorder.keep,
        )
    raise typer.Exit(bench_output.deliver(outcomes, peer, form, output) or recorder.exit_code)


def _jobs(
    names: list[str],
    weights: Path | None,
    runtime: str,
    size: tuple[int, int] | None,
    fft: str,
    folder: Path,
    show: Callable[[str], None],
) -> list[Job]:
    """Open or export what is to be measured."""
    from affnet.bench.measurement.interleaved import label_jobs
    from affnet.export.open_or_export import open_or_export
    from affnet.runtimes import get_runtime

    format_ = get_runtime(runtime).format
    artifacts = [
        open_or_export(name, format_, size, fft, folder, show, own)
        for name, own in _weights_of(names, weights).items()
    ]
    return label_jobs(artifacts, runtime)


def _weights_of(names: list[str], weights: Path | None) -> dict[str, Path | None]:
    """Return each name with ``--weights`` if it is for that one, the only peer."""
    if weights is None:
        return dict.fromkeys(names)
    from affnet.model.source import is_peer

    peers = [name for name in names if is_peer(name)]
    if not peers:
        raise UsageError("--weights fills a peer, such as mobilevit_xxs, and here is none.")
    if len(peers) > 1:
        raise UsageError(
            f"--weights fills one peer, and these are {len(peers)}: {', '.join(peers)}; export "
            "each with its own and name the files."
        )
    return {name: weights if name in peers else None for name in names}
