"""The table of a pipeline: preprocessing, inference and postprocessing of each model, and all."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from affnet.bench.results.result import Result
from affnet.bench.statistics.intervals import percentile_interval
from affnet.table import Table, numbers, texts
from affnet.units import MILLISECONDS, PERCENT


def tables(results: Sequence[Result]) -> Iterator[Table]:
    """Yield one table of all results that were measured from a picture on."""
    rows = [row for result in results if result.stages_ns for row in _rows(result)]
    if rows:
        unit = MILLISECONDS.symbol
        head = numbers(f"median {unit}", "[95 %]", f"p90 {unit}", "share %")
        title = "From the file of a picture to an answer:"
        yield Table([*texts("device", "model", "stage"), *head], rows, title)


def _rows(result: Result) -> Iterator[list[str]]:
    total = sum(map(sum, result.stages_ns.values())) or 1
    for name, samples in {**result.stages_ns, "all": result.samples_ns}.items():
        found = percentile_interval(samples, 0.5)
        low, high = map(MILLISECONDS.number, (found.low, found.high))
        yield [
            result.device,
            result.model,
            name,
            MILLISECONDS.number(found.value),
            f"[{low}, {high}]",
            MILLISECONDS.number(float(np.quantile(samples, 0.9))),
            PERCENT.number(sum(samples) / total),
        ]
