"""Two processes, or threads, never have one device at once; who waits says for whom."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from affnet.devices import device_lock
from affnet.devices.device_lock import FOLDER_VARIABLE, locked_device, measuring
from affnet.devices.fake import FakeDevice
from affnet.errors import MeasurementError, UsageError
from affnet.processes import module_environment

HOLDER = (
    "import sys; from affnet.devices.device_lock import locked_device\n"
    "sys.argv = ['affnet', 'bench', '--store', 'postgresql://ci:secret@db']\n"
    "with locked_device('adb X1', 'pixel'): print('held', flush=True); sys.stdin.readline()\n"
)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path))
    return tmp_path


@contextmanager
def another_process() -> Iterator[subprocess.Popen[str]]:
    """Start a process that has the phone until it is killed, or gets a line."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=module_environment(),
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_who_waits_says_for_whom_until_that_one_is_killed(folder: Path) -> None:
    said: list[str] = []
    with another_process() as process:

        def waiting(step: str) -> None:
            said.append(step)
            process.kill()

        with locked_device("adb X1", "pixel", waiting):
            assert len(list(folder.glob("adb-X1-*.json"))) == 1
    user = device_lock._self()["user"]
    start = f"Waiting for pixel: process {process.pid} of {user} (bench) has measured on it since"
    assert said[0].startswith(f"{start} 20")
    assert "secret" not in " ".join(path.read_text() for path in folder.glob("*"))
    assert list(folder.glob("*.json")) == []


def test_what_progress_raises_ends_the_waiting() -> None:
    def stop(_: str) -> None:
        raise MeasurementError("stopped")

    with (
        another_process(),
        pytest.raises(MeasurementError, match="stopped"),
        locked_device("adb X1", "pixel", stop),
    ):
        pytest.fail("it has a device that another process has")
    with locked_device("adb X1", "pixel", stop):
        pass


def test_other_devices_are_free_meanwhile() -> None:
    def waits(_: str) -> None:
        pytest.fail("it waits")

    with another_process(), locked_device("adb X2", "other", waits):
        pass


def test_threads_exclude_each_other_and_one_gets_it_again() -> None:
    inside: list[int] = []
    most: list[int] = []

    def work() -> None:
        with locked_device("ssh rpi", "rpi"), locked_device("ssh rpi", "rpi"):
            inside.append(1)
            most.append(len(inside))
            inside.pop()

    threads = [threading.Thread(target=work) for _ in range(4)]
    with locked_device("ssh rpi", "rpi"):
        for thread in threads:
            thread.start()
        assert most == []
    for thread in threads:
        thread.join(10)
    assert most == [1] * 4


def test_a_session_begins_once_the_device_is_free(monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[str] = []

    @contextmanager
    def held(address: str, *_: Any) -> Iterator[None]:
        order.append(address)
        yield
        order.append("free")

    class Watched(FakeDevice):
        @contextmanager
        def session(self, runtime: str, progress: Any = None) -> Iterator[None]:
            order.append("begins")
            yield
            order.append("ends")

    monkeypatch.setattr(device_lock, "locked_device", held)
    with measuring(Watched("x"), "onnxruntime"):
        pass
    assert order == ["fake x", "begins", "ends", "free"]


def test_a_folder_that_is_none_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(FOLDER_VARIABLE, "/nowhere")
    sentence = "AFFNET_LOCK_DIR names /nowhere, which is no folder"
    with pytest.raises(UsageError, match=sentence), locked_device("x", "x"):
        pass
