"""The command; see the package's docstring."""

from __future__ import annotations

import argparse
import dataclasses
import multiprocessing
import sys
from collections.abc import Iterator
from multiprocessing.pool import Pool
from pathlib import Path

import benchmarks.proof
from benchmarks.proof.judge import Target, Task, Trial, trial
from benchmarks.proof.report import as_json, lines

FORMATS = ("onnx", "coreml", "tflite", "executorch")
_TASKS_PER_PROCESS = 40  # converters keep what they once held


def main() -> int:
    """Try all formats, print the table, and return 1 if verification was wrong anywhere."""
    parser = argparse.ArgumentParser(
        description=benchmarks.proof.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--formats",
        nargs="+",
        type=Target.parse,
        default=[Target(name) for name in FORMATS],
        help="with a precision other than fp32 as onnx:fp16; default: " + " ".join(FORMATS),
    )
    parser.add_argument("--count", type=int, default=100, help="of each kind, for each format")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=2, help="processes")
    parser.add_argument("--keep", type=Path, help="folder of files, not written again if there")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every trial there")
    asked = parser.parse_args()
    trials: list[Trial] = []
    context = multiprocessing.get_context("spawn")  # runtimes have threads
    with context.Pool(asked.jobs, maxtasksperchild=_TASKS_PER_PROCESS) as pool:
        for target in asked.formats:
            for planted in (True, False):
                first = Task(target, planted, asked.seed, 0, asked.keep)
                trials += several(pool, first, asked.count)
                if asked.json:
                    asked.json.write_text(as_json(trials), encoding="utf-8")
    print(*lines(trials), sep="\n")
    return int(any(trial.misjudged for trial in trials))


def several(pool: Pool, first: Task, count: int) -> Iterator[Trial]:
    """Yield trials in their order until ``count`` count, of at most twice as many."""
    trials: dict[int, Trial] = {}
    while (missing := count - sum(trial.counted for trial in trials.values())) > 0:
        numbers = range(len(trials), min(len(trials) + missing, 2 * count))
        if not numbers:
            break
        tasks = [dataclasses.replace(first, number=number) for number in numbers]
        for done in pool.imap_unordered(trial, tasks):
            trials[done.number] = done
            print(_progress(done), file=sys.stderr, flush=True)
    yield from (trials[number] for number in sorted(trials))


def _progress(trial: Trial) -> str:
    mark = "  MISJUDGED" if trial.misjudged else ""
    return (
        f"{trial.target} {trial.name} {trial.seconds:.1f} s: {trial.what}: {trial.truth}, "
        f"{trial.verdict}{mark}"
    )


if __name__ == "__main__":
    sys.exit(main())
