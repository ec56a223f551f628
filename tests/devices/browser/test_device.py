"""Measuring in a real headless Chromium with the real runtimes."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import psutil
import pytest

from affnet.artifact import Artifact
from affnet.bench.measurement.output_parity import check_outputs
from affnet.devices.browser import device as browser_module
from affnet.devices.browser.npm_packages import PACKAGES, versions
from affnet.errors import ArtifactError, CatalogError, MissingError, UsageError
from affnet.parity import Parity
from affnet.placement import Placement
from affnet.runtimes.onnxruntime import OnnxRuntime
from tests.cli.conftest import copy_artifact
from tests.conftest import Finished
from tests.devices.browser.browsers import device
from tests.shared_artifacts import SharedArtifacts

HOSTILE = "a b'\"; $(touch owned) `id` %2e?#"


@pytest.mark.usefixtures("chromium", "web_runtimes")
def test_a_browser_gives_every_sample_and_what_it_computes(
    digits_onnx: Artifact, tmp_path: Path
) -> None:
    (tmp_path / HOSTILE).mkdir()  # a file's name reaches the page unharmed, too
    artifact = Artifact.open(copy_artifact(digits_onnx, tmp_path / HOSTILE / f"{HOSTILE}.onnx"))
    chromium = device()
    with chromium.session("onnxruntime"):
        with chromium.start(artifact, "onnxruntime", 1) as process:
            startup = process.startup
            assert startup.runtime_version == f"onnxruntime-web {versions()['onnxruntime']}"
            assert 1e6 < startup.load_ns < 60e9
            assert 1e5 < startup.first_inference_ns < 60e9
            samples = process.run(iterations=7, discard=3)
            assert len(samples) == 7
            assert all(1e5 < sample < 10e9 for sample in samples)
            assert 50e6 < process.memory().peak_rss_bytes < 2e9
            assert _workers_of_the_page() == 0
            parity = check_outputs(process, artifact, chromium)
            white = np.ones(digits_onnx.manifest.inputs[0].static_shape(), np.float32)
            (given,) = process.infer(white)
            placed = process.placement()
        found = chromium.fingerprint()
    assert isinstance(placed, Placement)
    assert placed.text() == "100 % cpu"
    assert len(placed.operators) == sum(OnnxRuntime.operators(digits_onnx.path).values())
    assert isinstance(parity, Parity)
    assert parity.passed, parity
    assert parity.max_rel_error < 1e-5
    (expected,) = OnnxRuntime.load(digits_onnx.path, threads=1).run(white)
    assert given.dtype == np.float32
    np.testing.assert_allclose(given, expected, atol=1e-4)
    assert found["kind"] == "browser"
    assert found["cross_origin_isolated"] is True
    assert found["browser"].split(".")[0].isdigit()
    assert "Chrome/" in found["user_agent"]
    assert found["hardware_concurrency"] == psutil.cpu_count()
    assert found["cpu"]
    assert list(tmp_path.rglob("owned")) == []
    assert not Path("owned").exists()


@pytest.mark.usefixtures("chromium", "web_runtimes")
@pytest.mark.converters
def test_litert_s_page_computes_what_this_machine_s_litert_does(tiny_tflite: Artifact) -> None:
    chromium = device()
    with chromium.start(tiny_tflite, "litert", 1) as process:
        assert process.startup.runtime_version == f"@litertjs/core {versions()['litert']}"
        samples = process.run(iterations=20, discard=3)
        assert 50e6 < process.memory().peak_rss_bytes < 2e9
        parity = check_outputs(process, tiny_tflite, chromium)
    assert len(samples) == 20
    assert isinstance(parity, Parity)
    assert parity.passed, parity


@pytest.mark.usefixtures("chromium", "web_runtimes")
@pytest.mark.skipif((psutil.cpu_count() or 1) < 2, reason="there is one hardware thread only")
@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="names of threads are in Linux")
def test_several_threads_are_started_and_compute_the_same(digits_onnx: Artifact) -> None:
    with device().start(digits_onnx, "onnxruntime", 2) as process:
        process.run(3)
        assert _workers_of_the_page() == 1  # the page's own thread computes too
        parity = check_outputs(process, digits_onnx, device())
    assert isinstance(parity, Parity)
    assert parity.max_rel_error < 1e-5


def _workers_of_the_page() -> int:
    """Count the page's web workers by the names that Chromium gives its threads.

    A renderer's other threads come and go, so their number says nothing.
    """
    children = psutil.Process().children(recursive=True)
    pages = [child for child in children if "--type=renderer" in " ".join(child.cmdline())]
    names = []
    for page in pages:
        for thread in page.threads():
            with contextlib.suppress(OSError):  # it has ended since
                names.append(Path(f"/proc/{page.pid}/task/{thread.id}/comm").read_text().strip())
    return names.count("DedicatedWorker")


@pytest.mark.usefixtures("chromium", "web_runtimes")
@pytest.mark.slow
@pytest.mark.parametrize(
    ("artifact_format", "runtime"),
    [
        pytest.param("onnx", "onnxruntime"),
        # of LiteRT's page the commands know no more than of the other, and that it measures and
        # computes right is tested above
        pytest.param("tflite", "litert", marks=[pytest.mark.converters, pytest.mark.exhaustive]),
    ],
)
def test_bench_compares_two_models_in_turns_and_proves_them(
    run: Callable[..., Finished],
    shared_artifact: SharedArtifacts,
    artifact_format: str,
    runtime: str,
) -> None:
    one = shared_artifact("digits", artifact_format)
    other = shared_artifact("tiny", artifact_format)
    done = run(
        "bench", one.path, "--against", other.path, "--device", "browser", "--runtime", runtime,
        "--preset", "quick", "--json",
    )  # fmt: skip
    assert done.code == 0, done.err
    results = done.json["results"]
    assert [record["model"] for record in results] == ["digits", "tiny"]
    for record in results:
        assert record["device"] == "browser"
        assert record["runtime_version"].startswith(PACKAGES[runtime] + " ")
        assert record["sample_kind"] == "run"
        assert len(record["samples_ns"]) == record["runs"] >= 30
        assert record["parity"]["passed"] is True
        assert record["parity"]["max_rel_error"] < 1e-4
        assert record["peak_rss_bytes"] > record["file_bytes"]
        assert record["environment"]["accelerator"] == "wasm"
    low, high = results[0]["ratio_interval"]
    assert 0 < low <= results[0]["ratio_to_peer"] <= high


@pytest.mark.usefixtures("chromium")
def test_a_doctor_says_what_the_browser_offers(run: Callable[..., Finished]) -> None:
    done = run("devices", "doctor", "browser", "--json")
    assert done.code == 0, done.err
    steps = {step["step"]: step for step in done.json["steps"]}
    assert list(steps) == ["reachable", "runtimes", "cross-origin isolation", "WebGPU"]
    assert steps["reachable"]["detail"].startswith("Chromium ")
    assert steps["cross-origin isolation"]["passed"] is True
    assert steps["WebGPU"]["needed"] is False


def test_a_plan_starts_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(browser_module.Processes, "start", None)
    steps = device(executable="my-browser").plan(["a.onnx"], "onnxruntime", 2)
    assert steps[0] == "Start my-browser, without a window, and see what it offers"
    assert f"onnxruntime {versions()['onnxruntime']}" in steps[1]
    assert steps[-1] == (
        "Load a.onnx in a page of a fresh browser, served on loopback, with onnxruntime on "
        "2 thread(s) of WebAssembly, and warm up"
    )


def test_settings_that_cannot_be_are_refused() -> None:
    with pytest.raises(CatalogError, match=r"^chromium: accelerator must be wasm or webgpu\.$"):
        device(accelerator="gpu")
    with pytest.raises(CatalogError, match=r"^chromium: flags has a quotation mark that is not"):
        device(flags="--lang='de")


def test_what_a_page_cannot_run_is_refused(digits_onnx: Artifact, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"^chromium does not run coreml; choose another"):
        device().check_runtime("coreml")
    folder = Artifact(tmp_path, digits_onnx.manifest)
    with (
        pytest.raises(ArtifactError, match=r"is no single file, which a page needs\.$"),
        device().start(folder, "onnxruntime", 1),
    ):
        pytest.fail("it started")
    with (
        pytest.raises(UsageError, match=r"^This machine runs \d+ threads at once, not 4096\.$"),
        device().start(digits_onnx, "onnxruntime", 4096),
    ):
        pytest.fail("it started")


@pytest.mark.usefixtures("chromium", "web_runtimes")
def test_webgpu_that_is_not_offered_is_refused() -> None:
    with (
        pytest.raises(MissingError, match=r"offers no WebGPU here; set the device's accelerator"),
        device(accelerator="webgpu", flags="--disable-gpu --disable-features=WebGPU").session(
            "onnxruntime"
        ),
    ):
        pytest.fail("it started")
