"""The grammar of ``benchmark_model``, on what it printed elsewhere."""

from __future__ import annotations

from pathlib import Path

import pytest

from affnet.devices.android.tools.base import FedInput, Invocation, Settings, complaint
from affnet.devices.android.tools.benchmark_model import arguments, operators, outputs, parse
from affnet.devices.base import BlockStatistics

FOLDER = Path(__file__).parents[3] / "data" / "benchmark_model"


def transcript(name: str) -> str:
    return (FOLDER / f"{name}.txt").read_text(encoding="utf-8")


def test_litert_s_tool_with_a_profile() -> None:
    report = parse(transcript("litert"), {})
    assert (report.load_ns, report.first_inference_ns) == (4_478_000, 1_033_000)
    assert report.block == BlockStatistics(
        runs=2112,
        first_ns=463_000,
        last_ns=459_000,
        minimum_ns=442_000,
        maximum_ns=979_000,
        mean_ns=464_545,
        standard_deviation_ns=13_000,
        p5_ns=460_000,
        median_ns=462_000,
        p95_ns=478_000,
    )
    assert report.peak_rss_bytes is None
    assert report.delegates.taken == ((1, 1, "TfLiteXNNPackDelegate"),)


def test_tensorflow_lite_s_tool_with_percentiles() -> None:
    report = parse(transcript("tflite_2_20"), {})
    assert (report.load_ns, report.first_inference_ns) == (5_579_000, 1_357_602_000)
    assert (report.block.runs, report.block.mean_ns) == (50, 1_240_270_000)
    assert report.runtime_bytes == round(109.832 * 1024 * 1024)
    assert report.block.typical_ns == 1_239_807_000


def test_an_older_tool_tells_no_median() -> None:
    report = parse(transcript("tflite_2_8"), {})
    assert (report.load_ns, report.first_inference_ns) == (17_187_000, 3_512_391_000)
    assert report.block.median_ns is None
    assert report.block.typical_ns == report.block.mean_ns == 2_950_340_000


def test_peak_memory_and_what_the_gpu_took() -> None:
    report = parse(transcript("tflite_peak_memory"), {})
    assert report.peak_rss_bytes == round(74.6641 * 1024 * 1024)
    assert report.delegates.taken == ((58, 58, "TfLiteGpuDelegateV2"),)
    own = transcript("litert").replace(
        "Peak memory usage not available. (peak_mem_mb <= 0)", "Peak memory:          35.20 MB"
    )
    assert parse(own, {}).peak_rss_bytes == round(35.20 * 1024 * 1024)


def test_runs_that_all_took_as_long() -> None:
    text = transcript("litert").replace(
        "count=2112 first=463 curr=459 min=442 max=979 avg=464.545 std=13",
        "count=3 curr=9(all same)",
    )
    block = parse(text, {}).block
    assert (block.runs, block.first_ns, block.maximum_ns, block.mean_ns) == (3, 9000, 9000, 9000)
    assert block.standard_deviation_ns == 0


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Segmentation fault",
        transcript("tflite_failed"),
        transcript("litert").replace("count=2112", "count=0"),
        transcript("litert").replace("curr=459", "curr=0"),
        transcript("litert").replace("Initialized session", "Finished"),
        transcript("litert").partition("INFO: count=2112")[0],
    ],
)
def test_what_is_no_finished_benchmark_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"^it"):
        parse(text, {})


def test_the_first_error_is_what_went_wrong() -> None:
    assert complaint(transcript("tflite_failed")) == (
        "Node number 57 (BATCH_MATMUL) failed to prepare."
    )
    assert complaint("one\ntwo\n") == "two"
    assert complaint("") == "it said nothing"


def test_flags_that_a_tool_does_not_know_are_told_but_for_what_it_always_does() -> None:
    line = "WARN: Unconsumed cmdline flags: --use_xnnpack=true --use_gpu=true\n"
    assert parse(line + transcript("litert"), {}).ignored == ("--use_gpu=true",)
    harmless = "WARN: Unconsumed cmdline flags: --use_xnnpack=true\n"
    assert parse(harmless + transcript("litert"), {}).ignored == ()


