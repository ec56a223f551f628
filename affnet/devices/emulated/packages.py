"""Debian packages of another architecture, fetched by apt into a folder.

apt works in a folder of its own with an empty list of what is installed, so that this machine's
packages are neither looked at nor touched, and no rights are needed.  It takes its server from this
machine's own configuration.
"""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

from affnet.devices.worker.wheels import run_tool
from affnet.errors import MissingError

SUITE = "trixie"  # the first release of Debian with QEMU 10
PYTHON = "3.13"  # that release's
_KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
_CONFIGURATION = """\
Dir::State::lists "{folder}/lists"; Dir::State::status "{folder}/status";
Dir::Cache "{folder}/cache"; Dir::Cache::archives "{folder}/archives";
Dir::Etc::sourcelist "{folder}/sources.list"; Dir::Etc::sourceparts "-";
APT::Architecture "arm64"; APT::Architectures {{ "arm64"; "{own}"; }};
APT::Install-Recommends "false"; APT::Sandbox::User "root"; Acquire::Languages "none";
Debug::NoLocking "true";
"""
_TOOLS = ("apt-get", "dpkg")


def check_tools() -> None:
    """Raise `MissingError` where this machine has no apt, no pip, or no keys of Debian."""
    for tool in _TOOLS:
        if shutil.which(tool) is None:
            raise MissingError(
                f"The system that is emulated consists of Debian packages, and {tool} is missing",
                "use a machine with Debian or Ubuntu, or one that is itself Arm.",
            )
    if not _KEYRING.is_file():
        raise MissingError(
            f"Debian's keys are missing ({_KEYRING})",
            "run: sudo apt-get install debian-archive-keyring",
        )


class Apt:
    """apt in a folder of its own, for arm64 and this machine's architecture."""

    def __init__(self, folder: Path, mirror: str | None) -> None:
        self._folder = folder
        own = run_tool(["dpkg", "--print-architecture"], "dpkg").strip()
        self._own = own
        for name in ("lists/partial", "cache", "archives/partial"):
            (folder / name).mkdir(parents=True)
        (folder / "status").touch()
        architectures = ",".join(dict.fromkeys(("arm64", own)))
        (folder / "sources.list").write_text(
            f"deb [signed-by={_KEYRING} arch={architectures}] "
            f"{mirror or debian_mirror()} {SUITE} main\n"
        )
        (folder / "conf").write_text(_CONFIGURATION.format(folder=folder, own=own))

    def update(self) -> None:
        """Fetch the lists of packages.

        Raises:
            MissingError: they cannot be fetched.
        """
        self._apt("update")

    def fetch(self, *packages: str) -> list[Path]:
        """Fetch packages of arm64, and all that they depend on."""
        self._apt("install", "--yes", "--download-only", *packages)
        return sorted((self._folder / "archives").glob("*.deb"))

    def fetch_own(self, package: str) -> Path:
        """Fetch one package for this machine, and nothing that it depends on."""
        before = set(self._folder.glob("*.deb"))
        self._apt("download", f"{package}:{self._own}")
        (found,) = set(self._folder.glob("*.deb")) - before
        return found

    def _apt(self, *arguments: str) -> None:
        environment = {**os.environ, "APT_CONFIG": str(self._folder / "conf")}
        run_tool(["apt-get", "--quiet=2", *arguments], "apt-get", environment, self._folder)


def debian_mirror() -> str:
    """Return the server of Debian's packages that this machine's apt uses.

    Raises:
        MissingError: it uses none.
    """
    for line in run_tool(["apt-get", "update", "--print-uris"], "apt-get").splitlines():
        if found := re.match(r"'(\w+://\S+/debian)/dists/", line):
            return found[1]
    raise MissingError(
        "apt of this machine uses no mirror of Debian",
        "set mirror of [arm64] in ~/.config/affnet/devices.toml to one.",
    )


def extract(package: Path, folder: Path) -> None:
    """Unpack a Debian package's files."""
    run_tool(["dpkg", "-x", str(package), str(folder)], "dpkg")
