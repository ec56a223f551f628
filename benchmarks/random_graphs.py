"""Rewrites random graphs of complex operators and compares them with PyTorch, in float64.

Each graph depends on its number alone.  What was done is kept in a file, one line a graph, so that
a run that was stopped goes on::

    python -m benchmarks.random_graphs --numbers 0:10000 --record graphs.jsonl
"""

from __future__ import annotations

import argparse
import json
import warnings
from pathlib import Path

import torch

from tests.export.fourier.test_rewrite_compositions import assert_rewritten_right, random_chain


def main() -> None:
    """Run what is missing of the numbers, then print how many were right."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--numbers", default="0:100", help="From the first to before the last.")
    parser.add_argument("--record", type=Path, default=Path("random_graphs.jsonl"))
    given = parser.parse_args()
    first, last = map(int, given.numbers.split(":"))
    lines = given.record.read_text().splitlines() if given.record.exists() else []
    known = {entry["number"]: entry for entry in map(json.loads, lines)}
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    with given.record.open("a") as record:
        for number in range(first, last):
            if number not in known:
                known[number] = {"number": number, "problem": _problem(number)}
                print(json.dumps(known[number]), file=record, flush=True)
    found = [known[number] for number in range(first, last)]
    wrong = [entry for entry in found if entry["problem"]]
    print(f"{len(found)} graphs, {len(wrong)} wrong")
    for entry in wrong:
        print(entry["number"], *random_chain(entry["number"]), entry["problem"])
    raise SystemExit(bool(wrong))


def _problem(number: int) -> str | None:
    try:
        assert_rewritten_right(random_chain(number))
    except Exception as error:  # of the export, the rewrite or the comparison
        return f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
    return None


if __name__ == "__main__":
    main()
