"""Rounds on a device of a cluster, of which each job measures those up to one analysis."""

from __future__ import annotations

from typing import Any, cast

import pytest

from affnet.bench.budgets.on_cluster import LabBudgetDevice
from affnet.bench.budgets.rounds import Rounds
from affnet.bench.budgets.verdicts import ANALYSES
from affnet.bench.measurement.protocol import Protocol
from affnet.bench.results.result import Result
from tests.bench.fakes import a_result

PROTOCOL = Protocol("test", min_runs=8, min_seconds=0.0)


class Lab(LabBudgetDevice):
    """Gives one result for each round that a job is asked for."""

    def __init__(self) -> None:
        super().__init__(cast(Any, None), cast(Any, None), {})
        self.asked: list[tuple[int, int]] = []

    def _ask(self, task: str, jobs: Any, how: Any, progress: Any) -> Any:
        assert task == "rounds"
        self.asked.append((how["after"], how["end"]))
        return [[a_result().to_json()]] * (how["end"] - how["after"])


@pytest.mark.parametrize(
    ("most", "enough_at", "jobs"),
    [
        (12, None, [(0, 4), (4, 6), (6, 9), (9, 12)]),
        (12, 6, [(0, 4), (4, 6)]),
        (7, None, [(0, 4), (4, 6), (6, 7)]),
        (3, None, [(0, 3)]),
    ],
)
def test_each_job_goes_on_where_the_one_before_it_ended(
    most: int, enough_at: int | None, jobs: list[tuple[int, int]]
) -> None:
    lab, kept = Lab(), list[Result]()
    found = lab.measure_rounds(
        [],
        PROTOCOL,
        threads=1,
        max_rounds=most,
        enough=lambda rounds: len(rounds.new) == enough_at,
        memory_counts=False,
        progress=lambda _: None,
        keep=kept.extend,
    )
    assert ANALYSES == (4, 6, 9, 12)
    assert lab.asked == jobs
    assert isinstance(found, Rounds)
    assert len(found.new) == len(kept) == (enough_at or most)
