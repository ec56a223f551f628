"""``affnet bench mixers``."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from affnet import console
from affnet.commands.options import (
    ClusterOption,
    DevicesFileOption,
    InsecureOption,
    JsonOption,
    Preset,
    QuietOption,
    StoreOption,
    parse_size,
)
from affnet.errors import UnknownNameError, UsageError
from affnet.names import split_names
from affnet.runtimes import RUNTIMES
from affnet.units import image_size

if TYPE_CHECKING:
    from affnet.bench.mixers.grid import MixerProperties, Setting
    from affnet.bench.mixers.run import Export


def bench_mixers(
    context: typer.Context,
    mixers: Annotated[
        str | None, typer.Option(help="Names, such as aff,attention,pool.  Default: all.")
    ] = None,
    sizes: Annotated[
        str, typer.Option(metavar="HxW,..", help="Map sizes; one number for both sides.")
    ] = "8,16,32,64",
    channels: Annotated[str, typer.Option(help="Of the maps, multiples of 8.")] = "128",
    runtime: Annotated[
        str | None,
        typer.Option(
            help=f"One or several of {', '.join(RUNTIMES)}; default: the first that the device is "
            "at home in."
        ),
    ] = None,
    formats: Annotated[
        str | None,
        typer.Option(help="Also try to export, at the first size: onnx,tflite,.. or all."),
    ] = None,
    device: Annotated[str, typer.Option(help="A name or user@host.")] = "host",
    devices_file: DevicesFileOption = None,
    threads: Annotated[int, typer.Option(min=1)] = 1,
    preset: Annotated[Preset, typer.Option(help="How long to measure.")] = "quick",
    cluster: ClusterOption = None,
    insecure: InsecureOption = False,
    plot: Annotated[
        Path | None, typer.Option(help="Also draw latency over tokens here: .png or .svg.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Also write here: .json, .md or .csv.")
    ] = None,
    store: StoreOption = None,
    json: JsonOption = False,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print Markdown.")] = False,
    csv: Annotated[bool, typer.Option("--csv", help="Print the latencies as CSV.")] = False,
    quiet: QuietOption = False,
) -> None:
    """Measure token mixers alone over map sizes, side by side, and how their latency grows.

    Example: affnet bench mixers --mixers aff,attention,pool --sizes 16,32,64 --plot mixers.png
    """
    from affnet.bench.measurement.protocol import get_protocol
    from affnet.bench.mixers import delivery
    from affnet.bench.mixers.run import Run
    from affnet.bench.reporting import output as bench_output
    from affnet.bench.store.recorder import open_recorder
    from affnet.commands.bench_places import open_places

    form = bench_output.choose(json=json, markdown=markdown, csv=csv)
    delivery.check_targets(output, plot)
    protocol = get_protocol(preset)
    where = open_places(context, device, devices_file, {}, cluster, insecure, False, quiet)
    place = where.only("Mixers are measured")
    settings = _settings(runtime or place.capabilities.home_runtimes[0], channels, sizes)
    for name in dict.fromkeys(setting.runtime for setting in settings):
        place.check_runtime(name)
    names, others = _mixers(mixers), _formats(formats)
    with console.progress(quiet, animated=False) as show, open_recorder(store) as recorder:
        show("Loading the mixers")
        measure = functools.partial(
            where.measure_batches,
            protocol=protocol,
            command="bench mixers",
            threads=threads,
            progress=show,
            recorder=recorder,
        )
        run = Run(_properties(names), _exporter(), measure, show)
        recorder.peer = run.peers
        grid = run.measure(settings, others)
    raise typer.Exit(delivery.emit(grid, form, output, plot) or recorder.exit_code)


def _exporter() -> Export:
    from affnet.export.token_mixers import export_mixer

    return export_mixer


def _settings(runtimes: str, channels: str, sizes: str) -> list[Setting]:
    """Return every combination, the smallest maps of each runtime and width first."""
    from affnet.bench.mixers.grid import Setting
    from affnet.runtimes import get_runtime

    names = [get_runtime(name).name for name in _listed(runtimes, "--runtime")]
    maps = [parse_size(size, option="--sizes") for size in _listed(sizes, "--sizes")]
    widths = _listed(channels, "--channels")
    for width in widths:
        if not width.isdecimal() or int(width) % 8 or int(width) == 0:
            raise UsageError(f"--channels {width} is no multiple of 8, AFF's blocks.")
    if empty := next((size for size in maps if size and 0 in size), None):
        raise UsageError(f"--sizes {image_size(*empty)} is empty; each side must be at least 1.")
    pairs = sorted((size for size in maps if size), key=lambda size: size[0] * size[1])
    return [
        Setting(name, int(width), *size) for name in names for width in widths for size in pairs
    ]


def _mixers(text: str | None) -> list[str]:
    """Return the mixers asked for, with the reference of all ratios."""
    from affnet.bench.mixers.grid import REFERENCE
    from affnet.model.mixers import MIXERS

    if text is None:
        return list(MIXERS)
    names = _listed(text, "--mixers")
    for name in names:
        if name not in MIXERS:
            raise UnknownNameError("token mixer", name, MIXERS)
    return list(dict.fromkeys([REFERENCE, *names]))


def _properties(names: Sequence[str]) -> list[MixerProperties]:
    from affnet.bench.mixers.grid import MixerProperties
    from affnet.model.mixers import get_mixer

    kinds = {name: get_mixer(name) for name in names}
    return [
        MixerProperties(name, kind.source, kind.complexity, kind.is_global, kind.adapts)
        for name, kind in kinds.items()
    ]


def _formats(text: str | None) -> list[str]:
    """Return the formats to try, all of which must be installed unless all are meant."""
    from affnet.export.all_formats import installed_formats
    from affnet.export.converters import check_installed, get_converter

    if text is None:
        return []
    if text == "all":
        return installed_formats()[0]
    names = _listed(text, "--formats")
    for name in names:
        check_installed(get_converter(name))
    return names


def _listed(text: str, option: str) -> list[str]:
    names = split_names(text)
    if not names:
        raise UsageError(f"{option} names nothing.")
    return names
