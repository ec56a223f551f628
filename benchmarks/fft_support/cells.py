"""Fills the cells of a column."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from benchmarks.fft_support.columns import Column, columns
from benchmarks.fft_support.columns.kept import Kept
from benchmarks.fft_support.rows import Row, network_of, rows

ROOT = Path(__file__).parents[2]
WRONG = 1e-3  # of the largest output: float32 loses less in any of these
TIMEOUT_S = 1800  # of a row alone, the longest


class Cell(NamedTuple):
    """What became of a row in a column, and what was said where it was refused."""

    verdict: str
    said: str = ""


class Result(NamedTuple):
    """A column's cells, and the versions of the tools that filled them."""

    versions: dict[str, str]
    cells: list[Cell]


def fill(column: Column, row: Row) -> Cell:
    """Convert, load and run."""
    import torch

    from affnet.errors import reason_of
    from affnet.silence import silenced

    function, shape = row
    x = torch.randn(shape, generator=torch.Generator().manual_seed(1))
    network, stage = network_of(function), ""
    expected = network(x.double()).numpy()
    with tempfile.TemporaryDirectory() as name, silenced():
        folder = str(Path(name).resolve())
        running = column.steps(network, x, Path(folder))
        try:
            while True:
                stage = next(running)
        except StopIteration as end:
            found = np.array(end.value)
        except subprocess.TimeoutExpired as late:  # a tool that is a program of its own
            return Cell(f"no end, {stage}", f"ended after {late.timeout:.0f} s")
        except Exception as error:  # of every kind
            if not stage:  # the column's own tools do not import
                raise
            return Cell(f"refused, {stage}", reason_of(error).replace(folder, "FOLDER"))
    return judge(found, expected)


def judge(found: Any, expected: Any) -> Cell:
    """Compare what came out with what PyTorch gives."""
    if found.shape != expected.shape:
        return Cell(f"WRONG, shape {found.shape} for {expected.shape}")
    error = float(np.abs(found - expected).max() / np.abs(expected).max())
    return Cell(f"{'right' if error <= WRONG else 'WRONG'}, {error:.0e}")


def print_cells(name: str, first: int, kept: Path) -> None:
    """Print a line of JSON for each row from ``first`` on."""
    Kept.folder = kept
    column = columns()[name]
    for Kept.row, row in list(rows().items())[first:]:
        print(json.dumps(fill(column, row)), flush=True)


def cells(name: str, kept: Path) -> list[Cell]:
    """Run a column, starting anew after a row that ends the process or does not come to an end."""
    found: list[Cell] = []
    while len(found) < len(rows()):
        command = [sys.executable, "-m", "benchmarks.fft_support", "--column", name]
        try:
            done = subprocess.run(
                [*command, "--first", str(len(found)), "--kept", str(kept)],
                cwd=ROOT, capture_output=True, text=True, check=False, timeout=TIMEOUT_S,
            )  # fmt: skip
        except subprocess.TimeoutExpired as late:
            filled = _filled((late.stdout or b"").decode())
            # after others the row is tried again by itself: the time may have gone to them
            found += filled or [Cell("no end", f"ended after {TIMEOUT_S:.0f} s")]
            continue
        filled = _filled(done.stdout)
        found += filled
        if len(found) < len(rows()):
            if not filled and done.returncode == 1:
                raise SystemExit(done.stderr)
            found.append(Cell(f"the process ends, {done.returncode}"))
    return found


def _filled(said: str) -> list[Cell]:
    return [Cell(*json.loads(line)) for line in said.splitlines()]
