"""Several devices at once: in parallel, one job at a time on each, and failures that stay alone."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from affnet.bench.measurement.interleaved import label_jobs
from affnet.bench.measurement.protocol import Protocol
from affnet.bench.measurement.sweep import sweep
from affnet.bench.reporting.latency_table import table, to_markdown
from affnet.bench.reporting.notes import table_notes
from affnet.bench.results.outcome import DeviceOutcome, exit_code
from affnet.bench.results.ratios import relate_to_peer
from affnet.devices.fake import FakeDevice, FakeSettings
from affnet.errors import MeasurementError, MissingError, UsageError
from tests.bench.fakes import MS, a_result, an_artifact

PROTOCOL = Protocol("test", min_runs=20, min_seconds=0.0, block_seconds=0.01)


class Watched(FakeDevice):
    """A fake that tells what happens to it, and can wait for others in its session."""

    def __init__(self, name: str, where: str = "", meet: threading.Barrier | None = None) -> None:
        super().__init__(name, FakeSettings(fails=name.startswith("bad")))
        self.where, self.meet = where or name, meet
        self.log: list[str] = []
        self.interrupted = threading.Event()

    def address(self) -> str:
        return self.where

    @contextmanager
    def session(self, runtime: str, progress: Any = None) -> Iterator[None]:
        self.log.append("begins")
        if self.meet:
            self.meet.wait(timeout=10)
        try:
            yield
        finally:
            self.log.append("ends")

    def interrupt(self) -> None:
        self.interrupted.set()


def swept(folder: Path, devices: Sequence[Watched], steps: list[str] | None = None) -> Any:
    jobs = label_jobs([an_artifact("a", folder), an_artifact("b", folder)], "onnxruntime")
    tell = (lambda _: None) if steps is None else steps.append
    return sweep(jobs, devices, PROTOCOL, threads=1, progress=tell)


def test_devices_work_at_the_same_time_and_come_back_in_their_order(tmp_path: Path) -> None:
    """Each session waits for the other two: one after the other they would never meet."""
    meet = threading.Barrier(3)
    devices = [Watched(name, meet=meet) for name in ("x", "y", "z")]
    steps: list[str] = []
    outcomes = swept(tmp_path, devices, steps)
    assert [outcome.device for outcome in outcomes] == ["x", "y", "z"]
    assert all([r.model for r in outcome.results] == ["a", "b"] for outcome in outcomes)
    assert [{r.device for r in outcome.results} for outcome in outcomes] == [{"x"}, {"y"}, {"z"}]
    assert {step.partition(": ")[0] for step in steps} == {"x", "y", "z"}
    assert "y: Measuring the memory of b" in steps


def test_two_names_of_one_board_are_measured_one_after_the_other(tmp_path: Path) -> None:
    order: list[str] = []
    devices = [Watched("x", "board"), Watched("y", "board")]
    for device in devices:
        device.log = order
    assert [bool(o.results) for o in swept(tmp_path, devices)] == [True, True]
    assert order == ["begins", "ends"] * 2


def test_one_failing_device_does_not_stop_the_others(tmp_path: Path) -> None:
    good, bad, other = swept(tmp_path, [Watched("x"), Watched("bad"), Watched("y")])
    assert good.results
    assert other.results
    assert bad.results == []
    assert isinstance(bad.error, MeasurementError)
    assert exit_code([good, bad, other]) == 1


def test_the_exit_code_tells_what_failed() -> None:
    fine, lost = DeviceOutcome("x"), DeviceOutcome("y", error=MeasurementError("lost"))
    gone = DeviceOutcome("z", error=MissingError("gone"))
    assert exit_code([fine]) == 0
    assert exit_code([fine, gone]) == 3
    assert exit_code([gone, lost]) == 1


def test_an_interruption_ends_all_devices_and_each_cleans_up(tmp_path: Path) -> None:
    devices = [Watched("x"), Watched("y")]
    started = threading.Event()

    class Endless(Protocol):
        """Never reached: the fakes' clocks do not stop by themselves."""

    def progress(step: str) -> None:
        if "in turns" in step:
            started.set()

    def interrupted(_futures: object) -> None:
        assert started.wait(10)
        raise KeyboardInterrupt

    jobs = label_jobs([an_artifact("a", tmp_path)], "onnxruntime")
    endless = Endless("endless", min_runs=10**12, min_seconds=0.0, block_seconds=0.01)
    with pytest.MonkeyPatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("affnet.bench.measurement.sweep.wait", interrupted)
        sweep(jobs, devices, endless, threads=1, progress=progress)
    assert [device.log for device in devices] == [["begins", "ends"]] * 2
    assert all(device.interrupted.is_set() for device in devices)


TWO = [
    a_result(device="x", model="one", blocks_ns=((20 * MS,) * 2,) * 2),
    a_result(device="x", model="two", blocks_ns=((10 * MS,) * 2,) * 2),
    a_result(device="y", model="one", blocks_ns=((90 * MS,) * 2,) * 2, validity_reasons=("hot",)),
    a_result(device="y", model="two", blocks_ns=((30 * MS,) * 2,) * 2),
]


def test_ratios_never_cross_devices() -> None:
    related = relate_to_peer(TWO, "two")
    assert [r.ratio_to_peer.value for r in related if r.ratio_to_peer] == [2, 1, 3, 1]
    with pytest.raises(UsageError, match=r"^two was not measured in this run\.$"):
        relate_to_peer(TWO[:3], "two")


def test_a_table_of_several_devices_has_them_in_a_column_of_their_own() -> None:
    rows = [line.split(",")[:4] for line in table(TWO).csv().splitlines()]
    assert rows[0] == ["device", "model", "runtime", "median ms"]
    assert rows[3] == ["y", "one", "onnxruntime", "90.00"]
    assert to_markdown(TWO).splitlines()[1].startswith("| --- | --- | --- | ---: |")
    assert [note[:16] for note in table_notes(TWO)[:2]] == ["Measured on x (I", "Measured on y (I"]
    assert table_notes(TWO)[-1] == "Not valid for publication: y: hot (one)."
