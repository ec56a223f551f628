"""Runs the columns and writes the page; see the package."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from benchmarks.fft_support.cells import ROOT, cells, print_cells
from benchmarks.fft_support.columns import columns
from benchmarks.fft_support.page import page
from benchmarks.fft_support.rows import rows

DOCUMENT = ROOT / "docs" / "fft-support.md"


def main() -> None:
    known = columns()
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fft_support")
    parser.add_argument("--columns", nargs="*", default=list(known), choices=list(known))
    parser.add_argument("--column", help=argparse.SUPPRESS)
    parser.add_argument("--first", type=int, default=0, help=argparse.SUPPRESS)
    parser.add_argument("--kept", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--output", type=Path, default=DOCUMENT)
    given = parser.parse_args()
    if given.column:
        print_cells(given.column, given.first, given.kept)
        return
    found = {}
    with tempfile.TemporaryDirectory() as kept:
        for name in given.columns:
            try:
                known[name].versions()
            except LookupError as missing:
                print(f"{name} is left out: {missing}", file=sys.stderr)
                continue
            print(name, flush=True)
            found[name] = cells(name, Path(kept))
    given.output.write_text(page(list(rows()), known, found), encoding="utf-8")


if __name__ == "__main__":
    main()
