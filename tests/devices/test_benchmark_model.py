"""The grammar of ``benchmark_model``, on what it printed elsewhere."""

from __future__ import annotations

from pathlib import Path

import pytest

from affnet.devices import BlockStatistics
from affnet.devices.benchmark_model import Settings, arguments, complaint, parse

FOLDER = Path(__file__).parents[1] / "data" / "benchmark_model"


def transcript(name: str) -> str:
    return (FOLDER / f"{name}.txt").read_text(encoding="utf-8")


def test_litert_s_tool_with_a_profile() -> None:
    report = parse(transcript("litert"))
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
    assert report.delegated == ((1, 1, "TfLiteXNNPackDelegate"),)


def test_tensorflow_lite_s_tool_with_percentiles() -> None:
    report = parse(transcript("tflite_2_20"))
    assert (report.load_ns, report.first_inference_ns) == (5_579_000, 1_357_602_000)
    assert (report.block.runs, report.block.mean_ns) == (50, 1_240_270_000)
    assert report.block.typical_ns == 1_239_807_000


def test_an_older_tool_tells_no_median() -> None:
    report = parse(transcript("tflite_2_8"))
    assert (report.load_ns, report.first_inference_ns) == (17_187_000, 3_512_391_000)
    assert report.block.median_ns is None
    assert report.block.typical_ns == report.block.mean_ns == 2_950_340_000


def test_peak_memory_and_what_the_gpu_took() -> None:
    report = parse(transcript("tflite_peak_memory"))
    assert report.peak_rss_bytes == round(74.6641 * 1024 * 1024)
    assert report.delegated == ((58, 58, "TfLiteGpuDelegateV2"),)
    own = transcript("litert").replace(
        "Peak memory usage not available. (peak_mem_mb <= 0)", "Peak memory:          35.20 MB"
    )
    assert parse(own).peak_rss_bytes == round(35.20 * 1024 * 1024)


def test_runs_that_all_took_as_long() -> None:
    text = transcript("litert").replace(
        "count=2112 first=463 curr=459 min=442 max=979 avg=464.545 std=13",
        "count=3 curr=9(all same)",
    )
    block = parse(text).block
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
        parse(text)


def test_the_first_error_is_what_went_wrong() -> None:
    assert complaint(transcript("tflite_failed")) == (
        "Node number 57 (BATCH_MATMUL) failed to prepare."
    )
    assert complaint("one\ntwo\n") == "two"
    assert complaint("") == "it said nothing"


def test_flags_that_a_tool_does_not_know_are_told_but_for_what_it_always_does() -> None:
    line = "WARN: Unconsumed cmdline flags: --use_xnnpack=true --use_gpu=true\n"
    assert parse(line + transcript("litert")).ignored == ("--use_gpu=true",)
    harmless = "WARN: Unconsumed cmdline flags: --use_xnnpack=true\n"
    assert parse(harmless + transcript("litert")).ignored == ()


def test_the_command_line_says_how_many_runs_and_nothing_twice() -> None:
    settings = Settings(threads=4, gpu=True, warmup_seconds=0.25)
    command = arguments("/a b.tflite", settings, runs=7, warmup_runs=2, memory=True)
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
    plain = arguments("m", Settings(1, xnnpack=False), runs=1, warmup_runs=0)
    assert plain[4:] == ["--warmup_runs=1", "--warmup_min_secs=0.5", "--use_xnnpack=false"]
