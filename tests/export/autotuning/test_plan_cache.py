"""Measured costs, remembered."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from affnet.errors import UsageError
from affnet.export.autotuning import plan_cache as module
from affnet.export.autotuning.plan_cache import PlanCache, Target
from affnet.export.fourier.plans.base import MapSize

TARGET = Target("a phone", "litert 2.3.0", 1)
SIZE = MapSize(64, 32, 32)


@pytest.fixture
def plan_cache(tmp_path: Path) -> PlanCache:
    return PlanCache(tmp_path / "new" / "wisdom.json")


def test_costs_come_back_for_their_target_and_size_only(plan_cache: PlanCache) -> None:
    assert plan_cache.get(TARGET, SIZE) == {}
    plan_cache.put(TARGET, SIZE, {"right": 12.5, "dense": None})
    assert plan_cache.get(TARGET, SIZE) == {"right": 12.5, "dense": None}
    for target in (
        Target("another phone", TARGET.runtime, 1),
        Target(TARGET.machine, "litert 2.4.0", 1),
        Target(TARGET.machine, TARGET.runtime, 2),
    ):
        assert plan_cache.get(target, SIZE) == {}
    assert plan_cache.get(TARGET, MapSize(64, 32, 16)) == {}


def test_a_later_measurement_replaces_an_earlier_one(plan_cache: PlanCache) -> None:
    plan_cache.put(TARGET, SIZE, {"right": 12.5, "dense": 20.0})
    plan_cache.put(TARGET, SIZE, {"right": 11.0})
    assert plan_cache.get(TARGET, SIZE) == {"right": 11.0}


def test_costs_of_other_code_are_forgotten(
    plan_cache: PlanCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan_cache.put(TARGET, SIZE, {"right": 12.5})
    monkeypatch.setattr(module, "_plans_hash", lambda: "changed")
    assert plan_cache.get(TARGET, SIZE) == {}


@pytest.mark.parametrize(
    "content",
    [
        "",
        "not JSON",
        "[]",
        '{"schema": 1}',
        '{"schema": 99, "costs": {}}',
        '{"schema":1,"costs":[]}',
    ],
)
def test_a_damaged_file_counts_as_empty_and_is_replaced(
    plan_cache: PlanCache, content: str
) -> None:
    plan_cache.path.parent.mkdir()
    plan_cache.path.write_text(content)
    assert plan_cache.get(TARGET, SIZE) == {}
    plan_cache.put(TARGET, SIZE, {"right": 12.5})
    assert plan_cache.get(TARGET, SIZE) == {"right": 12.5}


def test_writers_at_once_lose_nothing(plan_cache: PlanCache) -> None:
    sizes = [MapSize(8, n, n) for n in range(1, 9)]
    writers = [
        threading.Thread(target=PlanCache(plan_cache.path).put, args=(TARGET, size, {"right": 1.0}))
        for size in sizes
    ]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert [plan_cache.get(TARGET, size) for size in sizes] == [{"right": 1.0}] * len(sizes)


def test_a_folder_that_cannot_be_made_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="cannot be a folder"):
        PlanCache(tmp_path / "file" / "wisdom.json").put(TARGET, SIZE, {"right": 1.0})
