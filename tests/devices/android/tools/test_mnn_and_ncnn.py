"""MNN's ``benchmark.out`` and ncnn's ``benchncnn``: their grammar, and measuring with them."""

from __future__ import annotations

from pathlib import Path

import pytest

from affnet.bench.measurement.interleaved import label_jobs, measure
from affnet.bench.reporting.latency_table import table
from affnet.devices.android.tools import benchncnn, mnn_benchmark
from affnet.devices.android.tools.base import Invocation, Settings, Tool
from affnet.errors import MeasurementError, MissingError
from affnet.runtimes.foreign import open_file
from tests.devices.android.phones import FEW_STARTS, Attached
from tests.runtimes.onnx_files import translate

OF_MNN = (
    "MNN benchmark\nForward type: **CPU** thread=2** precision=1** sparsity=0\nmax core:\n"
    "--------> Benchmarking... loop = 30, warmup = 10\nVmHWM:\t   20480 kB\n"
    "[ - ] a model.mnn                   max =    2.120 ms  min =    1.932 ms  avg =    1.987 ms\n"
)
OF_NCNN = (
    "loop_count = 30\nnum_threads = 2\npowersave = 0\ngpu_device = -1\ncooling_down = 0\n"
    "VmHWM:\t   20480 kB\n"
    "  /data/local/tmp/a.param  min =    1.93  max =    2.12  avg =    1.99\n"
)
BOTH = pytest.mark.parametrize(
    ("tool", "said"), [(mnn_benchmark, OF_MNN), (benchncnn, OF_NCNN)], ids=["mnn", "ncnn"]
)


@BOTH
def test_what_the_tool_says_of_its_runs(tool: Tool, said: str) -> None:
    report = tool.parse(said, {})
    block = report.block
    assert block is not None
    assert (block.runs, block.minimum_ns, block.maximum_ns) == (30, block.minimum_ns, 2_120_000)
    assert block.minimum_ns == pytest.approx(1_932_000, abs=2_001)
    assert block.typical_ns == block.mean_ns == pytest.approx(1_988_500, abs=1_501)
    assert (report.samples_ns, report.load_ns, report.first_inference_ns) == ((), None, None)
    assert report.peak_rss_bytes == 20480 * 1024
    assert tool.outputs({}) is None
    assert tool.operators(said, {}, 1) == []


@BOTH
@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("avg", "x", "it reports no runs and their times"),
        ("loop", "x", "it reports no runs and their times"),
        ("= 30", "= 0", "it reported 0 runs"),
        ("=    2.12", "=    0.00", "it reported 30 runs of 1.93"),
        ("=    1.93", "=    1..3", "could not convert"),
    ],
)
def test_what_is_no_finished_run_is_refused(
    tool: Tool, said: str, old: str, new: str, reason: str
) -> None:
    with pytest.raises(ValueError, match=f"^{reason}"):
        tool.parse(said.replace(old, new), {})


def test_the_command_lines() -> None:
    settings = Settings(threads=2, shapes=((1, 3, 48, 64),))
    invocation = Invocation("/f/0/a b.mnn", runs=7, warmup_runs=3)
    assert mnn_benchmark.arguments(invocation, settings) == ["/f/0", "7", "3", "0", "2", "1"]
    assert benchncnn.arguments(Invocation("/f/0/a b.param", runs=7), settings) == [
        "7", "2", "0", "-1", "0", "param=/f/0/a b.param", "shape=[64,48,3]",
    ]  # fmt: skip


@pytest.mark.converters
@pytest.mark.parametrize(
    ("format_", "program", "package"),
    [("mnn", "benchmark.out", "_mnncengine"), ("ncnn", "benchncnn", "pnnx")],
)
def test_a_phone_is_measured_and_what_is_not_known_is_not_made_up(
    attached: Attached, tmp_path: Path, format_: str, program: str, package: str
) -> None:
    pytest.importorskip(package, reason="needs pip install 'affnet[mnn,ncnn]'")
    attached.attach()
    device = attached.device(runner=str(attached.runner(program=program)))
    file = open_file(translate(format_, "fp32", tmp_path))
    with device.session(format_):
        (result,) = measure(label_jobs([file], format_), device, FEW_STARTS, threads=1)
    assert result.sample_kind == "mean of a block"
    assert result.runs >= 30
    summary = result.summary()
    assert (summary.p99, summary.standard_deviation) == (None, None)
    assert summary.median >= summary.minimum > 0
    assert (result.load_ns, result.first_inference_ns) == (None, None)
    assert 1e7 < (result.peak_rss_bytes or 0) < 2e9
    assert type(result).from_json(result.to_json()) == result
    row = dict(zip(table([result]).csv().splitlines()[0].split(","), _row(result), strict=True))
    assert (row["load ms"], row["first ms"], row["p90 ms"]) == ("-", "-", "-")


def _row(result: object) -> list[str]:
    return table([result]).csv().splitlines()[1].split(",")  # type: ignore[list-item]


@pytest.mark.converters
def test_tools_that_fail(attached: Attached, tmp_path: Path) -> None:
    pytest.importorskip("_mnncengine", reason="needs pip install 'affnet[mnn]'")
    attached.attach()
    file = open_file(translate("mnn", "fp32", tmp_path))
    with pytest.raises(MissingError, match=r"^Nobody publishes benchmark\.out for Android; build"):
        attached.device(runner=None).check_runtime("mnn")
    device = attached.device(runner=str(attached.runner("kill -SEGV $$", program="benchmark.out")))
    with (
        pytest.raises(MeasurementError, match=r"ended with signal 11"),
        device.session("mnn"),
        device.start(file, "mnn", 1),
    ):
        pass
