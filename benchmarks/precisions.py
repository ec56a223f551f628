r"""What each precision of each format costs in accuracy, and gains in size and latency.

    python benchmarks/precisions.py --folder precisions
    python benchmarks/precisions.py --folder precisions --latency
    python benchmarks/precisions.py --folder precisions --networks emoji \
        mobilevit_xxs=trained/mobilevit_xxs/weights.safetensors --formats onnx tflite

A network is the bundled one, or a peer with weights that `examples/train.py` made.  Each file is
exported and classifies all held-out images by the commands that a user gives, each in a process of
its own.  ``--latency`` also times the files of a format, of all networks, in the turns of one run;
Core ML files only an evaluator runs here.

What each step says is kept in the folder, so that the run may be interrupted: started again, it
takes only the steps that are missing.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from affnet.bench.reporting.notes import table_notes
from affnet.bench.results.ratios import relate_to_peer
from affnet.bench.results.reading import read_results
from affnet.bench.results.result import Result
from affnet.export.converters import CONVERTERS, get_converter
from affnet.runtimes import runtime_for
from affnet.units import MEGABYTES, MILLISECONDS

DATA = "emoji"
SIZE = "64x64"  # of the network that was trained on them
FORMATS = [name for name in CONVERTERS if name != "torch"]  # a baseline, no format for a phone
UNTIMED = "coreml"  # an evaluator runs it on Linux
HEADER = (
    *("network", "format", "precision", "top-1 %", "drop", "PyTorch's class", "kept in float32"),
    *("MB", "/ fp32", "ms", "/ fp32 [95 %]"),
)


@dataclass(frozen=True)
class Network:
    """What is exported: a source, and the weights of a peer."""

    name: str
    weights: str | None

    def options(self) -> list[str]:
        """Return what ``affnet export`` must be told of it."""
        if self.weights is None:
            return []
        return ["--weights", self.weights, "--image-size", SIZE]


@dataclass(frozen=True)
class Cell:
    """One precision of a network in a format, and where its file and records are."""

    network: Network
    format: str
    precision: str
    folder: Path

    def __str__(self) -> str:
        return f"{self.network.name}, {self.format}, {self.precision}"

    def make(self) -> str | None:
        """Export and evaluate, unless that was done; return the reason if it cannot be done."""
        options = [*self.network.options(), "--format", self.format, "--precision", self.precision]
        if self.precision not in ("fp32", "fp16"):
            options += ["--calibration-data", DATA]
        words = ["export", self.network.name, *options, "--output", str(self.folder)]
        if reason := kept(self.folder / "export.json", words):
            return reason
        words = ["eval", str(self.file), "--data", DATA, "--record"]
        return kept(self.folder / "eval.json", words)

    @property
    def file(self) -> Path:
        """Where the artifact is."""
        return Path(self.record("export")["artifact"])

    def record(self, step: str) -> dict[str, Any]:
        """Return what a step printed."""
        found: dict[str, Any] = json.loads((self.folder / f"{step}.json").read_text("utf-8"))
        return found

    def float_parts(self) -> int | None:
        """Return how many parts stay in float32, where any could be in 8 bits."""
        manifest = json.loads(Path(f"{self.file}.manifest.json").read_text("utf-8"))
        parts = manifest["details"].get("float_parts")
        return None if parts is None else len(parts)


def kept(answer: Path, words: Sequence[str]) -> str | None:
    """Run ``affnet`` and keep the JSON that it prints, unless it is there; return why not."""
    if answer.exists():
        return None
    answer.parent.mkdir(parents=True, exist_ok=True)
    print("affnet", *words, file=sys.stderr, flush=True)
    command = [sys.executable, "-m", "affnet.cli", *words, "--json", "--quiet"]
    finished = subprocess.run(command, capture_output=True, text=True)
    if finished.returncode != 0:
        ending = " ".join(finished.stderr.split())[-300:]
        return f"affnet {words[0]} ended with {finished.returncode}: {ending}"
    partial = answer.with_suffix(".partial")
    partial.write_text(finished.stdout, encoding="utf-8")
    partial.replace(answer)
    return None


def time_together(format_: str, cells: Sequence[Cell], folder: Path) -> list[Result]:
    """Return the latency of each cell's file, all in the turns of one run."""
    answer = folder / f"bench_{format_}.json"
    files = [str(cell.file) for cell in cells]
    words = ["bench", *files, "--runtime", runtime_for(format_).name]
    if reason := kept(answer, words):
        sys.exit(reason)
    return read_results(answer)


