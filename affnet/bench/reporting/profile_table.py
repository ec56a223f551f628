"""The tables of a profile: the time of each type of operator and of each module, a model at a time.

They show shares, because a run that is watched is slower than one that is timed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from affnet.bench.measurement.profiling import by_module, by_operator, informative_depth
from affnet.bench.results.result import Result
from affnet.table import Table, numbers, texts
from affnet.units import MILLISECONDS, PERCENT

_ROWS = 12  # of one table; what is smaller is one row at the end


def tables(results: Sequence[Result]) -> Iterator[Table]:
    """Yield the tables of each result that has a profile."""
    several = len({result.device for result in results}) > 1
    for result in results:
        if not result.operators:
            continue
        where = f" on {result.device}" if several else ""
        title = f"{result.model}{where}, watched by the profiler of {result.runtime}:"
        yield _table(title, "operator", _largest(by_operator(result.operators)))
        if modules := by_module(result.operators, informative_depth(result.operators)):
            yield _table(title, "module", modules)


def _table(title: str, kind: str, times_ns: dict[str, int]) -> Table:
    """Return the time and the share of each row, which is of a ``kind``."""
    total = sum(times_ns.values()) or 1
    rows = [
        (name, MILLISECONDS.number(time), PERCENT.number(time / total))
        for name, time in times_ns.items()
    ]
    return Table([*texts(kind), *numbers(MILLISECONDS.symbol, PERCENT.symbol)], rows, title)


def _largest(rows: dict[str, int]) -> dict[str, int]:
    """Keep the first rows, and sum up the others."""
    if len(rows) <= _ROWS:
        return rows
    names = list(rows)
    rest = sum(rows[name] for name in names[_ROWS - 1 :])
    kept = {name: rows[name] for name in names[: _ROWS - 1]}
    return {**kept, f"{len(rows) - len(kept)} others": rest}
