"""How long does ``affnet compare`` take with many results in the store?

Fills a new store with invented results, of 200 samples each, of several models that were measured
in turns with a peer; then runs the command as a process of its own, start of Python included.
The project's bar for one model's history with 100,000 results is 1 s.

    python benchmarks/store.py --results 100000
    python benchmarks/store.py --store postgresql://user@host/database
"""

from __future__ import annotations

import argparse
import random
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from affnet.bench.results.result import Result
from affnet.bench.store.database import Store

MODELS = ("peer", *(f"model_{number}" for number in range(9)))
SAMPLES = 200
_AT_ONCE = 2_000
_START = datetime(2026, 1, 1, tzinfo=UTC)


def invented(session: int, model: str, noise: random.Random) -> Result:
    """Return the result of one model in one session."""
    center = 5e6 * (1 + MODELS.index(model) / 10)
    samples = [round(center * (1 + 0.02 * abs(noise.gauss(0, 1)))) for _ in range(SAMPLES)]
    return Result(
        model=model,
        artifact=f"{model}.onnx",
        artifact_sha256=f"{session:064}",
        format="onnx",
        runtime="onnxruntime",
        runtime_version="1.0",
        device="host",
        threads=1,
        precision="fp32",
        protocol="default",
        blocks_ns=tuple(tuple(samples[i : i + 20]) for i in range(0, SAMPLES, 20)),
        warmup_ns=(1, 2, 3),
        load_ns=1,
        first_inference_ns=1,
        peak_rss_bytes=1,
        file_bytes=1,
        parameters=1,
        macs=1,
        weights="trained",
        published=None,
        validity_reasons=(),
        environment={"cpu": "invented", "hardware_threads": 2},
        session=f"session {session}",
        recorded_at=(_START + timedelta(minutes=session)).isoformat(),
        git_commit=f"{session:040x}",
    )


def fill(target: str, count: int) -> None:
    """Add ``count`` results to a store."""
    noise, waiting = random.Random(0), list[Result]()  # noqa: S311
    with Store(target) as store:
        for number in range(count):
            session, model = divmod(number, len(MODELS))
            waiting.append(invented(session, MODELS[model], noise))
            if len(waiting) == _AT_ONCE or number == count - 1:
                store.add(waiting)
                waiting.clear()


def seconds(command: list[str]) -> float:
    started = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--results", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--store", help="a database to fill; default: a temporary SQLite file")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        target = arguments.store or str(Path(scratch) / "results.db")
        started = time.perf_counter()
        fill(target, arguments.results)
        print(f"{arguments.results} results added in {time.perf_counter() - started:.0f} s")
        if not arguments.store:
            print(f"{Path(target).stat().st_size / 1e6:.0f} MB")
        affnet = [sys.executable, "-m", "affnet.cli", "compare", "--store", target]
        for name, options in {
            "history of one model": ["--history", "model_1"],
            "history beside a peer": ["--history", "model_1", "--against", "peer"],
            "the newest of each model": [],
        }.items():
            times = [seconds([*affnet, *options]) for _ in range(arguments.rounds)]
            print(
                f"{name:<26}{statistics.median(times):.2f} s "
                f"({min(times):.2f} to {max(times):.2f})",
                flush=True,
            )


if __name__ == "__main__":
    main()
