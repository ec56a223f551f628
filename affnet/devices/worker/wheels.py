"""Wheels of another architecture, fetched by pip, and how tools that fetch are run."""

from __future__ import annotations

import re
import shutil
import sys
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from affnet.errors import MissingError
from affnet.processes import TooMuchOutputError, run_bounded

_TIMEOUT_S = 900.0
#: Wheels for a C library from 2.17 to 2.41, that of the system that is emulated.
_PLATFORMS = (*(f"manylinux_2_{minor}" for minor in range(41, 16, -1)), "manylinux2014")


def fetch_wheels(
    versions: Mapping[str, str], folder: Path, python: str, machine: str = "aarch64"
) -> None:
    """Fetch wheels for a machine and a version of Python, and unpack them into ``folder``.

    Raises:
        MissingError: there is none of a version for it, or pip cannot fetch it.
    """
    downloads = folder.with_name(folder.name + "-wheels")
    platforms = [word for tag in _PLATFORMS for word in ("--platform", f"{tag}_{machine}")]
    pinned = [f"{name}=={version}" for name, version in versions.items()]
    pip = [sys.executable, "-P", "-m", "pip", "--disable-pip-version-check", "download", "--quiet"]
    options = ["--no-deps", "--only-binary=:all:", *platforms, "--python-version", python]
    run_tool([*pip, *options, "--implementation", "cp", "--dest", str(downloads), *pinned], "pip")
    for wheel in downloads.glob("*.whl"):
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(folder)
    shutil.rmtree(downloads)


def run_tool(
    command: Sequence[str],
    tool: str,
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
) -> str:
    """Run a tool that fetches packages; return what it prints.

    Raises:
        MissingError: it is missing, fails, or does not end.
    """
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
            f"There is no wheel of {lacking[1]} {lacking[2]} for that system",
            f"install another version of {lacking[1]} here, which is then fetched there too.",
        )
    if "No module named pip" in err:
        raise MissingError(
            "Wheels are fetched by pip, which this Python lacks",
            f"run: {sys.executable} -m ensurepip",
        )
    raise MissingError(
        f"{tool} cannot fetch packages for another system ({_reason(err, code)})",
        "connect to the network, and try again.",
    )


def _reason(said: str, code: int) -> str:
    """Return the first error that a tool reports."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    errors = [line for line in lines if re.match(r"E: |ERROR: ", line)]
    first = next(iter(errors or lines), f"exit code {code}")
    return re.sub(r"^(E|ERROR): ", "", first).rstrip(".")[:200]
