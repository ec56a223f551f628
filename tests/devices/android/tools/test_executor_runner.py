"""ExecuTorch's ``executor_runner``: its grammar, and measuring on a phone with it."""

from __future__ import annotations

import pytest

from affnet.artifact import Artifact
from affnet.bench.measurement.interleaved import label_jobs, measure
from affnet.devices.android.tools.base import FedInput, Invocation, Settings
from affnet.devices.android.tools.executor_runner import arguments, operators, outputs, parse
from affnet.errors import MeasurementError, MissingError
from tests.devices.android.phones import FEW_STARTS, Attached

PLACE = "I 00:00:00.004429 executorch:executor_runner.cpp:251] "
TOLD = (
    f"{PLACE}Setting up planned buffer 0, size 40000.\n"
    f"{PLACE}Setting up planned buffer 1, size 48.\n"
    f"{PLACE}Model loaded in 3.211000 ms.\nVmHWM:\t   20480 kB\nVmHWM:\t   30720 kB\n"
    f"{PLACE}Iteration 1 of 2: 0.691078 ms\n{PLACE}Iteration 2 of 2: 0.5 ms\n"
    f"{PLACE}Model executed successfully 2 time(s) in 1.191078 ms.\n"
)


def test_what_the_tool_tells_of_each_run() -> None:
    report = parse(TOLD, {})
    assert (report.load_ns, report.first_inference_ns) == (3_211_000, 691_078)
    assert report.samples_ns == (691_078, 500_000)
    assert (report.peak_rss_bytes, report.runtime_bytes) == (30720 * 1024, 40048)
    assert parse(TOLD.replace("VmHWM", "x"), {}).peak_rss_bytes is None


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "it reports no loading and execution"),
        ("E 00:00:00.1 executorch:method.cpp:1] Missing operator", "it reports no loading"),
        (TOLD.replace("Model loaded", "x"), "it reports no loading"),
        (TOLD.replace("Iteration 2", "x"), "it reported 1 of 2 runs"),
        (TOLD.replace("0.5 ms", "0.0 ms"), "it reported 2 of 2 runs, some of no duration"),
    ],
)
def test_what_is_no_finished_run_is_refused(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=f"^{reason}"):
        parse(text, {})


def test_a_tool_that_tells_only_the_sum_is_too_old() -> None:
    older = "\n".join(line for line in TOLD.splitlines() if "Iteration" not in line)
    with pytest.raises(ValueError, match="it reports no single runs, as releases before"):
        parse(older, {})


def test_the_command_line_and_the_files() -> None:
    fed = FedInput("/i", (2,)), FedInput("/j", ())
    invocation = Invocation("/m.pte", runs=7, warmup_runs=3, inputs=fed, folder="/f")
    assert arguments(invocation, Settings(threads=4)) == [
        "--model_path=/m.pte", "--num_executions=10", "--cpu_threads=4",
        "--inputs=/i,/j", "--output_file=/f/outputs",
    ]  # fmt: skip
    assert outputs({"outputs-1.bin": b"b", "outputs-0.bin": b"a", "outputs-10.bin": b"c"}) == b"abc"
    assert outputs({}) is None
    assert operators(TOLD, {}, 2) == []


@pytest.mark.slow
@pytest.mark.converters
def test_a_phone_is_measured_each_run_is_known_and_outputs_agree(
    attached: Attached, tiny_pte: Artifact
) -> None:
    attached.attach()
    device = attached.device(runner=str(attached.runner(program="executor_runner")))
    with device.session("executorch"):
        jobs = label_jobs([tiny_pte], "executorch")
        (result,) = measure(jobs, device, FEW_STARTS, threads=1, profile=True)
    assert result.sample_kind == "run"
    assert result.runs == len(result.samples_ns) >= 30
    assert result.summary().p99 is not None
    assert 2e7 < result.peak_rss_bytes < 2e9
    assert result.parity is not None
    assert result.parity.passed
    assert any("the times of operators are not known" in limit for limit in result.limits)


@pytest.mark.converters
@pytest.mark.parametrize(
    ("body", "kind", "sentence"),
    [
        ("exit 127", MissingError, "cannot be run on the phone"),
        ("kill -ABRT $$", MeasurementError, "ended with signal 6"),
        (
            "echo \"ERROR: unknown command line flag 'cpu_threads'\"; exit 1",
            MeasurementError,
            "ended with exit code 1: unknown command line flag 'cpu_threads'",
        ),
        ("exit 0", MeasurementError, "was it built to log to its output?"),
    ],
)
def test_tools_that_fail(
    attached: Attached, tiny_pte: Artifact, body: str, kind: type[Exception], sentence: str
) -> None:
    attached.attach()
    folder = attached.runner(body, program="executor_runner")
    device = attached.device(runner=str(folder))
    with (
        pytest.raises(kind) as info,
        device.session("executorch"),
        device.start(tiny_pte, "executorch", 1),
    ):
        pass
    assert sentence in str(info.value)
    assert "\n" not in str(info.value)
