"""A board: a real sshd on loopback with throw-away keys, whose Python is ours.

Its environment is set by the server's own ``SetEnv``, so that what a board may look like, with
another PATH, home or Python, is played without touching this machine.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from getpass import getuser
from pathlib import Path

import psutil
import pytest

from affnet.artifact import Artifact
from affnet.devices.catalog import Entry, find, open_device
from affnet.devices.ssh.device import SshDevice
from affnet.errors import AffnetError

SSHD = shutil.which("sshd", path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")
WITHOUT_SSHD = "needs a real sshd: sudo apt-get install openssh-server"


@dataclass
class Board:
    """A running sshd, and where it keeps things."""

    home: Path  # the client's: .ssh with its key and known_hosts
    remote_home: Path
    temporary: Path  # where sessions make their folders
    binaries: Path  # the board's PATH begins here: its python3
    port: int
    process: subprocess.Popen[bytes]
    host: str = "127.0.0.1"

    user = getuser()

    @property
    def address(self) -> str:
        return f"{self.user}@{self.host}:{self.port}"

    def sessions(self) -> list[psutil.Process]:
        """The server's processes that serve a connection."""
        return psutil.Process(self.process.pid).children(recursive=True)

    def drop(self) -> None:
        """Lose every connection without a word, as when the cable is pulled."""
        for process in psutil.Process(self.process.pid).children():
            for own in [*process.children(recursive=True), process]:
                with contextlib.suppress(psutil.NoSuchProcess):  # it ended with its parent
                    if own.name().startswith("sshd"):
                        own.kill()

    def python(self, script: str) -> None:
        """Make the board's ``python3`` a shell script; ``$REAL`` is a Python that works."""
        path = self.binaries / "python3"
        path.write_text(f"#!/bin/sh\nREAL='{sys.executable}'\n{script}\n")
        path.chmod(0o755)

    def known_hosts(self, *lines: str) -> None:
        (self.home / ".ssh" / "known_hosts").write_text("".join(line + "\n" for line in lines))

    def host_key(self) -> str:
        """The line of known_hosts that belongs to the server."""
        kind, key = (self.home.parent / "host_key.pub").read_text().split()[:2]
        return f"[{self.host}]:{self.port} {kind} {key}"

    def left_behind(self, seconds: float = 10.0) -> list[str]:
        """What a session left, once it has had time to clean up; nothing is the promise."""
        deadline = time.monotonic() + seconds
        while (found := self._left()) and time.monotonic() < deadline:
            time.sleep(0.05)
        return found

    def _left(self) -> list[str]:
        files = [str(path) for path in self.temporary.iterdir()]
        processes = []
        for process in psutil.process_iter(["cmdline"]):
            command = " ".join(process.info["cmdline"] or ())
            if str(self.temporary) in command:
                processes.append(command)
        return files + processes


def make_key(path: Path) -> None:
    command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "test", "-f", str(path)]
    subprocess.run(command, check=True)


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def start_sshd(
    folder: Path,
    environment: Mapping[str, str] | None = None,
    max_sessions: int = 30,
    host: str = Board.host,
) -> Board:
    """Start a server; the caller ends it with `stop_sshd`."""
    if SSHD is None:
        pytest.skip(WITHOUT_SSHD)
    home, remote_home, binaries = folder / "home", folder / "remote home", folder / "bin"
    temporary = folder / "tmp"
    for made in (home / ".ssh", remote_home, binaries, temporary):
        made.mkdir(parents=True)
    (home / ".ssh").chmod(stat.S_IRWXU)
    make_key(folder / "host_key")
    make_key(home / ".ssh" / "id_ed25519")
    shutil.copy(home / ".ssh" / "id_ed25519.pub", folder / "authorized_keys")
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)  # the server, as root, insists
    port = free_port()
    variables = {
        "PATH": f"{binaries}:/usr/bin:/bin",
        "HOME": str(remote_home),
        "OMP_NUM_THREADS": "1",
        **(environment or {}),
    }
    (folder / "sshd_config").write_text(
        f"Port {port}\nListenAddress {host}\nHostKey {folder}/host_key\nPidFile none\n"
        f"AuthorizedKeysFile {folder}/authorized_keys\nStrictModes no\nUsePAM no\n"
        "PasswordAuthentication no\nKbdInteractiveAuthentication no\nPermitRootLogin yes\n"
        f"MaxSessions {max_sessions}\nMaxStartups 50\n"
        "Subsystem sftp internal-sftp\nLogLevel ERROR\n"
        "SetEnv " + " ".join(f'"{name}={value}"' for name, value in variables.items()) + "\n"
    )
    command = [SSHD, "-D", "-e", "-f", str(folder / "sshd_config")]
    with (folder / "sshd.log").open("wb") as log:
        process = subprocess.Popen(command, stderr=log)
    board = Board(home, remote_home, temporary, binaries, port, process, host)
    board.python('exec "$REAL" "$@"')
    board.known_hosts(board.host_key())
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        with socket.socket() as client:
            if client.connect_ex((host, port)) == 0:
                return board
        assert process.poll() is None, (folder / "sshd.log").read_text()
        time.sleep(0.05)
    raise AssertionError("sshd does not listen")


def stop_sshd(board: Board) -> None:
    if board.process.poll() is not None:
        return
    for process in [*board.sessions(), psutil.Process(board.process.pid)]:
        with contextlib.suppress(psutil.NoSuchProcess):  # a session may end by itself meanwhile
            process.kill()
    board.process.wait()


def entry_of(board: Board, **settings: object) -> Entry:
    """The catalog's entry of a board, called ``board``."""
    found = find(board.address, {})
    defaults = {"folder": str(board.temporary)}
    return Entry("board", found.kind, {**defaults, **found.settings, **settings})


def device_of(board: Board, **settings: object) -> SshDevice:
    device = open_device(entry_of(board, **settings))
    assert isinstance(device, SshDevice)
    return device


def failing(board: Board, artifact: Artifact | None = None, **settings: object) -> AffnetError:
    """Open a session, and with an artifact measure it; return the error that must come of it."""
    device = device_of(board, **settings)
    with pytest.raises(AffnetError) as info, device.session("onnxruntime"):
        if artifact is not None:
            with device.start(artifact, "onnxruntime", 1) as process:
                process.run(3)
    assert "\n" not in str(info.value)
    return info.value