def test_the_command_line_says_how_many_runs_and_nothing_twice() -> None:
    settings = Settings(threads=4, gpu=True, warmup_seconds=0.25)
    command = arguments(Invocation("/a b.tflite", 7, 2, memory=True), settings)
    assert command == [
        "--graph=/a b.tflite",
        "--num_threads=4",
        "--num_runs=7",
        "--min_secs=0",
        "--warmup_runs=2",
        "--warmup_min_secs=0.25",
        "--use_xnnpack=true",
        "--use_gpu=true",
        "--report_peak_memory_footprint=true",
        "--memory_footprint_check_interval_ms=5",
    ]
    plain = arguments(Invocation("m", runs=1, warmup_runs=0), Settings(1, xnnpack=False))
    assert plain[4:] == ["--warmup_runs=1", "--warmup_min_secs=0.5", "--use_xnnpack=false"]


def test_inputs_are_given_as_files_and_what_comes_out_as_another() -> None:
    fed = FedInput("/a:b/image", (1, 3, 8, 8)), FedInput("/c", (2,))
    invocation = Invocation("m", 1, inputs=fed, folder="/w")
    assert arguments(invocation, Settings(1))[-4:] == [
        "--input_layer=input_0,input_1",
        "--input_layer_shape=1,3,8,8:2",
        "--input_layer_value_files=input_0:/a::b/image,input_1:/c",
        "--output_filepath=/w/outputs",
    ]
    assert outputs({"outputs": b"12"}) == b"12"
    assert outputs({}) is None


def test_a_profile_of_nodes_and_of_a_delegate_s_inside() -> None:
    assert arguments(Invocation("m", 1, profile=True), Settings(1))[-2:] == [
        "--enable_op_profiling=true",
        "--use_profiler=true",
    ]
    found = operators(transcript("tflite_profile"), {}, 64)
    assert len(found) == 5
    assert (found[0].name, found[0].operator, found[0].mean_ns) == (
        "[tfl.quantize]:0", "QUANTIZE", 203_000,
    )  # fmt: skip
    assert found[2].operator == "Convolution (NHWC, QC8) DWConv"
    assert found[2].mean_ns == 13 * 51_000  # the mean is that of one of its 13 calls
    older = operators(transcript("tflite_profile_2_8"), {}, 1)
    assert [time.operator for time in older] == ["CONV_2D", "DEPTHWISE_CONV_2D", "CONV_2D"]
    assert older[1].mean_ns == 49_870_000
    assert older[1].name == "[MobilenetV1/MobilenetV1/Conv2d_1_depthwise/Relu6]:1"


def test_a_delegate_that_tells_its_inside_is_not_counted_twice() -> None:
    head = "====== Run Order ======\n[node type] [Name]\n"
    whole = "\t TfLiteXNNPackDelegate\t 0.000\t 9.000\t 8.000\t 80%\t 80%\t 0.000\t 1\t[y]:7\n"
    add = "\t ADD\t 8.000\t 2.000\t 2.000\t 20%\t 100%\t 0.000\t 1\t[z]:8\n"
    inside = "\t Convolution (NHWC, F32) IGEMM\t 7.5\t 7.5\t 93%\t 93%\t 0.0\t 1\tDelegate/C:0\n"
    assert [t.mean_ns for t in operators(head + whole + add, {}, 1)] == [8_000_000, 2_000_000]
    own_table = head + whole + add + "\nDelegate internal: \n" + head + inside
    for text in (own_table, head + whole + inside + add):
        assert sum(time.mean_ns for time in operators(text, {}, 1)) == 9_500_000


def test_litert_s_table_counts_the_calls_of_all_runs() -> None:
    row = (
        "Delegate/Convolution (NHWC, F32) IGEMM      0.004      0.350      0.321    91.000%"
        "    91.000%      0.000             50   [Delegate]:0\n"
    )
    (time,) = operators("\n=== Run Order ===\n [node type] [Name]\n" + row, {}, 50)
    assert (time.name, time.mean_ns) == ("[Delegate]:0", 321_000)


def test_a_profile_that_is_none() -> None:
    assert operators("no table", {}, 1) == []
    with pytest.raises(ValueError, match="a row of its profile is 'CONV_2D 12 %'"):
        operators("== Run Order ==\n[Name]\nCONV_2D 12 %\n\n", {}, 1)
