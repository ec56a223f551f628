"""What goes wrong with a browser: one sentence, the right exit code, and nothing left behind.

The fixture `chromium` looks for what is left.
"""

from __future__ import annotations

import dataclasses
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from affnet.artifact import Artifact
from affnet.devices.browser import process as browser_process
from affnet.devices.worker import channel
from affnet.errors import AffnetError, MeasurementError, MissingError
from affnet.files import content_sha256
from tests.cli.conftest import start
from tests.devices.browser.browsers import commands_with, device, files_left
from tests.shared_artifacts import SharedArtifacts

Refused = Callable[..., str]
#: A GPU in software.
SWIFTSHADER = "--enable-unsafe-webgpu --use-webgpu-adapter=swiftshader"


def processes(kind: str) -> list[psutil.Process]:
    """Return the browsers' processes of a kind: "renderer", or "" for the browsers themselves."""
    found = []
    for child in psutil.Process().children(recursive=True):
        command = " ".join(child.cmdline())
        if f"--type={kind}" in command if kind else "--user-data-dir=" in command:
            found.append(child)
    assert found
    return found


def refused(
    artifact: Artifact, meanwhile: Callable[[], object] = lambda: None, **settings: object
) -> AffnetError:
    """Start measuring, do something, run; return the error that comes of it."""
    with (  # the error may come at each step
        pytest.raises(AffnetError) as info,
        device(**settings).start(artifact, "onnxruntime", 1) as process,
    ):
        meanwhile()
        process.run(3)
    assert "\n" not in str(info.value)
    return info.value


@pytest.mark.usefixtures("chromium", "web_runtimes")
def test_a_browser_that_is_missing_keeps_its_class(digits_onnx: Artifact) -> None:
    error = refused(digits_onnx, executable="/nowhere/chromium")
    assert str(error) == (
        "/nowhere/chromium is no browser that can be started; run: playwright install chromium"
    )
    assert isinstance(error, MissingError)


@pytest.mark.usefixtures("_chromium")
def test_no_browser_at_all_has_exit_code_3_and_the_command_that_installs_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PLAYWRIGHT_BROWSERS_PATH", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    if sys.platform == "darwin":
        pytest.skip("a Mac's browsers are not on PATH")
    (check,) = device().checks()
    assert (check.passed, check.remedy) == (False, "playwright install chromium")
    assert check.detail == "No Chromium or Chrome was found on this machine"


def test_without_playwright_the_pip_command_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "playwright", None)
    with pytest.raises(MissingError) as info:
        device().check_runtime("onnxruntime")
    assert str(info.value) == (
        "Measuring in a browser needs the package 'playwright', which is not installed; "
        "run: pip install 'affnet[browser]'"
    )
    (check,) = device().checks()
    assert check.remedy == "pip install 'affnet[browser]'"


@pytest.mark.usefixtures("chromium", "web_runtimes")
def test_a_browser_that_does_not_start_is_told_with_its_own_words(
    digits_onnx: Artifact, tmp_path: Path
) -> None:
    broken = tmp_path / "broken"
    broken.write_text("#!/bin/sh\necho 'cannot open a display' >&2\nexit 3\n")
    broken.chmod(0o755)
    error = refused(digits_onnx, executable=str(broken))
    assert str(error) == "The browser did not start: cannot open a display."
    assert isinstance(error, MeasurementError)


@pytest.mark.usefixtures("chromium", "web_runtimes")
def test_a_page_that_crashes_is_told(digits_onnx: Artifact) -> None:
    error = refused(digits_onnx, lambda: [page.kill() for page in processes("renderer")])
    assert str(error) == ("The page that measures digits.onnx crashed, perhaps for want of memory.")
    assert error.exit_code == 1


@pytest.mark.usefixtures("chromium", "web_runtimes")
def test_a_gpu_that_is_lost_is_told(shared_artifact: SharedArtifacts) -> None:
    def kill() -> None:
        for gpu in processes("gpu-process"):
            gpu.kill()

    # a small network: in software, each kind of layer takes its time to compile
    artifact = shared_artifact("tiny", "onnx")
    error = refused(artifact, kill, accelerator="webgpu", flags=SWIFTSHADER)
    assert str(error) == (
        "The page that measures tiny.onnx failed: the browser lost its GPU while the model ran."
    )
    assert error.exit_code == 1


