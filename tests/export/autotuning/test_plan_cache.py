"""Measured costs, remembered."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from affnet.errors import UsageError
from affnet.export.autotuning import plan_cache as module
from affnet.export.autotuning.plan_cache import Target, Wisdom
from affnet.export.fourier.plans.base import MapSize

TARGET = Target("a phone", "litert 2.3.0", 1)
SIZE = MapSize(64, 32, 32)


@pytest.fixture
def wisdom(tmp_path: Path) -> Wisdom:
    return Wisdom(tmp_path / "new" / "wisdom.json")


def test_costs_come_back_for_their_target_and_size_only(wisdom: Wisdom) -> None:
    assert wisdom.recall(TARGET, SIZE) == {}
    wisdom.remember(TARGET, SIZE, {"right": 12.5, "dense": None})
    assert wisdom.recall(TARGET, SIZE) == {"right": 12.5, "dense": None}
    for target in (
        Target("another phone", TARGET.runtime, 1),
        Target(TARGET.machine, "litert 2.4.0", 1),
        Target(TARGET.machine, TARGET.runtime, 2),
    ):
        assert wisdom.recall(target, SIZE) == {}
    assert wisdom.recall(TARGET, MapSize(64, 32, 16)) == {}


def test_a_later_measurement_replaces_an_earlier_one(wisdom: Wisdom) -> None:
    wisdom.remember(TARGET, SIZE, {"right": 12.5, "dense": 20.0})
    wisdom.remember(TARGET, SIZE, {"right": 11.0})
    assert wisdom.recall(TARGET, SIZE) == {"right": 11.0}


def test_costs_of_other_code_are_forgotten(wisdom: Wisdom, monkeypatch: pytest.MonkeyPatch) -> None:
    wisdom.remember(TARGET, SIZE, {"right": 12.5})
    monkeypatch.setattr(module, "_plans_hash", lambda: "changed")
    assert wisdom.recall(TARGET, SIZE) == {}


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
def test_a_damaged_file_counts_as_empty_and_is_replaced(wisdom: Wisdom, content: str) -> None:
    wisdom.path.parent.mkdir()
    wisdom.path.write_text(content)
    assert wisdom.recall(TARGET, SIZE) == {}
    wisdom.remember(TARGET, SIZE, {"right": 12.5})
    assert wisdom.recall(TARGET, SIZE) == {"right": 12.5}


def test_writers_at_once_lose_nothing(wisdom: Wisdom) -> None:
    sizes = [MapSize(8, n, n) for n in range(1, 9)]
    writers = [
        threading.Thread(target=Wisdom(wisdom.path).remember, args=(TARGET, size, {"right": 1.0}))
        for size in sizes
    ]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert [wisdom.recall(TARGET, size) for size in sizes] == [{"right": 1.0}] * len(sizes)


def test_a_folder_that_cannot_be_made_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="cannot be a folder"):
        Wisdom(tmp_path / "file" / "wisdom.json").remember(TARGET, SIZE, {"right": 1.0})
