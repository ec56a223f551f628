"""The presets are those that the documents promise."""

from __future__ import annotations

import pytest

from affnet.bench.measurement.protocol import PRESETS, choose_protocol, get_protocol
from affnet.errors import UnknownNameError, UsageError

pytestmark = pytest.mark.usefixtures("whole_presets")


@pytest.mark.parametrize(
    ("name", "runs", "seconds"),
    [
        ("default", 100, 2.0),
        ("quick", 30, 0.5),
        ("benchmark_model", 50, 1.0),
        ("mlperf", 1024, 60.0),
    ],
)
def test_a_preset_has_its_least_runs_and_seconds(name: str, runs: int, seconds: float) -> None:
    protocol = get_protocol(name)
    assert (protocol.name, protocol.min_runs, protocol.min_seconds) == (name, runs, seconds)


def test_every_preset_warms_up_and_discards() -> None:
    for protocol in PRESETS.values():
        assert 0 < protocol.max_warmup_seconds <= 3
        assert protocol.discarded_per_block >= 1
        assert protocol.min_block_runs >= 4


def test_an_unknown_preset_is_answered_with_the_valid_ones() -> None:
    with pytest.raises(UnknownNameError, match="valid: default, quick, check, bench"):
        get_protocol("slow")


def test_minutes_of_load_are_a_protocol_of_their_own() -> None:
    protocol = choose_protocol("default", 10)
    assert (protocol.name, protocol.min_seconds, protocol.watch_seconds) == (
        "sustained 10 min",
        600,
        15,
    )
    assert choose_protocol("quick", None).name == "quick"
    assert choose_protocol("quick", None).watch_seconds is None
    with pytest.raises(UsageError, match="omit --preset"):
        choose_protocol("quick", 10)
