"""Each thing that speaks against a measurement is said, and nothing else is."""

from __future__ import annotations

from typing import Any

import pytest

from affnet.bench.measurement.validity import reasons_against

STEADY = [[10_000_003, 11_000_001, 10_000_001]] * 8


def reasons(
    before: dict[str, Any] | None = None,
    blocks: list[list[int]] = STEADY,
    threads: int = 1,
    cores: int = 4,
) -> tuple[str, ...]:
    environment = {"before": before or {}, "hardware_threads": cores}
    return reasons_against(blocks, environment, threads)


def test_nothing_speaks_against_a_quiet_run() -> None:
    assert reasons({"busy_cores": 0.2, "governor": "performance"}, threads=4) == ()


def test_what_a_device_cannot_tell_is_not_held_against_it() -> None:
    assert reasons({"busy_cores": None, "governor": None}) == ()


def test_busy_cores_are_said() -> None:
    assert reasons({"busy_cores": 0.3}) == ("other processes kept 0.3 cores busy before the run",)


@pytest.mark.parametrize("governor", ["powersave", "conservative"])
def test_a_slow_governor_is_said(governor: str) -> None:
    assert reasons({"governor": governor}) == (f"the frequency governor is {governor}",)


def test_more_threads_than_cores_are_said() -> None:
    assert reasons(threads=5) == ("5 threads on 4 cores",)


@pytest.mark.parametrize(("last", "change"), [(120, "+20%"), (80, "-20%")])
def test_drift_is_said_with_its_sign(last: int, change: str) -> None:
    blocks = [[100]] * 4 + [[last]] * 4
    assert reasons(blocks=blocks) == (f"latency drifted by {change} during the run",)


def test_drift_within_a_tenth_or_in_fewer_than_four_blocks_is_not() -> None:
    assert reasons(blocks=[[100]] * 4 + [[109]] * 4) == ()
    assert reasons(blocks=[[100], [150], [200]]) == ()


def test_a_clock_that_stands_still_or_is_coarse_is_said() -> None:
    assert reasons(blocks=[[5_000_000] * 5] * 2) == (
        "all 10 runs have the same duration; the clock is not working",
    )
    assert reasons(blocks=[[900_000, 1_000_000, 1_100_000, 1_000_000, 1_000_000]] * 2) == (
        "the clock only resolves 10% of the latency",
    )
    assert reasons(blocks=[[5_000_000] * 9]) == ()  # too few to tell


def test_a_run_that_took_far_too_long_is_said() -> None:
    stepped = [[10_000_003, 10_000_001] * 6, [3600_000_000_001, 10_000_003]]
    assert reasons(blocks=stepped) == (
        "one run took 3600 s, 360000 times the median: the system slept, or its clock stepped",
    )


def test_one_slow_block_is_no_drift() -> None:
    assert reasons(blocks=[[100], [100], [300], [100], [100], [100], [100], [100]]) == ()
