r"""What each file gives on Arm processors: its error, and the classes that it changes.

    python -m benchmarks.arm --folder arm
    python -m benchmarks.arm --folder arm --formats openvino mnn ncnn --precisions fp32
    python -m benchmarks.arm --folder arm --networks affnet_et mobilevit_xxs --images 2

Each file runs by the runtime's real build for Arm on processors that QEMU emulates, and here beside
it.  It is compared with PyTorch on images held out from the bundled network's training, the same
sample for each file; a network without trained weights is compared on the bundled photographs, and
its classes mean nothing.

What each processor gave is kept in the folder until the file changes, so that the run may be
interrupted: started again, it takes only what is missing.
"""

from __future__ import annotations

import argparse
import itertools
import json
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from affnet.artifact import Artifact
from affnet.devices.catalog import devices_to_prove_on
from affnet.devices.emulated.root import RUNTIMES
from affnet.evaluation.held_out import held_out_images
from affnet.export.verification.compare import has_held_out
from affnet.export.verification.inputs import VerificationInput
from affnet.export.verification.on_device import prove
from affnet.export.verification.reference import Reference
from affnet.files import write_whole
from affnet.model.source import Source, reload_source
from affnet.runtimes import get_runtime
from benchmarks.precisions import DATA, kept

FORMATS = [get_runtime(name).format for name in RUNTIMES]
PRECISIONS = ("fp32", "fp16", "int8")
HOST = "host"
#: The processors, and the share of the images that those take that are slow to emulate.
CPUS = {HOST: 1.0, "cortex-a53": 1.0, "cortex-a76": 1.0, "armv8.6": 1.0, "neoverse-v1": 0.05}
_SEED = 0  # as `affnet verify --device` takes them


@dataclass(frozen=True)
class Cell:
    """A file on a processor."""

    network: str
    format: str
    precision: str
    cpu: str
    folder: Path

    @property
    def answer(self) -> Path:
        """Where what it gave is kept."""
        return self.folder / self.network / self.format / self.precision / f"{self.cpu}.json"

    def record(self) -> dict[str, Any] | None:
        """Return what is kept."""
        if not self.answer.exists():
            return None
        found: dict[str, Any] = json.loads(self.answer.read_text("utf-8"))
        return found


class Subject:
    """A network, its images and what PyTorch gives them, for all of its files."""

    def __init__(self, source: Source, images: int) -> None:
        self.source, self.reference = source, Reference(source)
        self.trained = has_held_out(source)
        self.count, self.size = images, source.input.image_size()

    def inputs(self, share: float) -> list[VerificationInput]:
        """Return that share of the images, as one input."""
        count = max(1, round(self.count * share))
        if not self.trained:
            usual = self.reference.usual_inputs((self.source.input,), half=True)
            pictures = [one for one in usual if "photograph" in one.name]
            return pictures[:count]
        images, _ = held_out_images(self.source.provenance.location, self.size)
        taken = np.sort(np.random.default_rng(_SEED).permutation(len(images))[:count])
        return [VerificationInput(f"{count} held-out images", (images[taken],))]


def measured(cell: Cell, artifact: Artifact, subject: Subject) -> None:
    """Prove the file on the cell's processor, unless that was done with this very file."""
    inputs = subject.inputs(CPUS[cell.cpu])
    images = sum(len(one.arrays[0]) for one in inputs)
    wanted = {"sha256": artifact.manifest.sha256, "images": images}
    record = cell.record()
    if record and {key: record.get(key) for key in wanted} == wanted:
        return
    (device,) = devices_to_prove_on(HOST if cell.cpu == HOST else f"arm64:{cell.cpu}")
    started = time.monotonic()
    proof = prove(artifact, subject.source, inputs, device, reference=subject.reference)
    found = wanted | {
        "seconds": round(time.monotonic() - started),
        "error": proof.parity.max_rel_error,
        "psnr_db": proof.parity.psnr_db,
        "changed": round(images * (1 - proof.parity.top1_agreement)),
        "from_host": proof.host_rel_error,
        "equal_to_host": proof.host_equal,
        "trained": subject.trained,
        "runtime": proof.runtime,
        "cpu": proof.cpu,
        "features": proof.features,
    }
    write_whole(cell.answer, json.dumps(found, indent=1) + "\n")
    print(f"{cell.answer.parent}: {cell.cpu} after {found['seconds']} s", file=sys.stderr)


def made(network: str, format_: str, precision: str, folder: Path) -> Artifact:
    """Export a file unless it is there."""
    place = folder / network / format_ / precision
    words = ["export", network, "--format", format_, "--precision", precision, "--head", "logits"]
    if precision == "int8":
        words += ["--calibration-data", DATA]
    if reason := kept(place / "export.json", [*words, "--output", str(place)]):
        sys.exit(reason)
    return Artifact.open(Path(json.loads((place / "export.json").read_text("utf-8"))["artifact"]))


def table(cells: Sequence[Cell], cpus: Sequence[str]) -> list[str]:
    """Return the lines of a Markdown table: a line for each file, two columns for a processor."""
    lines = ["| network | format | precision | " + " | ".join(map(_title, cpus)) + " |"]
    lines.append("| --- " * (3 + len(cpus)) + "|")
    rows = dict.fromkeys((cell.network, cell.format, cell.precision) for cell in cells)
    by_place = {(cell.network, cell.format, cell.precision, cell.cpu): cell for cell in cells}
    for row in rows:
        texts = [_text(by_place[(*row, cpu)].record()) for cpu in cpus]
        lines.append("| " + " | ".join([*row, *texts]) + " |")
    return lines


def _title(cpu: str) -> str:
    return "x86, here" if cpu == HOST else cpu


def _text(record: dict[str, Any] | None) -> str:
    if record is None:
        return "-"
    text = f"{record['error']:.1e}, {record['psnr_db']:.0f} dB"
    return f"{text}; {record['changed']} of {record['images']}" if record["trained"] else text


def run(given: argparse.Namespace) -> None:
    """Take every cell that is missing, and print the table."""
    folder, cpus = given.folder, given.cpus
    cells, running = [], []
    with ThreadPoolExecutor(given.jobs) as pool:
        for network in given.networks:
            subject = None
            for format_, precision in itertools.product(given.formats, given.precisions):
                artifact = made(network, format_, precision, folder)
                if subject is None:
                    source = reload_source(artifact.manifest.provenance, artifact.path)
                    subject = Subject(source, given.images)
                for cpu in cpus:
                    cells.append(Cell(network, format_, precision, cpu, folder))
                    running.append(pool.submit(measured, cells[-1], artifact, subject))
        for future in running:
            future.result()
    print("\n".join(table(cells, cpus)))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--folder", type=Path, required=True, help="keeps files and answers")
    parser.add_argument("--networks", nargs="+", default=["emoji"])
    parser.add_argument("--formats", nargs="+", choices=FORMATS, default=FORMATS[:2])
    parser.add_argument("--precisions", nargs="+", choices=PRECISIONS, default=PRECISIONS)
    parser.add_argument("--cpus", nargs="+", choices=CPUS, default=list(CPUS))
    parser.add_argument("--images", type=int, default=100, help="on a processor; default: 100")
    parser.add_argument("--jobs", type=int, default=2, help="processors at a time; default: 2")
    run(parser.parse_args())


if __name__ == "__main__":
    main()
