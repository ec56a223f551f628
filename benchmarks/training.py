"""What AFFNet-ET learns with each token mixer: the same images, budget and seeds for all.

    python benchmarks/training.py --folder trainings --seeds 0 1 2 --jobs 2

Each training is one of ``examples/train.py --mixer NAME``, in a process of its own, the first seed
of all mixers before the second.  What they end with is kept in the folder, so that the run may be
interrupted: started again, it takes only the trainings that are missing.  Where one fails, the
table tells of the others, and the exit code is 1.

The table tells, over the seeds, the mean of top-1 on the held-out images, the least and the
largest, and what each seed is above `aff` with the same one: the seed draws weights, batches and
augmentation alike.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from affnet.model.mixers import MIXERS

SCRIPT = Path(__file__).parents[1] / "examples" / "train.py"
REFERENCE = "aff"
REPORT = "training.json"  # what examples/train.py ends with


def train(mixer: str, seed: int, epochs: int, folder: Path) -> bool:
    """Train once, unless that was done; return whether there is a result."""
    output = folder / f"{mixer}_{epochs}_epochs_seed_{seed}"
    if (output / REPORT).exists():
        return True
    words = ["--mixer", mixer, "--seed", str(seed), "--epochs", str(epochs)]
    print("train.py", *words, file=sys.stderr, flush=True)
    command = [sys.executable, str(SCRIPT), "--output", str(output), *words]
    finished = subprocess.run(command, capture_output=True, text=True)
    if finished.returncode != 0:
        reason = " ".join(finished.stderr.split())[-300:]
        print(f"{mixer}, seed {seed}, ended with {finished.returncode}: {reason}", file=sys.stderr)
    return finished.returncode == 0


def read_reports(folder: Path, epochs: int) -> dict[str, dict[int, dict[str, Any]]]:
    """Return, by mixer and seed, what the finished trainings of ``epochs`` told."""
    found: dict[str, dict[int, dict[str, Any]]] = {}
    for path in sorted(folder.glob(f"*/{REPORT}")):
        report = json.loads(path.read_text("utf-8"))
        recipe = report["recipe"]
        if recipe["epochs"] == epochs:
            found.setdefault(recipe["network"].partition("+")[2], {})[recipe["seed"]] = report
    return found


def table(reports: dict[str, dict[int, dict[str, Any]]]) -> Iterator[str]:
    """Yield the lines of a Markdown table, the best mixer first."""
    yield "| mixer | seeds | top-1 %, mean | least to largest | above aff, each seed | minutes |"
    yield "| --- | ---: | ---: | ---: | ---: | ---: |"
    scores = {
        mixer: {seed: 100 * report["test_top1"] for seed, report in by_seed.items()}
        for mixer, by_seed in reports.items()
    }
    reference = scores.get(REFERENCE, {})
    for mixer in sorted(scores, key=lambda name: -statistics.mean(scores[name].values())):
        tops = scores[mixer]
        above = [f"{tops[seed] - reference[seed]:+.1f}" for seed in sorted(tops.keys() & reference)]
        minutes = statistics.median(report["minutes"] for report in reports[mixer].values())
        cells = [
            f"`{mixer}`",
            str(len(tops)),
            f"{statistics.mean(tops.values()):.1f}",
            f"{min(tops.values()):.1f} to {max(tops.values()):.1f}",
            "" if mixer == REFERENCE else ", ".join(above),
            f"{minutes:.1f}",
        ]
        yield "| " + " | ".join(cells) + " |"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--folder", type=Path, required=True, help="keeps the trainings")
    parser.add_argument("--mixers", nargs="+", choices=MIXERS, default=list(MIXERS))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=1, help="trainings at once, a thread each")
    args = parser.parse_args()
    with ThreadPoolExecutor(args.jobs) as pool:
        running = [
            pool.submit(train, mixer, seed, args.epochs, args.folder)
            for seed in args.seeds
            for mixer in args.mixers
        ]
        try:
            trained = [each.result() for each in running]
        finally:
            pool.shutdown(cancel_futures=True)  # of an interruption: start no more
    for line in table(read_reports(args.folder, args.epochs)):
        print(line)
    sys.exit(0 if all(trained) else 1)


if __name__ == "__main__":
    main()
