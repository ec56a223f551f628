"""``affnet bench``."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Annotated

import typer

from affnet import console
from affnet.commands.options import FftOption, JsonOption, QuietOption, SizeOption, parse_size


def bench(
    models: Annotated[list[str], typer.Argument(help="Artifacts, or sources to export first.")],
    against: Annotated[
        list[str] | None, typer.Option(help="A peer to measure in turns; the first one divides.")
    ] = None,
    device: Annotated[str, typer.Option(help="host.")] = "host",
    runtime: Annotated[
        str, typer.Option(help="onnxruntime, litert, executorch, coreml (on a Mac) or torch.")
    ] = "onnxruntime",
    threads: Annotated[int, typer.Option(min=1)] = 1,
    preset: Annotated[
        str, typer.Option(help="default, quick, benchmark_model (50 runs) or mlperf.")
    ] = "default",
    image_size: SizeOption = None,
    fft: FftOption = "auto",
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Also write here: .json, .md or .csv.")
    ] = None,
    json: JsonOption = False,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print Markdown.")] = False,
    csv: Annotated[bool, typer.Option("--csv", help="Print CSV.")] = False,
    quiet: QuietOption = False,
) -> None:
    """Measure latency, memory and load time, each model in a fresh process, in turns.

    Example: affnet bench affnet_et --against mobilevit_xxs --threads 1
    """
    from affnet.bench import output as bench_output
    from affnet.bench.measure import label_jobs, measure, relate_to_peer
    from affnet.bench.protocol import get_protocol
    from affnet.devices import get_device
    from affnet.export.prepare import open_or_export
    from affnet.runtimes import check_measurable, get_runtime

    form = bench_output.choose(json=json, markdown=markdown, csv=csv)
    if output is not None:
        bench_output.check_target(output)
    protocol, place, engine = get_protocol(preset), get_device(device), get_runtime(runtime)
    check_measurable(engine)
    engine.version()  # missing? say so before anything is exported
    names = list(dict.fromkeys([*models, *(against or [])]))
    with (
        tempfile.TemporaryDirectory(prefix="affnet-bench-") as scratch,
        console.progress(quiet, animated=False) as show,
    ):
        size = parse_size(image_size)
        artifacts = [
            open_or_export(n, engine.format, size, fft, Path(scratch), show) for n in names
        ]
        jobs = label_jobs(artifacts, runtime)
        results = measure(jobs, place, protocol, threads=threads, progress=show)
    if against:
        results = relate_to_peer(results, jobs[names.index(against[0])].label)
    bench_output.show(results, form)  # first: a full disk must not cost the measurement
    if output is not None:
        bench_output.write(results, output)
