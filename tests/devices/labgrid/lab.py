"""A lab: labgrid's own coordinator and exporter on loopback, with one place, whose board is a sshd.

Both are programs of the package that is installed.  A client is told from another by the name of
its host, which ``LG_HOSTNAME`` sets.
"""

from __future__ import annotations

import importlib.util
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from affnet.devices.catalog import Entry, open_device
from affnet.devices.labgrid.device import LabgridDevice
from affnet.processes import module_environment
from tests.devices.ssh.sshd import Board, free_port

PLACE = "orin"
_WITHOUT_LABGRID = "needs labgrid: pip install 'affnet[labgrid]'"


@dataclass
class Lab:
    """A running coordinator, and what a client needs to know of it."""

    folder: Path
    port: int
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def client(self, *arguments: str, host: str = "elsewhere", user: str = "ada") -> str:
        """Run labgrid-client as a user of another host; return what it prints."""
        done = subprocess.run(
            [*_program("remote.client"), "-x", self.address, "-p", PLACE, *arguments],
            capture_output=True,
            text=True,
            check=False,
            env={**module_environment(), "LG_HOSTNAME": host, "LG_USERNAME": user},
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def holder(self) -> str | None:
        """Who has the place, as the coordinator last said; None if nobody has."""
        holder = None
        for line in (self.folder / "coordinator.log").read_text().splitlines():
            if line.startswith(f"{PLACE}: place "):
                holder = line.partition(" acquired by ")[2] or None
        return holder

    def becomes(self, holder: str | None) -> bool:
        """Whether the place is somebody's within seconds, or nobody's."""
        deadline = time.monotonic() + 20
        while self.holder() != holder and time.monotonic() < deadline:
            time.sleep(0.05)
        return self.holder() == holder

    def device(self, board: Board, **settings: object) -> LabgridDevice:
        device = open_device(self.entry(board, **settings))
        assert isinstance(device, LabgridDevice)
        return device

    def entry(self, board: Board, **settings: object) -> Entry:
        own = {"place": PLACE, "coordinator": self.address, "folder": str(board.temporary)}
        return Entry("orin", "labgrid", {**own, **settings})

    def catalog(self, path: Path, board: Board, **settings: object) -> Path:
        entry = self.entry(board, **settings)
        lines = [f"{name} = {value!r}" for name, value in entry.settings.items()]
        path.write_text("\n".join(["[orin]", 'kind = "labgrid"', *lines]) + "\n")
        return path

    def kill_coordinator(self) -> None:
        self.processes[0].send_signal(signal.SIGKILL)
        self.processes[0].wait()


@contextmanager
def lab(folder: Path, resources: str) -> Iterator[Lab]:
    """Start a coordinator and an exporter of ``resources``, a YAML of labgrid's; end both."""
    if importlib.util.find_spec("labgrid") is None:
        pytest.skip(_WITHOUT_LABGRID)
    folder.mkdir()
    match = "{exporter: lab, group: board, cls: '*', name: null, rename: null}"
    (folder / "places.yaml").write_text(
        f"{PLACE}: {{aliases: [], comment: '', tags: {{}}, created: 1.0, changed: 1.0, "
        f"matches: [{match}]}}\n"
    )
    (folder / "exporter.yaml").write_text(resources)
    found = Lab(folder, free_port())
    try:
        _start(found, "coordinator", ["remote.coordinator", "-l", found.address], "listening on")
        exporter = ["remote.exporter", "-c", found.address, "-n", "lab", "exporter.yaml"]
        _start(found, "exporter", exporter, "add resource")
        yield found
    finally:
        for process in found.processes:
            process.kill()
            process.wait()


def network_service(board: Board, group: str = "board") -> str:
    """Return what an exporter is told of a board: labgrid's YAML."""
    return (
        f"{group}:\n  NetworkService:\n    address: 127.0.0.1\n"
        f"    username: {board.user}\n    port: {board.port}\n"
    )


def _start(lab: Lab, name: str, command: list[str], ready: str) -> None:
    log = lab.folder / f"{name}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*_program(command[0]), *command[1:]],
            cwd=lab.folder,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )
    lab.processes.append(process)
    deadline = time.monotonic() + 30
    while ready not in log.read_text():
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.05)


def _program(module: str) -> list[str]:
    return [sys.executable, "-P", "-m", f"labgrid.{module}"]
