"""Count what peers cost, export each to every format, and prove the files.

    python benchmarks/peers.py --counts
    python benchmarks/peers.py --formats all --append formats.jsonl
    python benchmarks/peers.py --formats onnx tflite --peers deit_tiny levit_128s

A cell of the formats' table is the file's largest error against PyTorch, of its largest output, in
float32; where an export is refused, its reason stands below.  Files are thrown away.

Each export is a line of ``--append`` as soon as it is done, so that the run may be interrupted:
started again with the same file, it makes only what is not there.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from affnet.export.converters import CONVERTERS, get_converter
from affnet.model.cost import count_macs, count_parameters
from affnet.model.peers import PEERS, create_peer
from affnet.units import MILLIONS

EXPORT = """
import json, sys
from affnet.errors import AffnetError
from affnet.export.pipeline import export_artifact
from affnet.export.options import ExportOptions
from affnet.model.source import load_source
name, format_, folder = sys.argv[1:]
precision = "fp32" if format_ == "coreml" else None
try:
    options = ExportOptions(format_, precision=precision)
    manifest = export_artifact(load_source(name), options, folder).manifest
except AffnetError as error:
    print(json.dumps({"reason": str(error)}))
else:
    print(json.dumps({"error": manifest.parity.max_rel_error, "route": manifest.route}))
"""
FORMATS = [name for name in CONVERTERS if name != "torch"]  # a baseline, no format for a phone


@dataclass(frozen=True)
class Cell:
    """What became of one peer in one format: an error of the outputs, or a reason."""

    peer: str
    format: str
    error: float | None = None  # relative to the largest output
    route: str | None = None  # the converter's
    reason: str | None = None  # of the refusal

    def text(self) -> str:
        """Return the cell of a table."""
        return "refused" if self.error is None else f"{self.error:.1e}"

    def note(self) -> str | None:
        """Return what a reader must know of it, if anything."""
        if self.reason is not None:
            return f"- {self.peer}, {self.format}: {self.reason}"
        if self.route != get_converter(self.format).routes[0]:
            return f"- {self.peer}, {self.format}: by the route {self.route}."
        return None


def counts(peers: Iterable[str]) -> Iterable[str]:
    """Yield the lines of a Markdown table: what is counted here, what is published (quoted)."""
    header = ("peer", "px", "params M", "quoted", "MACs M", "quoted", "top-1 % (quoted)", "from")
    yield "| " + " | ".join(header) + " |"
    yield "| --- | ---: | ---: | ---: | ---: | ---: | ---: | --- |"
    for name in peers:
        peer, network = PEERS[name], create_peer(name)
        quoted = peer.published
        cells = (
            f"`{name}`",
            str(peer.size[0]),
            MILLIONS.number(count_parameters(network)),
            f"{quoted.parameters_millions:g}",
            MILLIONS.number(count_macs(network, (1, 3, *peer.size))),
            f"{1000 * quoted.macs_billions:g}",
            f"{quoted.top1_percent:.1f}",
            " ".join(filter(None, (f"{quoted.source}.", peer.difference))),
        )
        yield "| " + " | ".join(cells) + " |"


def try_export(name: str, format_: str) -> Cell:
    """Export a peer, in a process of its own: converters keep much memory, and may crash."""
    with tempfile.TemporaryDirectory() as folder:
        words = [sys.executable, "-c", EXPORT, name, format_, folder]
        finished = subprocess.run(words, capture_output=True, text=True)
    lines = finished.stdout.splitlines()
    if finished.returncode == 0 and lines:
        return Cell(name, format_, **json.loads(lines[-1]))
    ending = " ".join(finished.stderr.split())[-300:]
    reason = f"the process ended with {finished.returncode}: {ending}"
    return Cell(name, format_, reason=reason)


def try_all(peers: Iterable[str], formats: list[str], kept: Path | None) -> Iterator[Cell]:
    """Yield every cell; those in ``kept`` are read, the others are made and added to it."""
    found: dict[tuple[str, str], Cell] = {}
    if kept is not None and kept.exists():
        for line in kept.read_text(encoding="utf-8").splitlines():
            cell = Cell(**json.loads(line))
            found[cell.peer, cell.format] = cell
    for name in peers:
        for format_ in formats:
            known = found.get((name, format_))
            cell = known or try_export(name, format_)
            if known is None and kept is not None:
                with kept.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(asdict(cell)) + "\n")
            print(f"{name}, {format_}: {cell.text()}", file=sys.stderr, flush=True)
            yield cell


def formats_table(peers: list[str], formats: list[str], kept: Path | None) -> Iterator[str]:
    """Yield the lines of a Markdown table, then those of its notes."""
    cells = list(try_all(peers, formats, kept))
    yield "| peer | " + " | ".join(formats) + " |"
    yield "| --- |" + " ---: |" * len(formats)
    for name in peers:
        texts = [cell.text() for cell in cells if cell.peer == name]
        yield f"| `{name}` | " + " | ".join(texts) + " |"
    yield ""
    yield from filter(None, (cell.note() for cell in cells))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--formats", nargs="+", choices=[*FORMATS, "all"], default=["all"])
    parser.add_argument("--peers", nargs="+", choices=PEERS, default=list(PEERS), metavar="PEER")
    parser.add_argument("--append", type=Path, metavar="FILE", help="JSON Lines that keep exports")
    parser.add_argument("--counts", action="store_true", help="only count; export nothing")
    arguments = parser.parse_args()
    formats = FORMATS if "all" in arguments.formats else arguments.formats
    if arguments.counts:
        table = counts(arguments.peers)
    else:
        table = formats_table(arguments.peers, formats, arguments.append)
    for line in table:
        print(line, flush=True)


if __name__ == "__main__":
    main()
