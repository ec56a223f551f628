"""Debian packages and wheels of another architecture, fetched by apt and pip into a folder.

apt works in a folder of its own with an empty list of what is installed, so that this machine's
packages are neither looked at nor touched, and no rights are needed.  Both take their servers from
this machine's own configuration.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from affnet.errors import MissingError
from affnet.processes import TooMuchOutputError, run_bounded

SUITE = "trixie"  # the first release of Debian with QEMU 10
PYTHON = "3.13"  # that release's
_KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
_TIMEOUT_S = 900.0
_PLATFORMS = ("manylinux_2_28", "manylinux_2_27", "manylinux_2_17", "manylinux2014")
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
        own = _run(["dpkg", "--print-architecture"], "dpkg").strip()
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
        _run(["apt-get", "--quiet=2", *arguments], "apt-get", environment, self._folder)


def debian_mirror() -> str:
    """Return the server of Debian's packages that this machine's apt uses.

    Raises:
        MissingError: it uses none.
    """
    for line in _run(["apt-get", "update", "--print-uris"], "apt-get").splitlines():
        if found := re.match(r"'(\w+://\S+/debian)/dists/", line):
            return found[1]
    raise MissingError(
        "apt of this machine uses no mirror of Debian",
        "set mirror of [arm64] in ~/.config/affnet/devices.toml to one.",
    )


def extract(package: Path, folder: Path) -> None:
    """Unpack a Debian package's files."""
    _run(["dpkg", "-x", str(package), str(folder)], "dpkg")


def fetch_wheels(versions: Mapping[str, str], folder: Path) -> None:
    """Fetch wheels for aarch64, and unpack them into ``folder``.

    Raises:
        MissingError: there is none of a version for aarch64, or pip cannot fetch it.
    """
    downloads = folder.with_name(folder.name + "-wheels")
    platforms = [word for tag in _PLATFORMS for word in ("--platform", f"{tag}_aarch64")]
    pinned = [f"{name}=={version}" for name, version in versions.items()]
    pip = [sys.executable, "-P", "-m", "pip", "--disable-pip-version-check", "download", "--quiet"]
    options = ["--no-deps", "--only-binary=:all:", *platforms, "--python-version", PYTHON]
    _run([*pip, *options, "--implementation", "cp", "--dest", str(downloads), *pinned], "pip")
    for wheel in downloads.glob("*.whl"):
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(folder)
    shutil.rmtree(downloads)


def _run(
    command: Sequence[str],
    tool: str,
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
) -> str:
    try:
        code, out, err = run_bounded(command, _TIMEOUT_S, environment, folder)
    except OSError as error:
        raise MissingError(f"{tool} cannot be started: {error.strerror}.") from error
    except TimeoutError:
        raise MissingError(
            f"{tool} did not end within {_TIMEOUT_S:.0f} s", "try again when the network is faster."
        ) from None
    except TooMuchOutputError as error:
        raise MissingError(f"{tool} reports errors without end ({error}).") from None
    if code == 0:
        return out
    if lacking := re.search(r"No matching distribution found for (\S+?)==(\S+)", err):
        raise MissingError(
            f"There is no wheel of {lacking[1]} {lacking[2]} for aarch64 and Python {PYTHON}",
            f"install another version of {lacking[1]} here, which is then fetched for Arm too.",
        )
    if "No module named pip" in err:
        raise MissingError(
            "The wheels for aarch64 are fetched by pip, which this Python lacks",
            f"run: {sys.executable} -m ensurepip",
        )
    raise MissingError(
        f"{tool} cannot fetch what the emulated system consists of ({_reason(err, code)})",
        "connect to the network, and try again: affnet devices doctor arm64",
    )


def _reason(said: str, code: int) -> str:
    """Return the first error that a tool reports."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    errors = [line for line in lines if re.match(r"E: |ERROR: ", line)]
    first = next(iter(errors or lines), f"exit code {code}")
    return re.sub(r"^(E|ERROR): ", "", first).rstrip(".")[:200]
