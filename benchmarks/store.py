"""How long does ``affnet compare`` take with many results in the store?

Fills a new store with invented results, of 200 samples each, of several models that were measured
in turns with a peer; then runs the command as a process of its own, start of Python included.
Of many results only the newest are made one by one; the database copies them for the years before.
The project's bar for one model's history is 1 s, with 1,000,000 results.

    python benchmarks/store.py --results 1000000
    python benchmarks/store.py --results 1000000 --store postgresql://user@host/database
"""

from __future__ import annotations

import argparse
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import sqlalchemy as sql

from affnet.bench.results.result import Result
from affnet.bench.store.database import Store
from affnet.bench.store.engine import make_engine, writing
from affnet.bench.store.schema import RESULTS

MODELS = ("peer", *(f"model_{number}" for number in range(9)))
SAMPLES = 200
_AT_ONCE = 2_000
_MADE = 10_000  # each copy of them is of another year
_START = datetime(2026, 1, 1, tzinfo=UTC)


def invented(session: int, model: str, noise: random.Random, device: str = "host") -> Result:
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
        device=device,
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
    """Add ``count`` results to an empty store; whole copies of the newest where they are many."""
    noise, waiting = random.Random(0), list[Result]()  # noqa: S311
    made = min(count, _MADE)
    with Store(target) as store:
        if store.models():  # filled before
            return
        for number in range(made):
            session, model = divmod(number, len(MODELS))
            waiting.append(invented(session, MODELS[model], noise))
            if len(waiting) == _AT_ONCE or number == made - 1:
                store.add(waiting)
                waiting.clear()
    engine, _ = make_engine(target, create=False)
    for number in range(1, count // made):
        with writing(engine) as connection:
            connection.execute(copied(number))
    engine.dispose()


def copied(number: int) -> sql.Insert:
    """Return the statement that copies what was made, for sessions of ``number`` years before."""
    columns = RESULTS.c
    names = columns.keys()
    day = sql.literal(str(_START.year - number)) + sql.func.substr(columns.recorded_at, 5)
    other: dict[str, sql.ColumnElement[str]] = {
        "id": sql.literal(f"y{number:03}") + sql.func.substr(columns.id, 5),
        "recorded_at": day,
        "session": sql.literal(f"{number} years before ") + columns.session,
        "git_commit": sql.literal(f"{number:04}") + sql.func.substr(columns.git_commit, 5),
        "artifact_sha256": sql.literal(f"{number:04}")
        + sql.func.substr(columns.artifact_sha256, 5),
    }
    first = columns.recorded_at >= str(_START.year)
    select = sql.select(*(other.get(name, columns[name]) for name in names)).where(first)
    return sql.insert(RESULTS).from_select(names, select)


def seconds(command: list[str]) -> tuple[float, float]:
    """Return the time that a command takes, and that of the processor, which load changes less."""
    started, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    busy = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return time.perf_counter() - started, busy


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--results", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument(
        "--store", help="a database, filled if it is empty; default: a temporary SQLite file"
    )
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        target = arguments.store or str(Path(scratch) / "results.db")
        started = time.perf_counter()
        fill(target, arguments.results)
        print(
            f"{arguments.results} results added in {time.perf_counter() - started:.0f} s",
            flush=True,
        )
        if not arguments.store:
            print(f"{Path(target).stat().st_size / 1e6:.0f} MB")
        affnet = [sys.executable, "-m", "affnet.cli", "compare", "--store", target]
        for name, options in {
            "history of one model": ["--history", "model_1"],
            "history beside a peer": ["--history", "model_1", "--against", "peer"],
            "the newest of each model": [],
        }.items():
            measured = [seconds([*affnet, *options]) for _ in range(arguments.rounds)]
            times, busy = zip(*measured, strict=True)
            print(
                f"{name:<26}{statistics.median(times):.2f} s "
                f"({min(times):.2f} to {max(times):.2f}), of the processor "
                f"{statistics.median(busy):.2f} s",
                flush=True,
            )


if __name__ == "__main__":
    main()
