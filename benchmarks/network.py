"""Compare whole networks on ONNX Runtime: AFFNet by plan, by native DFT, without mixers, peers.

    python benchmarks/network.py --threads 1 --output network.md

The floor is AFFNet with every frequency filter taken out, from the same exporter: what no DFT plan
can beat.  All networks are measured in one run, each in its own process, in turns.
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
from affnet.bench.tables import to_markdown
from affnet.devices import get_device
from affnet.export.pipeline import ExportOptions, export_artifact
from affnet.model.network import AFFBlock
from affnet.model.source import Source, load_source

PAIRS = {"affnet_et": "mobilevit_xxs", "affnet_t": "mobilevit_xs", "affnet": "mobilevit_s"}


def without_filters(source: Source) -> Source:
    for block in source.model.modules():
        if isinstance(block, AFFBlock):
            block.filter = nn.Identity()
    return dataclasses.replace(source, published=None)


def jobs_for(variant: str, size: tuple[int, int], folder: Path) -> list[Job]:
    def export(source: Source, fft: str, name: str) -> Artifact:
        print(f"exporting {name}", flush=True)
        options = ExportOptions("onnx", size, fft=fft)
        return export_artifact(source, options, folder / name)

    peer = PAIRS[variant]
    artifacts = {
        peer: export(load_source(peer), "auto", peer),
        variant: export(load_source(variant), "auto", variant),
        f"{variant} native DFT": export(load_source(variant), "native", f"{variant}-native"),
        f"{variant} floor": export(
            without_filters(load_source(variant)), "auto", f"{variant}-floor"
        ),
    }
    return [Job(label, artifact, "onnxruntime") for label, artifact in artifacts.items()]


def main() -> None:
    """Print one table per AFFNet variant, ratios to its peer."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--variants", nargs="+", choices=PAIRS, default=list(PAIRS))
    parser.add_argument("--size", type=int, nargs=2, default=(256, 256), metavar=("H", "W"))
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--preset", choices=PRESETS, default="default")
    parser.add_argument("--output", type=Path, help="also write all results here, .json or .csv")
    arguments = parser.parse_args()
    results = []
    with tempfile.TemporaryDirectory() as folder:
        for variant in arguments.variants:
            jobs = jobs_for(variant, tuple(arguments.size), Path(folder))
            measured = measure(
                jobs,
                get_device("host"),
                get_protocol(arguments.preset),
                threads=arguments.threads,
            )
            measured = relate_to_peer(measured, PAIRS[variant])
            print("\n" + to_markdown(measured), flush=True)
            results += measured
    if arguments.output:
        write(results, arguments.output)


if __name__ == "__main__":
    main()
