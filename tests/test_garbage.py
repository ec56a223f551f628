"""Tests of how often Python looks for garbage."""

from __future__ import annotations

import gc

import pytest

from affnet.garbage import collected_rarely


@pytest.fixture(autouse=True)
def thresholds_kept() -> object:
    before = gc.get_threshold()
    yield
    gc.set_threshold(*before)


@pytest.mark.parametrize(
    ("before", "within"),
    [
        ((700, 10, 10), (50_000, 10, 10)),
        ((100_000, 5, 7), (100_000, 5, 7)),  # the caller looks less often still
        ((0, 10, 10), (0, 10, 10)),  # never
    ],
)
def test_searches_are_rare_for_a_while(
    before: tuple[int, int, int], within: tuple[int, int, int]
) -> None:
    gc.set_threshold(*before)
    with pytest.raises(ZeroDivisionError), collected_rarely():
        assert gc.get_threshold() == within
        raise ZeroDivisionError
    assert gc.get_threshold() == before


def test_a_caller_who_wants_no_searches_gets_none() -> None:
    before = gc.get_threshold()
    gc.disable()
    try:
        with collected_rarely():
            assert not gc.isenabled()
        assert gc.get_threshold() == before
    finally:
        gc.enable()
