"""The library by which a Python without torch runs ExecuTorch, compiled here for a board."""

from __future__ import annotations

import contextlib
import importlib.util
import platform
import shutil
from importlib import metadata
from pathlib import Path

from affnet.cache import KINDS, locked
from affnet.devices.worker.wheels import fetch_wheels
from affnet.errors import MissingError
from affnet.files import content_sha256, scratch_folder
from affnet.processes import TooMuchOutputError, run_bounded

_SOURCE = Path(__file__).with_name("native") / "executorch_session.cpp"
_PYTHON = "3.12"  # whose wheel has the libraries: they are the same for each
_OPTIONS = (
    "-std=c++17", "-O2", "-shared", "-fPIC", "-w", "-DC10_USING_CUSTOM_GENERATED_MACROS",
)  # fmt: skip
_LINKED = ("-lexecutorch", "-lexecutorch_threadpool")
_HEADERS = ("include", "include/executorch/runtime/core/portable_type/c10")
_COMPILE_S = 600.0


def library(machine: str, version: str, package: Path | None = None) -> Path:
    """Return the library for a machine's architecture and its version of ExecuTorch.

    It is compiled once.  ``package`` is that version's for the machine; else the one that is
    installed here is taken where it fits, or a wheel is fetched.

    Raises:
        MissingError: there is no compiler, or no wheel.
    """
    name = f"{version}-{machine}-{content_sha256(_SOURCE)[:12]}.so"
    target = KINDS["executorch"].location() / name
    if target.is_file():
        return target
    compiler = _compiler(machine)
    with locked(target), scratch_folder() as scratch:
        if (found := package or _installed(machine, version)) is None:
            wheel = scratch / "wheel"
            fetch_wheels({"executorch": version}, wheel, _PYTHON, machine)
            found = wheel / "executorch"
        made = scratch / "session.so"
        _compile(compiler, found, made)
        shutil.copyfile(made, partial := target.with_suffix(".new"))
        partial.rename(target)
    return target


def _compiler(machine: str) -> str:
    own = platform.machine() == machine
    name = "g++" if own else f"{machine}-linux-gnu-g++"
    if found := shutil.which(name):
        return found
    package = "g++" if own else f"g++-{machine.replace('_', '-')}-linux-gnu"
    raise MissingError(
        f"ExecuTorch on {machine} is run by a library that is compiled here, and {name} is missing",
        f"run: sudo apt-get install {package}",
    )


def _installed(machine: str, version: str) -> Path | None:
    """Return the package that is installed here, if it is of that version and architecture."""
    with contextlib.suppress(metadata.PackageNotFoundError):
        if (platform.system(), platform.machine()) == ("Linux", machine):
            spec = importlib.util.find_spec("executorch")
            if metadata.version("executorch") == version and spec is not None:
                return Path(next(iter(spec.submodule_search_locations or ())))
    return None


def _compile(compiler: str, package: Path, target: Path) -> None:
    headers = [f"-I{package / folder}" for folder in _HEADERS]
    command = [compiler, *_OPTIONS, *headers, str(_SOURCE), f"-L{package / 'lib'}", *_LINKED]
    name = Path(compiler).name
    try:
        code, _, err = run_bounded([*command, "-o", str(target)], _COMPILE_S)
    except (OSError, TimeoutError, TooMuchOutputError) as error:
        code, err = 1, f"error: {error}"
    if code:
        reason = next((line for line in err.splitlines() if "error" in line), f"exit code {code}")
        raise MissingError(f"{name} does not compile ExecuTorch's library: {reason[:200]}.")
