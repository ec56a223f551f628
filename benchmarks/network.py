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
from pathlib import Path

from torch import nn

from affnet.artifact import Artifact
from affnet.bench.measure import Job, measure, relate_to_peer
from affnet.bench.output import write
from affnet.bench.protocol import PRESETS, get_protocol
from affnet.bench.result import Result
from affnet.bench.tables import to_markdown
from affnet.devices import get_device
from affnet.errors import AffnetError
from affnet.export.pipeline import ExportOptions, export_artifact
from affnet.model.network import AFFBlock
from affnet.model.source import Source, load_source
from affnet.runtimes import get_runtime

_ENCODERS = {"affnet_et": "mobilevit_xxs", "affnet_t": "mobilevit_xs", "affnet": "mobilevit_s"}
#: Each network's peer; detection has none.
PAIRS: dict[str, str | None] = {
    **_ENCODERS,
    **{f"{ours}_deeplabv3": f"{peer}_deeplabv3" for ours, peer in _ENCODERS.items()},
    **{f"{ours}_ssdlite": None for ours in _ENCODERS},
}


def without_filters(source: Source) -> Source:
    for block in source.model.modules():
        if isinstance(block, AFFBlock):
            block.filter = nn.Identity()
    return dataclasses.replace(source, published=None)


def jobs_for(variant: str, size: tuple[int, int] | None, runtime: str, folder: Path) -> list[Job]:
    """Export all that is compared with ``variant``; what the format cannot hold is left out."""
    sources = {
        variant: (load_source(variant), "auto"),
        f"{variant} native FFT": (load_source(variant), "native"),
        f"{variant} floor": (without_filters(load_source(variant)), "auto"),
    }
    if (peer := PAIRS[variant]) is not None:
        sources = {peer: (load_source(peer), "auto"), **sources}
    artifacts: dict[str, Artifact] = {}
    for label, (source, fft) in sources.items():
        print(f"exporting {label}", flush=True)
        options = ExportOptions(get_runtime(runtime).format, size, fft=fft)
        try:
            artifacts[label] = export_artifact(source, options, folder / label.replace(" ", "-"))
        except AffnetError as error:
            print(f"left out: {error}", flush=True)
    return [Job(label, artifact, runtime) for label, artifact in artifacts.items()]


def shares(results: list[Result], variant: str) -> str:
    """Return what the mixers take, and how much faster the network is than by native FFTs."""
    names = {result.model for result in results}
    lines = []
    for other, text in ((f"{variant} floor", "floor"), (f"{variant} native FFT", "native FFT")):
        if other not in names or variant not in names:
            continue
        (ratio,) = [r.ratio_to_peer for r in relate_to_peer(results, other) if r.model == variant]
        assert ratio is not None
        if text == "floor":
            low, value, high = (
                f"{share - 1:.1%}" for share in (ratio.low, ratio.value, ratio.high)
            )
            lines.append(f"- Mixers' share of {variant}, over its floor: {value} [{low}, {high}].")
        else:
            lines.append(f"- {variant} is {1 / ratio.value:.2f} x faster than with native FFTs.")
    return "\n".join(lines)


def main() -> None:
    """Print one table per AFFNet variant, ratios to its peer."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runtime", default="onnxruntime")
    parser.add_argument("--variants", nargs="+", choices=PAIRS, default=list(PAIRS))
    parser.add_argument("--size", type=int, nargs=2, metavar=("H", "W"))
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--preset", choices=PRESETS, default="default")
    parser.add_argument("--output", type=Path, help="also write all results here, .json or .csv")
    arguments = parser.parse_args()
    results = []
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
            measured = relate_to_peer(measured, PAIRS[variant] or variant)
            print("\n" + to_markdown(measured) + shares(measured, variant) + "\n", flush=True)
            results += measured
    if arguments.output:
        write(results, arguments.output)


if __name__ == "__main__":
    main()
