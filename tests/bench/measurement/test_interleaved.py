"""The course of a measurement, on a device whose latencies are scripted."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest

from affnet.bench.measurement.interleaved import Job, label_jobs, measure
from affnet.bench.measurement.protocol import Protocol
from affnet.bench.results.ratios import relate_to_peer
from affnet.devices.base import Device
from affnet.errors import UsageError
from tests.bench.fakes import MS, FakeDevice, Request, a_result, an_artifact

PROTOCOL = Protocol("test", min_runs=40, min_seconds=0.0, block_seconds=0.05, min_block_runs=4)


def steady(latency_ns: int) -> Callable[[int], int]:
    return lambda _: latency_ns


def jobs(folder: Path, *models: str) -> list[Job]:
    return label_jobs([an_artifact(model, folder) for model in models], "onnxruntime")


def timed(device: FakeDevice, model: str) -> list[Request]:
    """The requests to a model's timing process, warm-up included."""
    last = max(r.process for r in device.log if r.model == model)
    return [r for r in device.log if r.process == last]


def blocks(device: FakeDevice) -> list[Request]:
    """The requests that are measured: those that discard runs first."""
    return [request for request in device.log if request.discard]


def test_the_fake_is_a_device() -> None:
    device: Device = FakeDevice({})
    assert device.kind == "fake"


def test_blocks_go_a_b_b_a(tmp_path: Path) -> None:
    device = FakeDevice({"a": steady(5 * MS), "b": steady(5 * MS)})
    measure(jobs(tmp_path, "a", "b"), device, PROTOCOL, threads=1)
    assert "".join(block.model for block in blocks(device)) == "abbaabba"


def test_three_models_alternate_forwards_and_backwards(tmp_path: Path) -> None:
    device = FakeDevice({name: steady(5 * MS) for name in "abc"})
    measure(jobs(tmp_path, "a", "b", "c"), device, PROTOCOL, threads=1)
    assert "".join(block.model for block in blocks(device)) == "abccbaabccba"


def test_memory_is_taken_before_in_processes_of_their_own(tmp_path: Path) -> None:
    device = FakeDevice({"a": steady(5 * MS), "b": steady(5 * MS)})
    results = measure(jobs(tmp_path, "a", "b"), device, PROTOCOL, threads=1)
    assert device.started == 4
    assert device.most_running == 2  # those that are timed; the two before ran one at a time
    assert [r.peak_rss_bytes for r in results] == [50_000_000, 50_000_001]
    assert device.log[:2] == [Request("a", 0, 5, 0), Request("b", 1, 5, 0)]
    assert device.running == 0


def test_the_least_number_of_runs_is_honoured(tmp_path: Path) -> None:
    device = FakeDevice({"a": steady(5 * MS)})
    (result,) = measure(jobs(tmp_path, "a"), device, PROTOCOL, threads=1)
    assert [len(block) for block in result.blocks_ns] == [10] * 4  # 0.05 s of 5 ms each


def test_the_least_time_is_honoured_by_the_fastest_model_too(tmp_path: Path) -> None:
    protocol = Protocol("test", min_runs=1, min_seconds=1.0, block_seconds=0.05)
    device = FakeDevice({"fast": steady(1 * MS), "slow": steady(50 * MS)})
    fast, slow = measure(jobs(tmp_path, "fast", "slow"), device, protocol, threads=1)
    assert sum(fast.samples_ns) >= 1.0e9
    assert len(fast.blocks_ns) == len(slow.blocks_ns) == 20
    assert {len(block) for block in slow.blocks_ns} == {4}  # never fewer than min_block_runs
    assert {len(block) for block in fast.blocks_ns} == {50}


def test_each_block_discards_its_first_runs(tmp_path: Path) -> None:
    """The script is slow on the runs right after a switch, which no sample may show."""
    protocol = Protocol("test", 16, 0.0, block_seconds=0.02, discarded_per_block=3)
    warm_up_runs, block_runs = 10, 4

    def script(index: int) -> int:
        in_block = (index - warm_up_runs) % (3 + block_runs)
        return 90 * MS if index >= warm_up_runs and in_block < 3 else 5 * MS

    device = FakeDevice({"a": script})
    (result,) = measure(jobs(tmp_path, "a"), device, protocol, threads=1)
    assert {block.discard for block in blocks(device)} == {3}
    assert set(result.samples_ns) == {5 * MS}


