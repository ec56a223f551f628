"""Count what peers cost, export each to every format, and prove the files.

    python benchmarks/peers.py --counts
    python benchmarks/peers.py --formats all
    python benchmarks/peers.py --formats onnx tflite --peers deit_tiny levit_128s

A cell of the formats' table is the file's largest error against PyTorch, of its largest output, in
float32; where an export is refused, its reason stands below.  Files are thrown away.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Iterable

from affnet.export.converters import CONVERTERS
from affnet.model.cost import count_macs, count_parameters
from affnet.model.peers import PEERS, create_peer
from affnet.units import MILLIONS

EXPORT = """
import sys
from affnet.errors import AffnetError
from affnet.export.pipeline import ExportOptions, export_artifact
from affnet.model.source import load_source
name, format_, folder = sys.argv[1:]
precision = "fp32" if format_ == "coreml" else None
try:
    options = ExportOptions(format_, precision=precision)
    manifest = export_artifact(load_source(name), options, folder).manifest
except AffnetError as error:
    print(f"refused {error}")
else:
    print(f"done {manifest.parity.max_rel_error:.1e} {manifest.route}")
"""


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


def try_export(name: str, format_: str) -> tuple[str, str]:
    """Return a table's cell, and the reason of a refusal or the route that was not the first."""
    with tempfile.TemporaryDirectory() as folder:  # a process each: converters keep much memory
        words = [sys.executable, "-c", EXPORT, name, format_, folder]
        finished = subprocess.run(words, capture_output=True, text=True)
    told = next((line for line in reversed(finished.stdout.splitlines())), "")
    kind, _, rest = told.partition(" ")
    if kind == "done":
        error, _, route = rest.partition(" ")
        return error, "" if route == "torch.export" else f"by the route {route}"
    if kind == "refused":
        return "refused", rest
    return "failed", f"the process ended with {finished.returncode}: {finished.stderr[-300:]}"


def formats_table(peers: Iterable[str], formats: list[str]) -> Iterable[str]:
    """Yield the lines of a Markdown table, then those of its notes."""
    yield "| peer | " + " | ".join(formats) + " |"
    yield "| --- |" + " ---: |" * len(formats)
    notes = []
    for name in peers:
        cells = []
        for format_ in formats:
            cell, reason = try_export(name, format_)
            cells.append(cell)
            if reason:
                notes.append(f"- {name}, {format_}: {reason}")
        yield f"| `{name}` | " + " | ".join(cells) + " |"
    yield ""
    yield from notes


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--formats", nargs="+", choices=[*CONVERTERS, "all"], default=["all"])
    parser.add_argument("--peers", nargs="+", choices=PEERS, default=list(PEERS))
    parser.add_argument("--counts", action="store_true", help="only count; export nothing")
    arguments = parser.parse_args()
    formats = list(CONVERTERS) if "all" in arguments.formats else arguments.formats
    table = counts(arguments.peers) if arguments.counts else formats_table(arguments.peers, formats)
    for line in table:
        print(line, flush=True)


if __name__ == "__main__":
    main()
