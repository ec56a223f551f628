"""Runs the columns and writes the page; see the package."""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
import tempfile
from pathlib import Path

from benchmarks.fft_support.cells import ROOT, Cell, Result, cells, print_cells
from benchmarks.fft_support.columns import columns
from benchmarks.fft_support.page import page
from benchmarks.fft_support.rows import rows

RESULTS = ROOT / "benchmarks" / "fft_support" / "results.json"
DOCUMENT = ROOT / "docs" / "fft-support.md"


def main() -> None:
    known = columns()
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fft_support")
    parser.add_argument("--columns", nargs="*", default=list(known), choices=list(known))
    parser.add_argument("--column", help=argparse.SUPPRESS)
    parser.add_argument("--first", type=int, default=0, help=argparse.SUPPRESS)
    parser.add_argument("--kept", type=Path, help="a folder for ONNX files, for the next run too")
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--output", type=Path, default=DOCUMENT)
    given = parser.parse_args()
    if given.column:
        print_cells(given.column, given.first, given.kept)
        return
    with contextlib.ExitStack() as stack:
        kept = given.kept or stack.enter_context(tempfile.TemporaryDirectory())
        for name in given.columns:
            try:
                versions = known[name].versions()
            except LookupError as missing:
                print(f"{name} is left out: {missing}", file=sys.stderr)
                continue
            print(name, flush=True)
            result = Result(versions, cells(name, Path(kept).resolve()))
            _store(given.results, name, result)
    results = _stored(given.results)
    shown = {name: results[name] for name in known if name in results}
    given.output.write_text(page(list(rows()), known, shown), encoding="utf-8")


def _stored(path: Path) -> dict[str, Result]:
    """Return the results of this run and of those before."""
    if not path.exists():
        return {}
    found = json.loads(path.read_text(encoding="utf-8"))
    return {
        name: Result(one["versions"], [Cell(*cell) for cell in one["cells"]])
        for name, one in found.items()
    }


def _store(path: Path, name: str, result: Result) -> None:
    results = {**_stored(path), name: result}
    content = {key: one._asdict() for key, one in results.items()}
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