def test_warm_up_goes_on_while_the_median_falls(tmp_path: Path) -> None:
    device = FakeDevice({"a": lambda index: (20 - min(index // 5, 8)) * MS})
    (result,) = measure(jobs(tmp_path, "a"), device, PROTOCOL, threads=1)
    medians = [20, 19, 18, 17, 16, 15, 14, 13, 12, 12]
    assert list(result.warmup_ns) == [median * MS for median in medians for _ in range(5)]
    assert set(result.samples_ns) == {12 * MS}


def test_warm_up_of_a_steady_model_is_two_blocks(tmp_path: Path) -> None:
    device = FakeDevice({"a": steady(5 * MS)})
    (result,) = measure(jobs(tmp_path, "a"), device, PROTOCOL, threads=1)
    assert len(result.warmup_ns) == 10


def test_warm_up_is_bounded_for_a_model_that_never_settles(tmp_path: Path) -> None:
    protocol = Protocol("test", min_runs=1, min_seconds=0.0, max_warmup_seconds=2.0)
    device = FakeDevice({"a": lambda index: max(1, int(200 * MS * 0.99**index))})
    (result,) = measure(jobs(tmp_path, "a"), device, protocol, threads=1)
    assert 2.0 <= sum(result.warmup_ns) / 1e9 < 3.0
    assert all(later < earlier for earlier, later in pairwise(result.warmup_ns))


def test_a_result_carries_what_the_device_and_the_manifest_say(tmp_path: Path) -> None:
    device = FakeDevice({"a": steady(5 * MS)}, state={"busy_cores": 1.5, "governor": "powersave"})
    (result,) = measure(jobs(tmp_path, "a"), device, PROTOCOL, threads=4)
    assert (result.load_ns, result.first_inference_ns) == (7 * MS, 9 * MS)
    assert (result.runtime, result.runtime_version) == ("onnxruntime", "1.2")
    assert (result.device, result.threads, result.protocol) == ("fake", 4, "test")
    assert (result.file_bytes, result.parameters, result.macs) == (1000, 1_500_000, 400_000_000)
    assert result.weights == "random (seed 0)"
    assert result.environment["cpu"] == "Imagined 9000"
    assert result.environment["before"] == device.state
    assert result.validity_reasons == (
        "other processes kept 1.5 cores busy before the run",
        "the frequency governor is powersave",
        "4 threads on 2 cores",
        "all 40 runs have the same duration; the clock is not working",
    )


def test_every_step_is_told(tmp_path: Path) -> None:
    steps: list[str] = []
    device = FakeDevice({"a": steady(5 * MS)})
    measure(jobs(tmp_path, "a"), device, PROTOCOL, threads=1, progress=steps.append)
    assert steps[:3] == [
        "Measuring the memory of a",
        "Loading and warming up a",
        "Measuring in turns, 0.0 s of each so far",
    ]


def test_a_failing_process_ends_the_others(tmp_path: Path) -> None:
    def broken(index: int) -> int:
        if index > 30:
            raise RuntimeError("gone")
        return 5 * MS

    device = FakeDevice({"a": steady(5 * MS), "b": broken})
    with pytest.raises(RuntimeError, match="gone"):
        measure(jobs(tmp_path, "a", "b"), device, PROTOCOL, threads=1)
    assert device.running == 0


def test_nothing_to_measure_and_no_threads_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"^There is nothing to measure; name at least one"):
        measure([], FakeDevice({}), PROTOCOL, threads=1)
    with pytest.raises(UsageError, match=r"^At least 1 thread must run, not 0\.$"):
        measure(jobs(tmp_path, "a"), FakeDevice({}), PROTOCOL, threads=0)


def test_rows_are_called_like_their_models_or_where_those_are_alike_by_their_paths(
    tmp_path: Path,
) -> None:
    (tmp_path / "sub").mkdir()
    same = an_artifact("a", tmp_path / "sub")
    labels = [job.label for job in label_jobs([*_artifacts(tmp_path), same], "torch")]
    assert labels == [str(tmp_path / "a.onnx"), "b", str(same.path)]


def _artifacts(folder: Path) -> list[object]:
    return [an_artifact("a", folder), an_artifact("b", folder)]


def test_ratios_are_to_the_peer_of_the_same_run() -> None:
    slow = a_result(model="slow", blocks_ns=((20, 20), (20, 22)))
    fast = a_result(model="fast", blocks_ns=((10, 10), (10, 11)))
    related = relate_to_peer([slow, fast], "fast")
    assert [result.peer for result in related] == ["fast", "fast"]
    assert [result.ratio_to_peer.value for result in related if result.ratio_to_peer] == [2, 1]
    with pytest.raises(UsageError, match=r"^mobilevit_s was not measured in this run\.$"):
        relate_to_peer([slow], "mobilevit_s")