def row(cell: Cell, whole: Cell, results: Sequence[Result]) -> str:
    """Return a line of the table; ``whole`` is the same in float32."""
    found, size = cell.record("eval"), cell.record("export")["file_bytes"]
    agreement, parts = found["agreement"], cell.float_parts()
    drop = 100 * (agreement["top1"] - found["top1"])
    cells = [
        *(cell.network.name, cell.format, cell.precision),
        f"{100 * found['top1']:.1f}",
        f"{drop:+.2f}" if drop else "0",
        f"{agreement['agreeing']} of {agreement['images']}",
        "" if parts is None else f"{parts} part(s)",
        MEGABYTES.number(size),
        f"{size / whole.record('export')['file_bytes']:.2f}",
        *_times(cell, whole, results),
    ]
    return "| " + " | ".join(cells) + " |"


def _times(cell: Cell, whole: Cell, results: Sequence[Result]) -> list[str]:
    if not any(result.artifact == str(cell.file) for result in results):
        return ["-", "-"]
    named = next(result.model for result in results if result.artifact == str(whole.file))
    related = relate_to_peer(results, named)
    found = next(result for result in related if result.artifact == str(cell.file))
    ratio = found.ratio_to_peer
    assert ratio is not None
    interval = "1" if cell == whole else f"{ratio.value:.2f} [{ratio.low:.2f}, {ratio.high:.2f}]"
    return [MILLISECONDS.number(found.summary().median), interval]


def table(
    networks: Sequence[Network], formats: Sequence[str], folder: Path, latency: bool
) -> Iterator[str]:
    """Yield the lines of a Markdown table, then those of its notes."""
    below = []
    yield "| " + " | ".join(HEADER) + " |"
    yield "| --- | --- | --- |" + " ---: |" * (len(HEADER) - 3)
    for format_ in formats:
        cells = [
            Cell(network, format_, precision, folder / network.name / format_ / precision)
            for network in networks
            for precision in sorted(get_converter(format_).precisions, key=_float32_first)
        ]
        reasons = {cell: cell.make() for cell in cells}
        below += [f"- {cell}: {reason}" for cell, reason in reasons.items() if reason]
        made = [cell for cell, reason in reasons.items() if not reason]
        results = []
        if latency and format_ != UNTIMED:
            results = time_together(format_, made, folder)
            below += [f"- {note}" for note in table_notes(results)]
        whole = {cell.network: cell for cell in made if cell.precision == "fp32"}
        for cell in made:
            yield row(cell, whole[cell.network], results)
    yield ""
    yield from below


def _float32_first(precision: str) -> bool:
    return precision != "fp32"


def read_network(word: str) -> Network:
    """Return the network that a word of the command line names: ``emoji``, ``peer=weights``."""
    name, _, weights = word.partition("=")
    return Network(name, weights or None)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--folder", type=Path, required=True, help="keeps files and answers")
    parser.add_argument(
        "--networks", type=read_network, nargs="+", default=[Network("emoji", None)],
        metavar="NAME[=WEIGHTS]",
    )  # fmt: skip
    parser.add_argument("--formats", nargs="+", choices=FORMATS, default=FORMATS)
    parser.add_argument("--latency", action="store_true", help="also time the files")
    arguments = parser.parse_args()
    for line in table(arguments.networks, arguments.formats, arguments.folder, arguments.latency):
        print(line, flush=True)


if __name__ == "__main__":
    main()
