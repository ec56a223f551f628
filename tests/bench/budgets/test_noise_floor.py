"""What comparisons of models with themselves show, and what is refused because of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast

import pytest

from affnet.bench.budgets import noise_floor
from affnet.bench.budgets.noise_floor import calibrate, check_sensitivity
from affnet.bench.budgets.rounds import Rounds
from affnet.bench.measurement.interleaved import Job
from affnet.devices.base import Device
from affnet.errors import BudgetError
from tests.bench.checks import FAKE, NO_SLOWER, Simulation, a_budget
from tests.bench.fakes import FakeDevice, an_artifact


class PlacedDevice(FakeDevice):
    """A device that tells where it is."""

    def address(self) -> str:
        return "here"


@pytest.fixture(autouse=True)
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file that remembers, in a folder of the test's."""
    path = tmp_path / "calibration.json"
    monkeypatch.setattr(noise_floor, "_file", lambda: path)
    return path


@pytest.fixture
def device(monkeypatch: pytest.MonkeyPatch) -> Device:
    """A device on which processes of one model differ by 3 %."""
    simulation = Simulation(seed=1, noise=0.03)

    def simulated(jobs: list[Job], *_: Any, max_rounds: int, **__: Any) -> Rounds:
        labels = [job.label for job in jobs]
        found = [simulation.round(*[10.0] * len(labels)).values() for _ in range(max_rounds)]
        return Rounds([dict(zip(labels, results, strict=True)) for results in found])

    monkeypatch.setattr(noise_floor, "measure_rounds", simulated)
    return cast(Device, PlacedDevice({}))


def job(folder: Path) -> Job:
    return Job("one", an_artifact("one", folder), "onnxruntime")


def test_more_rounds_tell_smaller_changes(tmp_path: Path, device: Device) -> None:
    detectable = [
        calibrate([job(tmp_path)], ["median"], device, FAKE, rounds=rounds)[0].detectable
        for rounds in (4, 12, 48)
    ]
    assert detectable[0] > detectable[1] > detectable[2]
    # 3 % from process to process, of both: 4.2 % a round; 3.9 standard errors of 12 rounds
    assert 0.02 < detectable[1] < 0.09


def test_a_model_beside_itself_is_as_fast(tmp_path: Path, device: Device) -> None:
    found = calibrate([job(tmp_path)], ["median", "p90"], device, FAKE, rounds=12)
    assert [(one.model, one.metric, one.rounds) for one in found] == [
        ("one", "median", 12),
        ("one", "p90", 12),
    ]
    assert all(0.9 < one.ratio < 1.1 for one in found)


def test_a_change_below_what_is_told_from_none_is_refused(
    tmp_path: Path, device: Device, file: Path
) -> None:
    check_sensitivity([NO_SLOWER], device, FAKE)  # nothing is known yet
    (found,) = calibrate([job(tmp_path)], ["median"], device, FAKE, rounds=4)
    tight = a_budget(limit=1 + found.detectable / 2, relative_to_baseline=True)
    with pytest.raises(
        BudgetError, match=rf"detect changes of one below {found.detectable:.1%}; raise"
    ):
        check_sensitivity([tight], device, FAKE)
    check_sensitivity(
        [a_budget(limit=1 + 2 * found.detectable, relative_to_baseline=True)], device, FAKE
    )
    check_sensitivity([a_budget(limit=1.0001, peer="two")], device, FAKE)  # no baseline's
    check_sensitivity(
        [a_budget(limit=1.0001, relative_to_baseline=True, metric="p90")], device, FAKE
    )
    assert list(json.loads(file.read_text()).values()) == [found.detectable]


def test_what_was_remembered_before_stays(tmp_path: Path, device: Device, file: Path) -> None:
    file.write_text('{"another machine": 0.5}')
    calibrate([job(tmp_path)], ["median"], device, FAKE, rounds=4)
    known = json.loads(file.read_text())
    assert known["another machine"] == 0.5
    assert len(known) == 2


def test_a_damaged_file_is_told_with_its_remedy(device: Device, file: Path) -> None:
    file.write_text('{"torn": ')
    with pytest.raises(BudgetError, match=r"cannot be read \(.*\); remove it and recalibrate"):
        check_sensitivity([NO_SLOWER], device, FAKE)
