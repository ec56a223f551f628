"""``affnet bench zoo``."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Annotated

import typer

from affnet import console
from affnet.commands.options import DevicesFileOption, JsonOption, QuietOption, StoreOption


def bench_zoo(
    only: Annotated[
        list[str] | None, typer.Option(help="Only this network; repeatable. Default: all.")
    ] = None,
    against: Annotated[
        str, typer.Option(help="The network that divides the others' latency.")
    ] = "mobilevit_xxs",
    device: Annotated[str, typer.Option(help="A name or user@host.")] = "host",
    devices_file: DevicesFileOption = None,
    runtime: Annotated[
        str, typer.Option(help="onnxruntime, litert, executorch, coreml (on a Mac) or torch.")
    ] = "onnxruntime",
    threads: Annotated[int, typer.Option(min=1)] = 1,
    preset: Annotated[
        str, typer.Option(help="default, quick, check, benchmark_model (50 runs) or mlperf.")
    ] = "quick",
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
    """Measure every AFFNet variant and every peer on one device, in turns.

    Example: affnet bench zoo --runtime litert --output zoo.md
    """
    from affnet.bench import output as bench_output
    from affnet.bench.measure import label_jobs
    from affnet.bench.protocol import get_protocol
    from affnet.bench.recorder import open_recorder
    from affnet.bench.sweep import sweep
    from affnet.devices.catalog import open_devices
    from affnet.export.prepare import open_or_export
    from affnet.model.zoo import choose
    from affnet.runtimes import get_runtime

    form = bench_output.choose(json=json, markdown=markdown, csv=csv)
    if output is not None:
        bench_output.check_target(output)
    protocol, engine, names = get_protocol(preset), get_runtime(runtime), choose(only, against)
    (place,) = open_devices(device, devices_file)
    place.check_runtime(runtime)
    with (
        tempfile.TemporaryDirectory(prefix="affnet-zoo-") as scratch,
        console.progress(quiet, animated=False) as show,
        open_recorder(store) as recorder,
    ):
        folder = Path(scratch)
        artifacts = [open_or_export(n, engine.format, None, "auto", folder, show) for n in names]
        recorder.peer = against
        jobs = label_jobs(artifacts, runtime)
        outcomes = sweep(
            jobs, [place], protocol, threads=threads, progress=show, keep=recorder.keep
        )
    code = bench_output.deliver(outcomes, against, form, output)
    raise typer.Exit(code or recorder.exit_code)
