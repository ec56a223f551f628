"""``affnet bench``."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Annotated

import typer

from affnet import console
from affnet.commands.options import (
    AcceleratorOption,
    ClusterOption,
    ComputeUnits,
    DevicesFileOption,
    InsecureOption,
    JsonOption,
    NoCacheOption,
    Preset,
    QuietOption,
    RuntimesOption,
    SizeOption,
    StoreOption,
    WeightsOption,
    parse_size,
)
from affnet.commands.two_words import refuse_second_words
from affnet.files import scratch_folder


def bench(
    context: typer.Context,
    models: Annotated[
        list[str] | None,
        typer.Argument(
            help="Artifacts, or sources to export first.  Default: the project's model or this "
            "folder's checkpoint beside its peer, else each AFFNet variant beside its MobileViT.",
            callback=refuse_second_words,
        ),
    ] = None,
    against: Annotated[
        list[str] | None,
        typer.Option(
            help="Peer to compare with, in turns: PEER, several with commas, or MODEL:PEER.  A "
            "ratio is to the model's pair, else its published rival, else the first.",
            rich_help_panel="Model",
        ),
    ] = None,
    every_ratio: Annotated[
        bool,
        typer.Option(
            "--every-ratio", help="A column of ratios for each peer.", rich_help_panel="Model"
        ),
    ] = False,
    device: Annotated[
        str, typer.Option(help="A name, user@host or several: host,rpi.", rich_help_panel="Device")
    ] = "host",
    devices_file: DevicesFileOption = None,
    install: Annotated[
        bool,
        typer.Option(
            "--install",
            help="Install what is missing on a board, in a venv there.",
            rich_help_panel="Device",
        ),
    ] = False,
    runner_dir: Annotated[
        Path | None,
        typer.Option(
            help="The folder with the runtime's tool for a phone.", rich_help_panel="Device"
        ),
    ] = None,
    compute_units: Annotated[
        ComputeUnits | None, typer.Option(help="Of Core ML.", rich_help_panel="Device")
    ] = None,
    accelerator: AcceleratorOption = None,
    profile: Annotated[
        bool,
        typer.Option(
            "--profile",
            help="Also report per-operator time, from a separate profiled run.",
            rich_help_panel="Measurement",
        ),
    ] = False,
    energy: Annotated[
        bool,
        typer.Option(
            "--energy",
            help="Also report the energy of an inference, from a separate run of 20 s; "
            "on phones of minutes.",
            rich_help_panel="Measurement",
        ),
    ] = False,
    pipeline: Annotated[
        bool,
        typer.Option(
            "--pipeline",
            help="From a picture's file to the answer: preprocessing, inference, postprocessing.",
            rich_help_panel="Measurement",
        ),
    ] = False,
    picture: Annotated[
        Path | None,
        typer.Option(
            help="That --pipeline begins with; default: a JPEG of 1280x960.",
            rich_help_panel="Measurement",
        ),
    ] = None,
    require_placement: Annotated[
        float | None,
        typer.Option(
            metavar="PERCENT",
            min=0,
            max=100,
            help="Fail unless so many of the operators run where they were asked to.",
            rich_help_panel="Measurement",
        ),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what it would do.")] = False,
    runtime: RuntimesOption = None,
    threads: Annotated[int, typer.Option(min=1, rich_help_panel="Device")] = 1,
    preset: Annotated[
        Preset, typer.Option(help="How long to measure.", rich_help_panel="Measurement")
    ] = "default",
    sustained: Annotated[
        float | None,
        typer.Option(
            metavar="MINUTES",
            min=0.1,
            help="Run each for so long; report thermal throttling.",
            rich_help_panel="Measurement",
        ),
    ] = None,
    cluster: ClusterOption = None,
    insecure: InsecureOption = False,
    image_size: SizeOption = None,
    fft: Annotated[
        str,
        typer.Option(
            "--fft",
            help="Of sources that are exported: auto, native or a plan.",
            rich_help_panel="Model",
        ),
    ] = "auto",
    weights: WeightsOption = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Also write here: .json, .md, .csv; add to .jsonl."),
    ] = None,
    store: StoreOption = None,
    _no_cache: NoCacheOption = False,
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
    from affnet.bench.measurement.dry_run import show_steps
    from affnet.bench.measurement.pictures import picture_of
    from affnet.bench.measurement.protocol import choose_protocol, from_picture
    from affnet.bench.reporting import output as bench_output
    from affnet.bench.store.recorder import open_recorder
    from affnet.commands import bench_models
    from affnet.commands.bench_places import open_places

    form = bench_output.choose(json=json, markdown=markdown, csv=csv)
    if output is not None:
        bench_output.check_target(output)
    protocol = dataclasses.replace(choose_protocol(preset, sustained), energy=energy)
    if pipeline or picture is not None:
        protocol = from_picture(protocol, picture_of(picture))
    settings = {
        "install": install or None,
        "runner": str(runner_dir) if runner_dir else None,
        "compute_units": compute_units,
        "accelerator": accelerator,
    }
    where = open_places(context, device, devices_file, settings, cluster, insecure, dry_run, quiet)
    chosen = bench_models.choose_models(context, models, against, parse_size(image_size), weights)
    plan = bench_models.runtimes_of(chosen, runtime, where.devices, exporting=not dry_run)
    if dry_run:
        bench_models.check_models(chosen, plan.every())
        show_steps(chosen.names, where.attached, plan.runtimes, threads, protocol, profile, json)
        return
    with (
        scratch_folder() as scratch,
        console.progress(quiet, animated=False, lines=where.names()) as show,
        open_recorder(store) as recorder,
    ):
        jobs = bench_models.export_jobs(chosen, plan.every(), fft, scratch, show)
        recorder.peer = peer = bench_models.related(chosen, jobs)
        outcomes = where.measure(
            jobs, plan, protocol, threads=threads, profile=profile, progress=show, recorder=recorder
        )
        recorder.keep_failures(outcomes)
    for sentence in plan.left_out:
        console.note(sentence, quiet)
    every = bench_models.peers(chosen, jobs) if every_ratio else []
    code = bench_output.emit(
        outcomes, peer, form, output, every_peer=every, placed_percent=require_placement
    )
    raise typer.Exit(code or recorder.exit_code)
