"""The arm64 system that is emulated: QEMU, Debian's Python and the wheels of the runtimes.

It is made once, in the user's cache, beside its place and renamed into it, so that one that is
there is whole.  Nothing of it is installed: QEMU runs its programs as this user's own.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from affnet.cache import KINDS, locked
from affnet.devices.emulated import packages
from affnet.devices.emulated.cpus import qemu_model
from affnet.devices.worker.board_main import NEEDED
from affnet.devices.worker.wheels import fetch_wheels
from affnet.errors import MissingError
from affnet.files import translating_os_errors, write_whole
from affnet.processes import TooMuchOutputError, run_bounded
from affnet.reading import parse_json, read_text

#: What making it takes, for those who are to wait for it.
COST = "about 210 MB to fetch, 480 MB on disk, a minute or two"
#: Those that the system holds: for each there are wheels for aarch64, which are fetched.
RUNTIMES = ("onnxruntime", "litert", "executorch", "openvino", "mnn", "ncnn")
_RECORD = "root.json"
_STAGING = ".new-"
_WAIT_S = 1200.0  # for another process that makes it
_TRIAL_S = 300.0
_SYSTEM = (f"python{packages.PYTHON}", "libstdc++6", "libgomp1")
_ALSO = ("backports.strenum",)  # LiteRT imports it in every Python
_MERGED = ("bin", "lib", "sbin")  # links into usr, which a package of Debian's makes elsewhere
# imported once while it is made, so that their compiled code is kept
_TRIAL = "import importlib, sys; [importlib.import_module(name) for name in sys.argv[1:]]"


@dataclass(frozen=True)
class Root:
    """A finished system."""

    folder: Path
    qemu: str  # its version
    size: int  # in bytes
    packages: Mapping[str, str]

    def command(self, cpu: str) -> list[str]:
        """Return the command of its Python on a processor that is emulated."""
        system = self.folder / "sys"
        qemu = str(self.folder / "qemu-aarch64")
        python = str(system / f"usr/bin/{_SYSTEM[0]}")
        return [qemu, "-L", str(system), "-cpu", qemu_model(cpu), python]

    def environment(self) -> dict[str, str]:
        """Return what that command needs; nothing is written into the system."""
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "QEMU_", "LD_"))}
        site = str(self.folder / "site")
        return {**kept, "PYTHONPATH": site, "PYTHONDONTWRITEBYTECODE": "1"}


def wanted_versions() -> dict[str, str]:
    """Return the packages that the runtimes need there, at the versions that are installed here.

    Those of a runtime that is not installed here are left out.
    """
    found: dict[str, str] = {}
    for modules in map(NEEDED.__getitem__, RUNTIMES):
        with contextlib.suppress(metadata.PackageNotFoundError):
            found |= {name: metadata.version(name) for name in modules.values()}
    for name in _ALSO:
        with contextlib.suppress(metadata.PackageNotFoundError):
            found[name] = metadata.version(name)
    return found


def root_folder() -> Path:
    """Return where the system with the versions of today is, or would be."""
    text = json.dumps([packages.SUITE, packages.PYTHON, wanted_versions()], sort_keys=True)
    key = hashlib.sha256(text.encode()).hexdigest()[:16]
    return KINDS["emulated"].location() / f"{packages.SUITE}-arm64-{key}"


def find_root() -> Root | None:
    """Return the system if it is there and whole."""
    folder = root_folder()
    try:
        record = parse_json(read_text(folder / _RECORD))
        if [record["files"], record["bytes"]] != list(_measured(folder)):
            return None
        return Root(folder, record["qemu"], record["bytes"], record["packages"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def ready_root(mirror: str | None = None, progress: Callable[[str], None] = lambda _: None) -> Root:
    """Return the system; make it first if it is not there, or damaged.

    Raises:
        MissingError: apt, pip or a package is missing, or QEMU does not run what was made.
        UsageError, OutputError: it cannot be written.
    """
    if found := find_root():
        return found
    packages.check_tools()
    folder = root_folder()
    with locked(folder, _WAIT_S):
        if found := find_root():  # another process was first
            return found
        progress(f"Making an arm64 system to emulate, once ({COST})")
        with translating_os_errors(folder):
            for left in folder.parent.glob(f"{_STAGING}*"):  # of processes that were killed
                shutil.rmtree(left, ignore_errors=True)
            shutil.rmtree(folder, ignore_errors=True)
            staging = Path(tempfile.mkdtemp(prefix=_STAGING, dir=folder.parent))
            try:
                _make(staging, mirror, progress)
                staging.rename(folder)
            finally:
                shutil.rmtree(staging, ignore_errors=True)
    made = find_root()
    if made is None:
        raise MissingError(f"{folder} was changed while it was being made", "try again.")
    return made


def _make(staging: Path, mirror: str | None, progress: Callable[[str], None]) -> None:
    started, system, site = time.monotonic(), staging / "sys", staging / "site"
    (system / "usr").mkdir(parents=True)
    for name in _MERGED:
        (system / "usr" / name).mkdir()
        (system / name).symlink_to(f"usr/{name}")
    (work := staging / "apt").mkdir()
    progress("Fetching Debian packages for arm64")
    apt = packages.Apt(work, mirror)
    apt.update()
    for package in apt.fetch(*_SYSTEM):
        packages.extract(package, system)
    progress("Fetching QEMU")
    packages.extract(apt.fetch_own("qemu-user"), work / "qemu")
    (work / "qemu/usr/bin/qemu-aarch64").rename(staging / "qemu-aarch64")
    shutil.rmtree(work)
    versions = wanted_versions()
    progress("Fetching wheels for aarch64: " + ", ".join(versions))
    fetch_wheels(versions, site, packages.PYTHON)
    progress("Trying the system")
    qemu = _tried(Root(staging, "", 0, versions))
    _seal(staging, qemu, versions, time.monotonic() - started)


def _seal(folder: Path, qemu: str, versions: Mapping[str, str], seconds: float) -> None:
    """Write down what a finished system holds, so that a damaged one is known."""
    files, size = _measured(folder)
    record = {"qemu": qemu, "packages": dict(versions), "files": files, "bytes": size}
    write_whole(folder / _RECORD, json.dumps(record | {"seconds": round(seconds)}) + "\n")


def _tried(root: Root) -> str:
    """Import all in the system once; return QEMU's version."""
    modules = [
        module
        for runtime in RUNTIMES
        for module, package in NEEDED[runtime].items()
        if package in root.packages
    ]
    environment = {**root.environment(), "PYTHONDONTWRITEBYTECODE": ""}
    code, _, err = _run([*root.command("cortex-a53"), "-c", _TRIAL, *modules], environment)
    if code:
        said = (err.strip().splitlines() or [f"exit code {code}"])[-1]
        raise MissingError(f"The arm64 system does not run: {said[:200]}.")
    _, out, _ = _run([str(root.folder / "qemu-aarch64"), "--version"], environment)
    return (out.split() or ["?", "?", "unknown"])[2]


def _run(command: list[str], environment: Mapping[str, str]) -> tuple[int, str, str]:
    try:
        return run_bounded(command, _TRIAL_S, environment)
    except OSError as error:
        raise MissingError(f"QEMU cannot be started: {error.strerror}.") from error
    except (TimeoutError, TooMuchOutputError) as error:
        raise MissingError(f"The arm64 system does not run: {error or 'no answer'}.") from error


def _measured(folder: Path) -> tuple[int, int]:
    """Return how many files a folder has, but for its record, and their bytes."""
    sizes = [entry.stat(follow_symlinks=False).st_size for entry in _files(folder)]
    return len(sizes), sum(sizes)


def _files(folder: Path) -> Iterator[os.DirEntry[str]]:
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                yield from _files(Path(entry.path))
            elif entry.name != _RECORD:
                yield entry
