"""Measuring on a phone through the real adb client."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from affnet.artifact import Artifact
from affnet.bench.measurement import protocol
from affnet.bench.measurement.interleaved import label_jobs, measure
from affnet.devices.android.adb_client import list_phones
from affnet.devices.catalog import Entry
from affnet.devices.doctor import diagnose
from affnet.parity import reference_image
from affnet.runtimes import runtime_for
from tests.cli.conftest import copy_artifact
from tests.conftest import Finished
from tests.devices.android.phones import FEW_STARTS, Attached

Run = Callable[..., Finished]
pytestmark = pytest.mark.converters


def test_looking_from_several_threads_starts_one_server(attached: Attached) -> None:
    for _ in range(3):
        attached.adb("kill-server")
        with ThreadPoolExecutor(4) as pool:
            assert list(pool.map(list_phones, ["adb"] * 4)) == [[]] * 4


def test_a_phone_is_measured_and_every_number_is_what_it_says(
    attached: Attached, tiny_tflite: Artifact
) -> None:
    phone = attached.attach()
    device = attached.device(manufacturer="google", cores="f0")
    steps: list[str] = []
    with device.session("litert", steps.append):
        jobs = label_jobs([tiny_tflite], "litert")
        (result,) = measure(jobs, device, FEW_STARTS, threads=1, progress=steps.append)
    record = result.to_json()
    assert record["sample_kind"] == "median of a block"
    assert record["runs"] == sum(block["runs"] for block in record["block_statistics"]) >= 30
    assert result.parity is not None
    assert result.parity.passed
    assert result.parity.max_rel_error < 1e-5
    medians = [block["median_ns"] for block in record["block_statistics"]]
    assert record["samples_ns"] == medians
    assert (record["p90_ns"], record["p99_ns"]) == (None, None)
    assert record["minimum_ns"] == min(b["minimum_ns"] for b in record["block_statistics"])
    assert record["minimum_ns"] <= record["median_ns"] < 1e9
    assert record["runtime_version"].startswith("benchmark_model of sha256 ")
    assert "p90 and p99 are not known" in record["limits"][0]
    assert 2e7 < record["peak_rss_bytes"] < 1e9
    found = record["environment"]
    assert (found["model"], found["cpu"]) == ("Google Pixel 8", "Google Tensor G3")
    assert (found["serial"], found["architecture"]) == (phone.serial, "arm64-v8a")
    assert found["hardware_threads"] == os.cpu_count()
    assert found["memory_bytes"] > 1e8
    for moment in ("before", "after"):
        assert found[moment]["battery_percent"] == 83
        assert found[moment]["temperature_celsius"] == 29.1
        assert (found[moment]["charging"], found[moment]["screen"]) == (True, "awake")
        assert found[moment]["thermal_status"] == "none"
        assert 0 <= found[moment]["busy_cores"] <= found["hardware_threads"]
    assert set((phone.root / "masks").read_text().split()) == {"f0"}
    assert steps.count("Pushing tiny.tflite") == 1


def test_outputs_on_the_phone_are_those_for_the_reference_image(
    attached: Attached, tiny_tflite: Artifact
) -> None:
    attached.attach()
    spec = tiny_tflite.manifest.inputs[0]
    image = reference_image(spec.static_shape(), spec.dtype, spec.range or (0.0, 1.0))
    (expected,) = runtime_for("tflite").load(tiny_tflite.path, threads=1).run(image)
    device = attached.device()
    with device.session("litert"), device.start(tiny_tflite, "litert", 1) as process:
        assert process.arithmetic == "fp32"
        outputs = process.outputs()
    assert outputs is not None
    assert [output.shape for output in outputs] == [expected.shape]
    np.testing.assert_allclose(outputs[0], expected, atol=1e-5)


def test_a_tool_that_knows_no_files_is_told_as_a_limit(
    attached: Attached, tiny_tflite: Artifact
) -> None:
    attached.attach()
    device = attached.device(runner=str(attached.runner(kind="litert")))
    with device.session("litert"):
        jobs = label_jobs([tiny_tflite], "litert")
        (result,) = measure(jobs, device, FEW_STARTS, threads=1)
    assert result.parity is None
    assert "pixel does not report its outputs, which were not compared" in result.limits


@pytest.mark.parametrize("kind", ["", "litert"])
def test_a_profile_on_the_phone(attached: Attached, tiny_tflite: Artifact, kind: str) -> None:
    attached.attach()
    device = attached.device(runner=str(attached.runner(kind=kind)))
    with device.session("litert"), device.start(tiny_tflite, "litert", 1) as process:
        found = process.profile(5)
    (delegate,) = found
    assert delegate.operator == "TfLiteXNNPackDelegate"
    assert 10_000 < delegate.mean_ns < 1_000_000_000


@pytest.mark.slow
def test_a_table_from_the_command_line(
    attached: Attached,
    run: Run,
    tiny_tflite: Artifact,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(protocol.PRESETS, "check", FEW_STARTS)
    attached.attach()
    peer = copy_artifact(tiny_tflite, tmp_path / "twin.tflite")
    done = run(
        "bench", tiny_tflite.path, "--against", peer, "--device", "pixel",
        "--runtime", "litert", "--runner-dir", attached.runner(), "--preset", "check",
        "--markdown",
    )  # fmt: skip
    assert done.code == 0, done.err
    header, _, *rows = (line.strip("| ").split(" | ") for line in done.out.splitlines()[:4])
    cells = dict(zip(header, rows[0], strict=True))
    models = [Path(dict(zip(header, row, strict=True))["model"]).stem for row in rows]
    assert models == ["tiny", "twin"]
    (ratio,) = (cell for name, cell in cells.items() if name.endswith("twin.tflite [95 %]"))
    assert float(ratio.split()[0]) > 0
    assert (cells["p90 ms"], cells["p99 ms"]) == ("-", "-")
    assert float(cells["median ms"]) > 0
    assert "- benchmark_model reports statistics and no single runs: " in done.out
    assert "- Measured on pixel (Google Pixel 8), litert benchmark_model of sha256 " in done.out


@pytest.mark.parametrize(
    "name",
    [
        'it\'s "quoted"; touch pwned $(touch pwned) `touch pwned` & 100 %.tflite',
        " -rf \\ * ? [a] ~ {b} , > x\ty.tflite",
        "Grüße 🙂\nnew line.tflite",
    ],
)
def test_any_file_name_arrives_unharmed(
    attached: Attached, tiny_tflite: Artifact, tmp_path: Path, name: str
) -> None:
    phone = attached.attach()
    artifact = Artifact.open(copy_artifact(tiny_tflite, tmp_path / name))
    device = attached.device()
    with device.session("litert"), device.start(artifact, "litert", 1) as process:
        assert process.startup.load_ns > 1000
        (there,) = phone.temporary.glob("affnet-*/1/*")
        assert there.name == name
    assert not list(tmp_path.rglob("pwned*"))
    assert not Path("pwned").exists()


def test_two_phones_are_told_apart_by_model_and_by_serial(attached: Attached) -> None:
    pixel = attached.attach()
    galaxy = attached.attach(model="SM-S928B", manufacturer="samsung")
    for settings, expected in (
        ({"manufacturer": "samsung"}, galaxy),
        ({"manufacturer": "Google", "model": "Pixel 8"}, pixel),
        ({"serial": galaxy.serial}, galaxy),
    ):
        device = attached.device(**settings)
        with device.session("litert"):
            assert device.fingerprint()["serial"] == expected.serial


def test_a_hot_phone_is_a_reason_against_the_result(
    attached: Attached, tiny_tflite: Artifact
) -> None:
    attached.attach().dumpsys(thermal=2)
    device = attached.device()
    with device.session("litert"):
        jobs = label_jobs([tiny_tflite], "litert")
        (result,) = measure(jobs, device, FEW_STARTS, threads=1)
    assert "the system throttled for heat before the run (status moderate)" in (
        result.validity_reasons
    )


def test_a_doctor_finds_what_works(attached: Attached) -> None:
    phone = attached.attach()
    entry = Entry("pixel", "adb", {"runner": str(attached.runner())})
    checks = {check.step: check for check in diagnose(entry)}
    assert list(checks) == ["reachable", "phone", "folder", "runner", "heat", "battery"]
    assert all(check.passed for check in checks.values())
    assert checks["reachable"].detail == f"Google Pixel 8, serial {phone.serial}"
    assert checks["battery"].detail == "83 %"
