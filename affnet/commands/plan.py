"""``affnet plan``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from affnet import console
from affnet.commands.options import (
    RUNTIME_NAMES,
    JsonOption,
    QuietOption,
    RuntimeName,
    SizeOption,
    parse_size,
)
from affnet.errors import UsageError

if TYPE_CHECKING:
    from affnet.export.fourier.plans.base import MapSize


def plan(
    source: Annotated[
        str | None, typer.Argument(help="The network whose maps to plan for.  Default: affnet.")
    ] = None,
    image_size: SizeOption = None,
    map_size: Annotated[
        str | None, typer.Option("--size", metavar="HxW", help="One map instead of a network's.")
    ] = None,
    channels: Annotated[int | None, typer.Option(min=8, help="Of that map.")] = None,
    runtime: Annotated[
        RuntimeName | None,
        typer.Option(
            metavar="RUNTIME",
            help=f"{RUNTIME_NAMES}; default: the first that the device is at home in; coreml on a "
            "Mac.",
        ),
    ] = None,
    measure: Annotated[
        bool, typer.Option("--measure", help="Also time the plans, and remember.")
    ] = False,
    device: Annotated[str, typer.Option(help="Where they are timed: a name, user@host.")] = "host",
    threads: Annotated[int, typer.Option(min=1)] = 1,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Show the DFT plans for each map, what they cost, and which one an export takes.

    Example: affnet plan affnet_et --image-size 512 --runtime litert --measure
    """
    if (map_size is None) != (channels is None):
        raise UsageError("--size and --channels describe one map; give both or neither.")
    if map_size is not None and (source or image_size):
        raise UsageError("--size describes one map; drop SOURCE and --image-size.")
    if device != "host" and not measure:
        raise UsageError("--device says where plans are timed; add --measure.")
    from affnet.export.autotuning.plan_cache import PlanCache
    from affnet.export.autotuning.plan_timing import measure_plans
    from affnet.export.reporting import plans
    from affnet.runtimes import get_runtime

    runtime, measured = runtime or _usual_runtime(device), None
    with console.progress(quiet, animated=False) as show:
        sizes = _sizes(source or "affnet", image_size, map_size, channels)
        if measure:
            from affnet.bench.measurement.timer import open_timer

            with open_timer(device, runtime, threads, show) as timer:
                measured = measure_plans(
                    sizes, get_runtime(runtime).format, timer, PlanCache(), show
                )
    record = plans.plan_record(runtime, sizes, measured)
    if json:
        console.print_json(record)
    else:
        console.print_table(plans.plan_table(record))


def _usual_runtime(device: str) -> RuntimeName:
    from affnet.devices.catalog import get_device

    return get_device(device).capabilities.home_runtimes[0]


def _sizes(
    source: str, image_size: str | None, map_size: str | None, channels: int | None
) -> list[MapSize]:
    from affnet.export.fourier.planner import filter_maps
    from affnet.export.fourier.plans.base import MapSize
    from affnet.model.source_file import check_source_file

    if map_size is not None and channels is not None:
        sides = parse_size(map_size, option="--size")
        assert sides is not None
        if channels % 8:
            raise UsageError(f"--channels {channels} is no multiple of 8, AFFNet's blocks.")
        if 0 in sides:
            raise UsageError(f"--size {map_size} is empty; each side must be at least 1.")
        return [MapSize(channels, *sides)]
    size = parse_size(image_size)
    check_source_file(source)
    from affnet.model.source import load_source

    loaded = load_source(source, image_size=size)
    shape = loaded.input.static_shape()
    if size and loaded.input.is_image:
        loaded.size_rule.check(loaded.name, *size)
        shape = (*shape[:2], *size)
    sizes = list(dict.fromkeys(filter_maps(loaded.model, shape).values()))
    if not sizes:
        raise UsageError(f"{source} has no frequency filter, so that there is nothing to plan.")
    return sizes
