"""Which runtimes are measured where: the device's own, those of a file, those that are named."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import pytest

from affnet.artifact import Artifact
from affnet.bench.measurement import runtimes
from affnet.bench.measurement.interleaved import Job
from affnet.bench.measurement.protocol import get_protocol
from affnet.bench.measurement.runtimes import measure_runtimes, plan_runtimes, runtime_on
from affnet.bench.results.outcome import DeviceOutcome
from affnet.devices.fake import FakeDevice
from affnet.devices.registry import DEVICES, device_class
from affnet.errors import MissingError, UnknownNameError, UnreachableError, UsageError
from affnet.runtimes import RUNTIMES, get_runtime


class Board(FakeDevice):
    """It is at home in two runtimes, of which ``lacking`` are not installed."""

    capabilities = dataclasses.replace(
        FakeDevice.capabilities, home_runtimes=("onnxruntime", "litert")
    )
    lacking: tuple[str, ...] = ()

    def check_runtime(self, runtime: str) -> None:
        super().check_runtime(runtime)
        if runtime in self.lacking:
            raise MissingError(f"no {runtime}; run: pip install it")


def board(name: str = "board", lacking: Sequence[str] = ()) -> Board:
    device = Board(name)
    device.lacking = tuple(lacking)
    return device


@pytest.mark.parametrize("kind", DEVICES)
def test_no_kind_of_device_refuses_what_it_is_at_home_in(kind: str) -> None:
    capabilities = device_class(kind).capabilities
    assert capabilities.home_runtimes
    assert set(capabilities.home_runtimes) <= set(capabilities.runtimes)


@pytest.mark.parametrize(
    ("text", "format_", "planned"),
    [
        (None, None, ["onnxruntime", "litert"]),
        (None, "tflite", ["litert"]),
        (None, "executorch", ["executorch"]),
        ("executorch, litert", None, ["executorch", "litert"]),
        ("all", None, list(RUNTIMES)),
        ("all", "onnx", ["onnxruntime"]),
    ],
)
def test_runtimes_follow_the_option_the_files_and_the_device(
    text: str | None, format_: str | None, planned: list[str]
) -> None:
    plan = plan_runtimes(text, [board()], format_)
    assert (plan.runtimes, plan.left_out) == ({"board": planned}, [])


@pytest.mark.parametrize("kind", DEVICES)
@pytest.mark.parametrize("format_", ["coreml", "executorch", "onnx", "tflite", "torch"])
def test_a_file_says_what_runs_it_on_each_kind_of_device(kind: str, format_: str) -> None:
    device: Any = FakeDevice(kind)
    device.capabilities = capabilities = device_class(kind).capabilities
    if format_ in capabilities.formats:
        assert get_runtime(runtime_on(device, format_)).format == format_
        assert runtime_on(device, format_) in capabilities.runtimes
    else:
        with pytest.raises(UsageError, match=f"^{kind} does not run files of the format {format_}"):
            plan_runtimes(None, [device], format_)
    assert runtime_on(device, None) == capabilities.home_runtimes[0]


def test_a_named_runtime_must_run_the_files() -> None:
    with pytest.raises(UsageError, match="onnxruntime does not run files of the format tflite; "):
        plan_runtimes("onnxruntime", [board()], "tflite")


def test_what_is_not_installed_is_left_out_unless_it_is_named() -> None:
    lacking = board(lacking=["litert"])
    plan = plan_runtimes(None, [lacking])
    assert plan.every() == ["onnxruntime"]
    assert plan.left_out == ["litert is not measured on board: no litert; run: pip install it"]
    with pytest.raises(MissingError, match="no litert"):
        plan_runtimes("onnxruntime,litert", [lacking])
    with pytest.raises(MissingError, match="no onnxruntime"):
        plan_runtimes(None, [board(lacking=["onnxruntime", "litert"])])


def test_what_cannot_be_exported_is_left_out() -> None:
    def check(runtime: str) -> None:
        if runtime == "litert":
            raise MissingError("no converter")

    assert plan_runtimes(None, [board()], check=check).every() == ["onnxruntime"]


def test_names_that_are_none_are_refused() -> None:
    with pytest.raises(UnknownNameError):
        plan_runtimes("tvm", [board()])
    with pytest.raises(UsageError, match="names no runtime"):
        plan_runtimes(",", [board()])


def test_each_runtime_is_measured_on_the_devices_that_take_it(digits_onnx: Artifact) -> None:
    phone = FakeDevice("phone")
    plan = plan_runtimes(None, [board(), phone])
    jobs = {name: [Job("digits", digits_onnx, name)] for name in plan.every()}
    outcomes = measure_runtimes(jobs, [board(), phone], plan, get_protocol("check"), threads=1)
    rows = [(r.device, r.runtime) for outcome in outcomes for r in outcome.results]
    assert rows == [("board", "onnxruntime"), ("board", "litert"), ("phone", "onnxruntime")]


@pytest.mark.parametrize(
    ("error", "named", "tried", "kept"),
    [
        (MissingError("no litert there"), None, 2, 1),
        (MissingError("no litert there"), "litert,onnxruntime", 2, 2),
        (UnreachableError("gone"), None, 1, 1),
    ],
)
def test_a_board_that_lacks_a_runtime_is_measured_in_the_other(
    monkeypatch: pytest.MonkeyPatch, error: MissingError, named: str | None, tried: int, kept: int
) -> None:
    asked: list[str] = []

    def sweep(
        jobs: Sequence[str], places: Sequence[Any], *_: Any, **__: Any
    ) -> list[DeviceOutcome]:
        asked.append(jobs[0])
        failed = jobs[0] == "litert"
        return [DeviceOutcome(place.name, error=error if failed else None) for place in places]

    monkeypatch.setattr(runtimes, "sweep", sweep)
    plan = plan_runtimes(named, [board()])
    jobs: Any = {"litert": ["litert"], "onnxruntime": ["onnxruntime"]}
    outcomes = measure_runtimes(jobs, [board()], plan, get_protocol("check"), threads=1)
    assert (len(asked), len(outcomes)) == (tried, kept)
    assert len(plan.left_out) == tried - kept
