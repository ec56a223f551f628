"""Phones with a real adb server of its own port, and runners that really run LiteRT."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest

from affnet.artifact import Artifact
from affnet.bench.measurement.protocol import Protocol
from affnet.devices.android.device import AdbDevice
from affnet.devices.catalog import Entry, open_device
from affnet.errors import AffnetError
from tests.devices.android.adbd import FOLDER, Phone
from tests.devices.ssh.sshd import free_port

ADB = shutil.which("adb")
WITHOUT_ADB = "needs the real adb client: sudo apt-get install adb"
# Each turn starts the stand-in for a tool, which takes seconds to import its runtime.
FEW_STARTS = Protocol(
    "few starts", min_runs=30, min_seconds=1e-6, max_warmup_seconds=1e-6, min_block_runs=15
)
_HOST_TOOLS = {
    "benchmark_model": "benchmark_model_on_host.py",
    "onnxruntime_perf_test": "perf_test_on_host.py",
    "executor_runner": "executor_runner_on_host.py",
    "benchmark.out": "mnn_benchmark_on_host.py",
    "benchncnn": "benchncnn_on_host.py",
}


@dataclass
class Attached:
    """An adb server and the phones it knows."""

    folder: Path
    environment: dict[str, str]
    phones: list[Phone] = field(default_factory=list)

    def attach(self, **settings: object) -> Phone:
        """Attach one more phone."""
        phone = Phone(self.folder / f"phone{len(self.phones)}", **settings)  # type: ignore[arg-type]
        phone.start()
        self.phones.append(phone)
        self.adb("connect", phone.serial)
        return phone

    def adb(self, *arguments: str) -> str:
        assert ADB is not None
        done = subprocess.run(
            [ADB, *arguments], env=self.environment, capture_output=True, text=True, timeout=30
        )
        return done.stdout + done.stderr

    def runner(
        self,
        body: str | None = None,
        kind: str = "",
        program: str = "benchmark_model",
    ) -> Path:
        """Return a folder with a runner: a shell script, or one that really runs the runtime.

        ``kind`` is the first argument of the stand-in: "litert" for LiteRT's own benchmark_model.
        """
        folder = self.folder / "runner"
        folder.mkdir(exist_ok=True)
        script = Path(__file__).with_name(_HOST_TOOLS[program])
        real = f'exec "{sys.executable}" "{script}" {kind} "$@"'
        (folder / program).write_text(f"#!/bin/sh\n{real if body is None else body}\n")
        return folder

    def device(self, name: str = "pixel", **settings: object) -> AdbDevice:
        defaults = {"warmup_seconds": 0.02}
        if "runner" not in settings:
            defaults["runner"] = str(self.runner())  # type: ignore[assignment]
        found = open_device(Entry(name, "adb", {**defaults, **settings}))
        assert isinstance(found, AdbDevice)
        return found

    def failing(self, artifact: Artifact | None = None, **settings: object) -> AffnetError:
        """Open a session, and with an artifact measure it; return the error that must come."""
        device = self.device(**settings)
        with pytest.raises(AffnetError) as info, device.session("litert"):
            if artifact is not None:
                with device.start(artifact, "litert", 1) as process:
                    process.run(3)
        assert "\n" not in str(info.value)
        return info.value

    def left_behind(self, seconds: float = 10.0) -> list[str]:
        """What sessions left on the phones once they had time to clean up; nothing is promised."""
        deadline = time.monotonic() + seconds
        while (found := self._left()) and time.monotonic() < deadline:
            time.sleep(0.05)
        return found

    def _left(self) -> list[str]:
        found = [str(path) for phone in self.phones for path in phone.temporary.iterdir()]
        for process in psutil.process_iter(["cmdline"]):
            command = " ".join(process.info["cmdline"] or ())
            if any(_is_of(phone, command) for phone in self.phones):
                found.append(command)
        return found


def _is_of(phone: Phone, command: str) -> bool:
    """Whether a command runs on this phone, or is an adb client that runs one on it."""
    on_the_phone = f"{phone.temporary}/affnet-" in command
    return on_the_phone or (f"-s {phone.serial} " in command and f"{FOLDER}/affnet-" in command)


@contextmanager
def server(home: Path) -> Iterator[dict[str, str]]:
    """Reserve a port for an adb server; yields the variables by which clients find and start it."""
    if ADB is None:
        pytest.skip(WITHOUT_ADB)
    variables = {
        "HOME": str(home),  # the server keeps its key there
        "ANDROID_ADB_SERVER_PORT": str(free_port()),
    }
    try:
        yield variables
    finally:
        Attached(home, {**os.environ, **variables}).adb("kill-server")


@contextmanager
def attached_to(
    server: dict[str, str], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Attached]:
    """Let this process use the server, started if it does not run, until the phones are gone."""
    folder.mkdir()
    for name, value in server.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("ANDROID_SERIAL", raising=False)
    attached = Attached(folder, dict(os.environ))
    attached.adb("start-server")
    try:
        yield attached
    finally:
        attached.adb("disconnect")  # from every phone
        for phone in attached.phones:
            phone.lose()