@pytest.mark.usefixtures("chromium", "web_runtimes")
def test_a_browser_that_crashes_is_told(digits_onnx: Artifact) -> None:
    error = refused(digits_onnx, lambda: [browser.kill() for browser in processes("")])
    assert str(error) == "The browser that measures digits.onnx crashed or was ended."
    assert error.exit_code == 1


@pytest.mark.usefixtures("chromium", "web_runtimes")
def test_a_driver_that_is_killed_is_told_and_takes_its_browser_along(
    digits_onnx: Artifact,
) -> None:
    def kill() -> None:
        (driver,) = psutil.Process().children()
        driver.kill()

    error = refused(digits_onnx, kill)
    assert str(error).startswith(
        "Measuring digits.onnx on onnxruntime on chromium ended with signal 9"
    )


@pytest.mark.usefixtures("chromium", "web_runtimes")
def test_an_error_of_the_page_is_told_in_the_runtime_s_words(
    digits_onnx: Artifact, tmp_path: Path
) -> None:
    path = tmp_path / "damaged.onnx"
    path.write_bytes(b"no model at all")
    manifest = dataclasses.replace(digits_onnx.manifest, sha256=content_sha256(path))
    error = refused(dataclasses.replace(digits_onnx, path=path, manifest=manifest))
    assert str(error).startswith("The page that measures damaged.onnx failed: ")
    assert "protobuf" in str(error)
    assert error.exit_code == 1


@pytest.mark.usefixtures("chromium", "web_runtimes")
def test_a_file_that_was_changed_is_refused(digits_onnx: Artifact, tmp_path: Path) -> None:
    path = tmp_path / "changed.onnx"
    path.write_bytes(digits_onnx.path.read_bytes() + b"\0")
    error = refused(dataclasses.replace(digits_onnx, path=path))
    assert str(error) == f"{path} was changed after the measurement was planned."
    assert error.exit_code == 2


@pytest.mark.usefixtures("chromium", "web_runtimes")
def test_a_page_that_hangs_is_stopped(
    digits_onnx: Artifact, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(channel, "RUN_TIMEOUT_S", 1.0)
    with (
        pytest.raises(MeasurementError) as info,
        device().start(digits_onnx, "onnxruntime", 1) as process,
    ):
        process.run(1_000_000)
    assert str(info.value) == (
        "Measuring digits.onnx on onnxruntime on chromium gave no answer for 1 s; it was stopped."
    )


@pytest.mark.usefixtures("chromium", "web_runtimes")
def test_a_browser_that_answers_nobody_any_more_is_killed(
    digits_onnx: Artifact, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(channel, "RUN_TIMEOUT_S", 1.0)
    monkeypatch.setattr(browser_process, "_GOODBYE_S", 1.0)
    monkeypatch.setattr(browser_process, "_END_S", 1.0)
    error = refused(digits_onnx, lambda: [browser.suspend() for browser in processes("renderer")]
                    and [browser.suspend() for browser in processes("")])  # fmt: skip
    assert str(error).endswith("gave no answer for 1 s; it was stopped.")


@pytest.mark.usefixtures("chromium", "web_runtimes")
def test_an_interrupt_from_another_thread_ends_a_run(digits_onnx: Artifact) -> None:
    chromium = device()
    with (
        pytest.raises(MeasurementError, match=r"ended with signal 9"),
        chromium.start(digits_onnx, "onnxruntime", 1) as process,
    ):
        threading.Timer(0.5, chromium.interrupt).start()
        process.run(1_000_000)


@pytest.mark.usefixtures("web_runtimes")
@pytest.mark.slow
@pytest.mark.parametrize(
    ("stop", "code"),
    [
        (signal.SIGINT, 130),
        # an interruption by another name, as boards and exports show
        pytest.param(signal.SIGTERM, 143, marks=pytest.mark.exhaustive),
        (signal.SIGKILL, -9),
    ],
)
def test_a_command_that_is_stopped_leaves_no_server_and_no_browser(
    chromium: Path, digits_onnx: Artifact, stop: signal.Signals, code: int
) -> None:
    bench = start("bench", digits_onnx.path, "--device", "browser", "--preset", "mlperf")
    bench.wait_for("Measuring in turns")
    assert commands_with(f"{chromium}/")
    bench.process.send_signal(stop)
    done = bench.finish()
    assert done.code == code
    assert "Traceback" not in done.err
    deadline = time.monotonic() + 30
    while stop == signal.SIGKILL and (commands_with(f"{chromium}/") or files_left(chromium)):
        assert time.monotonic() < deadline
        time.sleep(0.1)
