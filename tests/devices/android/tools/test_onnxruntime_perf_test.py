"""``onnxruntime_perf_test``: its grammar, and measuring on a phone with it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from affnet.artifact import Artifact
from affnet.bench.measurement import protocol
from affnet.bench.measurement.interleaved import label_jobs, measure
from affnet.devices.android.tools.base import Invocation, Settings
from affnet.devices.android.tools.onnxruntime_perf_test import arguments, operators, outputs, parse
from affnet.devices.catalog import Entry
from affnet.devices.doctor import diagnose
from affnet.errors import MeasurementError, MissingError, UsageError
from tests.cli.conftest import copy_artifact
from tests.conftest import Finished
from tests.devices.android.phones import FEW_STARTS, Attached

Run = Callable[..., Finished]
TOLD = (Path(__file__).parents[3] / "data" / "perf_test" / "android.txt").read_text()
ROWS = b"a,b,0.0958204,271122432,11,0\na,b,1.5e-05,271122432,11,1\n"


def test_what_the_tool_tells_of_each_run() -> None:
    for tail in (b"", b"\nMin Latency: 0.09 s\nMax Latency: 0.1 s\n"):
        report = parse(TOLD, {"samples": ROWS + tail})
        assert (report.load_ns, report.first_inference_ns) == (217_932_000, 196_000_000)
        assert report.samples_ns == (95_820_400, 15_000)
        assert report.peak_rss_bytes == 271_122_432
        assert report.block is None


@pytest.mark.parametrize(
    ("output", "rows"),
    [
        ("", ROWS), (TOLD, None), (TOLD, b""), (TOLD, b"<html>"), (TOLD, b"m,x,1,2,3"),
        (TOLD, b"m,0,1,2,3"), (TOLD.replace("Session creation", "x"), ROWS),
    ],
)  # fmt: skip
def test_what_is_no_finished_run_is_refused(output: str, rows: bytes | None) -> None:
    with pytest.raises(ValueError, match=r"^(it|a run)"):
        parse(output, {} if rows is None else {"samples": rows})


def test_the_command_line() -> None:
    invocation = Invocation("/m.onnx", runs=7, warmup_runs=3, profile=True, folder="/f")
    assert arguments(invocation, Settings(threads=4)) == [
        "-e", "cpu", "-m", "times", "-r", "10", "-x", "4", "-y", "1", "-I", "-S", "1",
        "-p", "/f/profile", "/m.onnx", "/f/samples",
    ]  # fmt: skip
    assert outputs({"samples": b""}) is None
    assert operators("", {"samples": b""}, 3) == []


def test_a_phone_is_measured_and_each_run_is_known(
    attached: Attached, digits_onnx: Artifact
) -> None:
    attached.attach()
    device = attached.device(runner=str(attached.runner(program="onnxruntime_perf_test")))
    with device.session("onnxruntime"):
        jobs = label_jobs([digits_onnx], "onnxruntime")
        (result,) = measure(jobs, device, FEW_STARTS, threads=1, profile=True)
    assert result.sample_kind == "run"
    assert result.runs == len(result.samples_ns) >= 30
    summary = result.summary()
    assert summary.p99 is not None
    assert 50_000 < summary.minimum <= summary.median <= summary.p99 < 1e9
    assert result.runtime_version.startswith("onnxruntime_perf_test of sha256 ")
    assert 2e7 < result.peak_rss_bytes < 1e9
    assert "pixel does not report its outputs, which were not compared" in result.limits
    assert {"Conv", "MatMul"} <= {time.operator for time in result.operators}
    assert "layer_3.1.fusion.block.conv" in {time.module for time in result.operators}


def test_two_phones_at_once_from_the_command_line(
    attached: Attached,
    run: Run,
    digits_onnx: Artifact,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(protocol.PRESETS, "check", FEW_STARTS)
    one, two = attached.attach(), attached.attach(model="SM-S928B", manufacturer="samsung")
    twin = copy_artifact(digits_onnx, tmp_path / "twin.onnx")
    done = run(
        "bench", digits_onnx.path, "--against", twin, "--device", f"{one.serial},{two.serial}",
        "--runner-dir", attached.runner(program="onnxruntime_perf_test"), "--preset", "check",
        "--json",
    )  # fmt: skip
    assert done.code == 0, done.err
    results = done.json["results"]
    assert [r["device"] for r in results] == [one.serial] * 2 + [two.serial] * 2
    assert {r["environment"]["model"] for r in results} == {"Google Pixel 8", "samsung SM-S928B"}
    assert all(r["ratio_to_peer"] and r["p99_ns"] for r in results)


@pytest.mark.parametrize(
    ("body", "kind", "sentence"),
    [
        ("exit 126", MissingError, "cannot be run on the phone"),
        ("kill -ABRT $$", MeasurementError, "ended with signal 6"),
        ("echo 'Load model failed'; exit 255", MeasurementError, "Load model failed"),
        ("echo hello", MeasurementError, "answered with nonsense (it reports no creation of a"),
    ],
)
def test_tools_that_fail(
    attached: Attached, digits_onnx: Artifact, body: str, kind: type[Exception], sentence: str
) -> None:
    attached.attach()
    folder = attached.runner(body, program="onnxruntime_perf_test")
    device = attached.device(runner=str(folder))
    with (
        pytest.raises(kind) as info,
        device.session("onnxruntime"),
        device.start(digits_onnx, "onnxruntime", 1),
    ):
        pass
    assert sentence in str(info.value)
    assert "\n" not in str(info.value)


def test_too_few_samples_are_told(attached: Attached, digits_onnx: Artifact) -> None:
    attached.attach()
    lines = "Session creation time cost: 1 s\\nFirst inference time cost: 2 ms\\n"
    body = f'printf "{lines}"; for file; do :; done; printf "m,0.1,1,1,0\\nm,0.1,1,1,1\\n" >"$file"'
    folder = attached.runner(body, program="onnxruntime_perf_test")
    device = attached.device(runner=str(folder))
    with (
        device.session("onnxruntime"),
        device.start(digits_onnx, "onnxruntime", 1) as process,
        pytest.raises(MeasurementError, match="gave 2 samples for 6 runs"),
    ):
        process.run(3, discard=2)  # and one for the warm-up


def test_the_first_runs_of_a_turn_are_its_warm_up(
    attached: Attached, digits_onnx: Artifact
) -> None:
    attached.attach()
    # run 1 takes 1 ms, run 2 takes 2 ms, ..
    body = (
        'for file; do :; done; n=1; while [ $n -le "$6" ]; do echo "m,0.00$n,1,1,$n"; '
        'n=$((n + 1)); done >"$file"; '
        'printf "Session creation time cost: 1 s\\nFirst inference time cost: 2 ms\\n"'
    )
    folder = attached.runner(body, program="onnxruntime_perf_test")
    device = attached.device(runner=str(folder), warmup_seconds=0.006)
    with (
        device.session("onnxruntime"),
        device.start(digits_onnx, "onnxruntime", 1) as process,
    ):
        # 1.5 ms is typical of the first two runs, so that 6 ms are 4 runs more
        assert process.run(3, discard=2) == (7_000_000, 8_000_000, 9_000_000)


def test_what_is_not_published_must_be_built(attached: Attached, tmp_path: Path) -> None:
    attached.attach()
    for runner, kind in ((None, MissingError), (str(tmp_path), UsageError)):
        device = attached.device(runner=runner)
        with pytest.raises(kind, match=r"onnxruntime_perf_test.*; build it with ONNX Runtime's"):
            device.check_runtime("onnxruntime")


def test_the_gpu_is_litert_s_only(attached: Attached) -> None:
    with pytest.raises(UsageError, match="which onnxruntime_perf_test does not use"):
        attached.device(accelerator="gpu").check_runtime("onnxruntime")


def test_a_doctor_pushes_the_tools_that_are_there(attached: Attached) -> None:
    attached.attach()
    folder = attached.runner(program="onnxruntime_perf_test")
    (folder / "benchmark_model").unlink(missing_ok=True)
    checks = list(diagnose(Entry("pixel", "adb", {"runner": str(folder)})))
    (runner,) = [check for check in checks if check.step == "runner"]
    assert runner.detail.startswith("onnxruntime_perf_test of sha256 ")
