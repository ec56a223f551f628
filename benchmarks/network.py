"""Compare whole networks on one runtime: AFFNet, by native FFT, without mixers, and its peer.

    python benchmarks/network.py --runtime onnxruntime --threads 1 --output network.json
    python benchmarks/network.py --runtime litert --variants affnet --size 512 512
    python benchmarks/network.py --variants affnet_deeplabv3 affnet_ssdlite

Each network has its own size unless told otherwise.  The floor is AFFNet with every frequency
filter taken out, from the same exporter: what no DFT plan can beat.  All networks are measured in
one run, each in its own process, in turns.
"""

from __future__ import annotations

import argparse
import dataclasses
import tempfile
from collections.abc import Sequence
from pathlib import Path

from torch import nn

from affnet.artifact import Artifact, TensorSpec
from affnet.bench.measurement.interleaved import Job, measure
from affnet.bench.measurement.protocol import PRESETS, get_protocol
from affnet.bench.reporting.latency_table import to_markdown
from affnet.bench.reporting.output import write
from affnet.bench.results.ratios import relate_to_peer
from affnet.bench.results.result import Result
from affnet.bench.statistics.intervals import Interval
from affnet.devices.catalog import get_device
from affnet.errors import AffnetError
from affnet.export.options import ExportOptions
from affnet.export.pipeline import export_artifact
from affnet.model.network import AFFBlock
from affnet.model.source import Source, load_source
from affnet.runtimes import get_runtime

_ENCODERS = {"affnet_et": "mobilevit_xxs", "affnet_t": "mobilevit_xs", "affnet": "mobilevit_s"}
#: Each network's peer, by the task.
PAIRS = {
    ours + head: peer + head
    for head in ("", "_deeplabv3", "_ssdlite")
    for ours, peer in _ENCODERS.items()
}


def without_filters(source: Source) -> Source:
    for block in source.model.modules():
        if isinstance(block, AFFBlock):
            block.filter = nn.Identity()
    return dataclasses.replace(source, published=None)


def jobs_for(variant: str, size: tuple[int, int] | None, runtime: str, folder: Path) -> list[Job]:
    """Export all that is compared with ``variant``; what the format cannot hold is left out."""
    peer = PAIRS[variant]
    sources = {
        peer: (load_source(peer), "auto"),
        variant: (load_source(variant), "auto"),
        f"{variant} native FFT": (load_source(variant), "native"),
        f"{variant} floor": (without_filters(load_source(variant)), "auto"),
    }
    artifacts: dict[str, Artifact] = {}
    for label, (source, fft) in sources.items():
        print(f"exporting {label}", flush=True)
        options = ExportOptions(get_runtime(runtime).format, size, fft=fft)
        try:
            artifacts[label] = export_artifact(source, options, folder / label.replace(" ", "-"))
        except AffnetError as error:
            print(f"left out: {error}", flush=True)
    return [Job(label, artifact, runtime) for label, artifact in artifacts.items()]


COLUMNS = (
    *("network", "runtime", "threads", "px", "ms", "peer ms", "/ peer [95 %]", "floor / peer"),
    *("mixers' share [95 %]", "x native FFT", "MB", "peer MB"),
)


def summary(results: list[Result], variant: str, image: TensorSpec) -> str:
    """Return one row: a network beside its peer, its floor, and itself with native FFTs."""
    named = {result.model: result for result in results}
    ours, peer = named[variant], named.get(PAIRS[variant])
    floor, native = f"{variant} floor", f"{variant} native FFT"
    cells = [variant, ours.runtime, ours.threads, "x".join(map(str, image.image_size()))]
    cells += [_ms(ours), _ms(peer)]
    to_peer = _ratio(results, variant, peer.model) if peer else None
    to_floor = _ratio(results, variant, floor)
    floor_to_peer = _ratio(results, floor, peer.model) if peer else None
    to_native = _ratio(results, variant, native) if native in named else None
    assert to_floor is not None
    share = (f"{bound - 1:.1%}" for bound in (to_floor.value, to_floor.low, to_floor.high))
    cells += [
        f"{to_peer.value:.3f} [{to_peer.low:.3f}, {to_peer.high:.3f}]" if to_peer else "-",
        f"{floor_to_peer.value:.3f}" if floor_to_peer else "-",
        "{} [{}, {}]".format(*share),
        f"{1 / to_native.value:.2f}" if to_native else "-",
    ]
    cells += [_megabytes(ours), _megabytes(peer)]
    return _row(cells)


def _row(cells: Sequence[object]) -> str:
    return "| " + " | ".join(str(cell) for cell in cells) + " |"


def _ratio(results: list[Result], of: str, to: str) -> Interval | None:
    return next(r.ratio_to_peer for r in relate_to_peer(results, to) if r.model == of)


def _ms(result: Result | None) -> str:
    return f"{result.summary().median / 1e6:.2f}" if result else "-"


def _megabytes(result: Result | None) -> str:
    return f"{result.peak_rss_bytes / 1e6:.0f}" if result and result.peak_rss_bytes else "-"


def main() -> None:
    """Print one table per AFFNet variant, ratios to its peer, and a summary of all."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runtime", default="onnxruntime")
    parser.add_argument("--variants", nargs="+", choices=PAIRS, default=list(PAIRS))
    parser.add_argument("--size", type=int, nargs=2, metavar=("H", "W"))
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--preset", choices=PRESETS, default="default")
    parser.add_argument("--output", type=Path, help="also write all results here, .json or .csv")
    arguments = parser.parse_args()
    results, rows = [], []
    with tempfile.TemporaryDirectory() as folder:
        for variant in arguments.variants:
            size = tuple(arguments.size) if arguments.size else None
            jobs = jobs_for(variant, size, arguments.runtime, Path(folder))
            measured = measure(
                jobs,
                get_device("host"),
                get_protocol(arguments.preset),
                threads=arguments.threads,
            )
            measured = relate_to_peer(measured, PAIRS[variant])
            print("\n" + to_markdown(measured) + "\n", flush=True)
            rows.append(summary(measured, variant, jobs[0].artifact.manifest.inputs[0]))
            results += measured
    print(_row(COLUMNS) + "\n|" + " --- |" * len(COLUMNS))
    print("\n".join(rows), flush=True)
    if arguments.output:
        write(results, arguments.output)


if __name__ == "__main__":
    main()
