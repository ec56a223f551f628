"""Measuring by coremltools on a double of it: what is asked, and what comes of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from affnet.artifact import Artifact
from affnet.bench.measurement.interleaved import Job, label_jobs, measure
from affnet.bench.reporting import latency_table
from affnet.bench.reporting.notes import table_notes
from affnet.devices.apple.coreml_benchmarker import Benchmark
from affnet.devices.base import ComputingProcess, PlacingProcess
from affnet.devices.catalog import find, load_catalog, open_device
from affnet.export.pipeline import ExportOptions, export_artifact
from affnet.placement import PlacedOperator, Placement
from affnet.runtimes.coreml import quiet_coremltools
from tests.conftest import Finished
from tests.dense import FixedBoxes, dense_source
from tests.devices.apple.apple_devices import SHORT, Mac, an_iphone
from tests.shared_artifacts import SharedArtifacts

pytestmark = pytest.mark.converters

Run = Callable[..., Finished]


def test_a_process_tells_integer_nanoseconds_of_each_run(mac: Mac, tiny_coreml: Artifact) -> None:
    device = mac.device()
    with device.session("coreml"), device.start(tiny_coreml, "coreml", 1) as process:
        assert isinstance(process, PlacingProcess)
        assert isinstance(process, ComputingProcess)
        assert process.startup.load_ns == 12_250_000
        assert process.startup.first_inference_ns == 2_500_000
        assert process.startup.runtime_version.endswith("(Core ML of iOS 18.5 (22F76))")
        assert process.run(3, discard=2) == [2_503_000, 2_504_000, 2_505_000]
        assert len(process.run(45)) == 45
        assert process.memory().peak_rss_bytes is None
        operators = (
            PlacedOperator("x1", "conv", "ane", "", ("cpu", "gpu", "ane"), 500_000),
            PlacedOperator("x2", "matmul", "ane", "", ("cpu", "gpu", "ane"), 250_000),
            PlacedOperator("x3", "softmax", "cpu", "ane/gpu cannot run it", ("cpu",), None),
        )
        assert process.placement() == Placement(("ane", "gpu"), operators)
    # one request holds few runs, so that a device that hangs is found out
    assert [told["iterations"] for told in mac.log("predict")] == [1, 5, 20, 20, 5, 1]
    assert {(told["input"], told["type"]) for told in mac.log("predict")} == {("image", "ndarray")}
    assert mac.log("prepare")[0]["team"] == "TEAM"
    assert [told["units"] for told in mac.log("model")] == ["ALL"]
    assert len(mac.log("unload")) == 1


def test_models_are_measured_in_turns_in_one_model_runner(mac: Mac, tiny_coreml: Artifact) -> None:
    mac.compute(tiny_coreml)
    jobs = [Job(name, tiny_coreml, "coreml") for name in ("one", "two")]
    device = mac.device(compute_units="cpu_and_ne")
    with device.session("coreml"):
        first, second = measure(jobs, device, SHORT, threads=1)
    assert len(mac.log("prepare")) == 1
    assert first.placement is not None
    assert first.placement.text() == "66 % ane, 1 on CPU"
    assert first.peak_rss_bytes is None
    assert (len(first.blocks_ns), first.valid) == (len(second.blocks_ns), True)
    assert first.parity is not None
    assert first.parity.passed
    assert first.parity.tolerance == 5e-2
    assert first.environment["system"] == "iOS 18.5 (22F76)"
    assert first.environment["compute_units"] == "cpu_and_ne"
    assert {told["units"] for told in mac.log("model")} == {"CPU_AND_NE"}
    record = json.loads(json.dumps(first.to_json()))
    assert record["peak_rss_bytes"] is None
    assert record["placement"] == {"ane": 2, "cpu": 1}
    assert record["placed"][0]["estimated_ns"] == 500_000
    assert record["placement_share"] == pytest.approx(2 / 3)
    notes = "\n".join(table_notes([first, second]))
    assert "Operators of one: 66 % ane, 1 on CPU: 1 softmax on CPU (ane cannot run it)." in notes
    assert "Memory is not available on this device." in notes
    assert "seconds apart" in notes
    assert "| iphone" not in latency_table.to_markdown([first])
    assert "| - |" in latency_table.to_markdown([first])


def test_outputs_that_differ_speak_against_the_result(mac: Mac, tiny_coreml: Artifact) -> None:
    mac.compute(tiny_coreml, error=5.0)
    device = mac.device(compute_units="cpu_only")
    with device.session("coreml"):
        (result,) = measure(label_jobs([tiny_coreml], "coreml"), device, SHORT, threads=1)
    assert not result.valid
    assert result.validity_reasons[0].startswith("outputs differ from this machine's by ")


def test_this_mac_has_a_fresh_process_for_each_model(mac: Mac, tiny_coreml: Artifact) -> None:
    mac.compute(tiny_coreml)
    device = mac.device("mac", type="mac", compute_units="cpu_and_gpu", development_team=None)
    with device.session("coreml"):
        with device.start(tiny_coreml, "coreml", 1) as process:
            assert process.run(30, discard=1)[0] == 2_502_000
            peak = process.memory().peak_rss_bytes
        (result,) = measure(label_jobs([tiny_coreml], "coreml"), device, SHORT, threads=1)
    assert peak is not None
    assert 2e7 < peak < 1e9
    assert mac.log("prepare") == mac.log("list") == []
    assert [told["iterations"] for told in mac.log("predict")][:2] == [1, 31]
    assert result.peak_rss_bytes is not None
    assert result.environment["compute_units"] == "cpu_and_gpu"
    assert not any("seconds apart" in limit for limit in result.limits)


def test_a_picture_reaches_this_mac_as_one(mac: Mac, shared_artifact: SharedArtifacts) -> None:
    artifact = shared_artifact("tiny", "coreml", precision="fp32", image_input=True)
    device = mac.device("mac", type="mac")
    with device.session("coreml"), device.start(artifact, "coreml", 1):
        pass
    assert [told["type"] for told in mac.log("predict")] == ["Image"]
    error = mac.failing(artifact)
    assert error.exit_code == 2
    assert (
        "sends nothing but tensors to a device; export it by affnet export without --image-input."
        in str(error)
    )


def test_a_detector_gives_as_many_rows_on_this_mac_as_in_the_evaluator(
    mac: Mac, tmp_path: Path
) -> None:
    options = ExportOptions("coreml", precision="fp32", head="detector", verify=False)
    artifact = export_artifact(dense_source(FixedBoxes()), options, tmp_path)
    rows = {"confidence": np.ones((2, 80)), "coordinates": np.ones((2, 4))}
    for name, array in rows.items():
        np.save(tmp_path / f"{name}.npy", array)
    mac.outputs = {name: str(tmp_path / f"{name}.npy") for name in rows}
    mac.play()
    device = mac.device("mac", type="mac", development_team=None)
    with device.session("coreml"), device.start(artifact, "coreml", 1) as process:
        assert isinstance(process, ComputingProcess)
        confidence, coordinates = process.outputs()
    assert (confidence.shape, coordinates.shape) == ((1, 200, 80), (1, 200, 4))
    assert (confidence.sum(), coordinates.sum()) == (160, 8)


def test_from_the_command_line(mac: Mac, run: Run, tiny_coreml: Artifact) -> None:
    mac.compute(tiny_coreml)
    catalog = mac.folder / "devices.toml"
    catalog.write_text('[iphone]\ndevelopment_team = "ABC"\n')
    arguments = ("--device", "iphone", "--runtime", "coreml", "--preset", "quick")
    done = run(
        "bench", tiny_coreml.path, *arguments, "--compute-units", "cpu_only", "--json",
        "--devices-file", catalog,
    )  # fmt: skip
    assert done.code == 0, done.err
    (record,) = done.json["results"]
    assert record["environment"]["compute_units"] == "cpu_only"
    assert record["placement"] == {"ane": 2, "cpu": 1}
    assert record["runs"] >= 30
    assert {told["units"] for told in mac.log("model")} == {"CPU_ONLY"}
    assert mac.log("prepare")[0]["team"] == "ABC"


def test_a_device_that_is_ready_passes_each_step(mac: Mac) -> None:
    checks = list(mac.device().checks())
    assert [check.step for check in checks] == [
        "reachable", "Mac", "coremltools", "Xcode", "model runner", "signature", "device",
    ]  # fmt: skip
    assert all(check.passed for check in checks)
    assert checks[0].detail == "Phone 1 (iPhone, ID-1), iOS 18.5 (22F76), connected"
    assert mac.log("prepare") == []


def test_one_of_several_is_named_by_name_identifier_or_udid(mac: Mac) -> None:
    mac.devices = [an_iphone(1), an_iphone(2), an_iphone(3, type="ipad")]
    mac.play()
    for wanted in ("Phone 2", "ID-2", "UDID-2"):
        with mac.device(device=wanted).session("coreml"):
            pass
    with mac.device(type="ipad").session("coreml"):
        pass
    assert [told["device"] for told in mac.log("prepare")] == ["ID-2"] * 3 + ["ID-3"]


def test_the_plan_says_where_and_on_what() -> None:
    phone = open_device(find("iphone", load_catalog()), compute_units="cpu_and_ne")
    steps = phone.plan(["a.mlpackage"], "coreml", 1)
    assert steps[0] == "Find the attached iPhone among the devices that Xcode has paired"
    assert steps[-1].endswith("with the compute units cpu_and_ne, and warm up")
    here = open_device(find("mac", load_catalog()))
    assert here.plan(["a.mlpackage"], "coreml", 1)[0].startswith("Load a.mlpackage on this Mac")
    assert here.address() == open_device(find("host", load_catalog())).address()


def test_the_installed_coremltools_has_what_is_used_of_its_objects(tiny_coreml: Artifact) -> None:
    with quiet_coremltools():
        benchmark = Benchmark(tiny_coreml.path, "cpu_and_ne", None)
    assert benchmark._model.compute_unit.name == "CPU_AND_NE"
    assert Path(benchmark._model.weights_dir).is_dir()
    assert benchmark._benchmarker._loaded_model is None  # what unloading looks for
