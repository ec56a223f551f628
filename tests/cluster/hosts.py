"""Hosts with addresses of their own, as network namespaces of this machine, and their certificates.

It needs the right to make them (CAP_NET_ADMIN), iproute2, util-linux and openssl.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from affnet.devices.device_lock import FOLDER_VARIABLE
from affnet.processes import module_environment

PORT = 8786
_NETWORK = "10.77.31."  # of this machine alone: nothing else is routed there


def _run(*command: object) -> None:
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done


def possible() -> bool:
    """Return whether namespaces can be made here."""
    if not all(map(shutil.which, ("ip", "unshare", "openssl"))):
        return False
    name = f"aff{os.getpid()}"
    made = subprocess.run(["ip", "netns", "add", name], capture_output=True, check=False)
    if made.returncode == 0:
        _run("ip", "netns", "del", name)
    return made.returncode == 0


@contextmanager
def bridge() -> Iterator[Hosts]:
    """Yield a network, in which this machine is the first host."""
    hosts = Hosts(f"aff{os.getpid() % 100000}")
    try:
        hosts.make_bridge()
        yield hosts
    finally:
        hosts.remove()


class Hosts:
    """A network of hosts that run one program each."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._namespaces: list[str] = []
        self.processes: dict[str, subprocess.Popen[str]] = {}

    def make_bridge(self) -> None:
        """Make the network."""
        _run("ip", "link", "add", self._name, "type", "bridge")
        _run("ip", "addr", "add", f"{_NETWORK}1/24", "dev", self._name)
        _run("ip", "link", "set", self._name, "up")

    @property
    def this_machine(self) -> str:
        """The address of this machine, as the hosts reach it."""
        return f"{_NETWORK}1"

    def add(self, number: int) -> str:
        """Add a host; return its address."""
        space, address = f"{self._name}-{number}", f"{_NETWORK}{number}"
        _run("ip", "netns", "add", space)
        self._namespaces.append(space)
        outer = f"{self._name}v{number}"
        inside = ("ip", "-n", space)
        _run("ip", "link", "add", outer, "type", "veth", "peer", "name", "eth0", "netns", space)
        _run("ip", "link", "set", outer, "master", self._name, "up")
        _run(*inside, "addr", "add", f"{address}/24", "dev", "eth0")
        _run(*inside, "link", "set", "eth0", "up")
        _run(*inside, "link", "set", "lo", "up")
        return address

    def start(self, number: int, module: str, *options: str, env: Mapping[str, str]) -> None:
        """Run a module on a host, which is called ``host-NUMBER``."""
        inner = ["sh", "-c", f'hostname host-{number} && exec "$@"', "sh", sys.executable, "-m"]
        space = ["ip", "netns", "exec", f"{self._name}-{number}", "unshare", "--uts"]
        self.processes[f"host-{number}"] = subprocess.Popen(
            [*space, *inner, module, *options],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            env={**module_environment(), **env},
        )

    def run(self, number: int, *command: str, env: Mapping[str, str]) -> str:
        """Run a command on a host; return what it writes."""
        space = ["ip", "netns", "exec", f"{self._name}-{number}"]
        done = subprocess.run(
            [*space, *command],
            capture_output=True,
            text=True,
            env={**os.environ, **env},
            check=True,
        )
        return done.stdout

    def kill(self, number: int) -> None:
        """Kill what runs on a host."""
        process = self.processes.pop(f"host-{number}")
        process.kill()
        process.communicate()

    def remove(self) -> None:
        """End all, and remove the network."""
        for name in list(self.processes):
            self.kill(int(name.removeprefix("host-")))
        for space in self._namespaces:
            subprocess.run(["ip", "netns", "del", space], check=False)
        subprocess.run(["ip", "link", "del", self._name], check=False)


def authority(folder: Path) -> dict[str, str]:
    """Make a certificate authority and a certificate of it; return Dask's settings of both."""
    folder.mkdir()
    ca, key, certificate = folder / "ca.pem", folder / "key.pem", folder / "cert.pem"
    new = ("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2")
    _run(*new, "-keyout", folder / "ca.key", "-out", ca, "-subj", "/CN=lab")
    signed = ("-CA", ca, "-CAkey", folder / "ca.key", "-addext", "basicConstraints=CA:FALSE")
    _run(*new, *signed, "-keyout", key, "-out", certificate, "-subj", "/CN=member")
    settings = {"CA_FILE": ca}
    for part in ("CLIENT", "WORKER", "SCHEDULER"):
        settings |= {f"{part}__CERT": certificate, f"{part}__KEY": key}
    return {f"DASK_DISTRIBUTED__COMM__TLS__{name}": str(path) for name, path in settings.items()}


def of_host(folder: Path) -> dict[str, str]:
    """Return what a host does not share with the others of this machine."""
    folder.mkdir()
    return {FOLDER_VARIABLE: str(folder), "AFFNET_CACHE_DIR": str(folder / "cache")}
