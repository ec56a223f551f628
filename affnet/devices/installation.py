"""What this installation can do, step by step, as `affnet doctor` says it.

Nothing that it speaks of is imported, and no device is asked.
"""

from __future__ import annotations

import importlib.machinery
import importlib.util
import os
import platform
import shlex
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from affnet import __version__, installed
from affnet.cache import FOLDER_VARIABLE, KINDS, cache_folder
from affnet.devices.base import Check
from affnet.errors import AffnetError
from affnet.units import GIGABYTES, MEGABYTES

_LEAST_FREE_BYTES = 2e9  # an export for ExecuTorch, its converter's copies included, and some room


def checks(devices_file: Path | None = None) -> Iterator[Check]:
    """Yield one step after the other; those that are not needed are for some formats or devices."""
    yield Check("affnet", True, f"{__version__}, in {Path(__file__).parents[1]}")
    yield _python()
    yield (core := _core())
    yield from _bytecode()
    yield from map(_extra, installed.extras())
    for mismatch in installed.mismatches():
        yield Check("versions", False, mismatch.problem(), mismatch.command)
    if core.passed:  # what follows needs numpy
        yield from _runtimes()
        yield from _devices(devices_file)
    yield from _disk()


def _python() -> Check:
    here = f"{platform.python_version()}, {sys.executable}"
    if problem := installed.python_problem():
        return Check("Python", False, f"{here}: {problem}", "use one of those.", needed=False)
    return Check("Python", True, f"{here}, on {platform.system()} {platform.machine()}")


def _core() -> Check:
    packages = installed.core()
    if lacking := "; ".join(package.problem() for package in packages if not package.fits):
        return Check("core", False, lacking, "pip install --upgrade affnet")
    return Check("core", True, _versions(packages) or "a folder that is not installed")


def _bytecode() -> Iterator[Check]:
    """Yield a step where each command compiles anew all that it imports, PyTorch first of all.

    uv compiles nothing when it installs, and images of containers often let Python keep nothing.
    """
    torch = importlib.machinery.PathFinder.find_spec("torch")
    if torch is None or torch.origin is None:
        return
    kept = Path(importlib.util.cache_from_source(torch.origin))
    writable = os.access(_existing(kept.parent), os.W_OK) and not sys.dont_write_bytecode
    if not kept.exists() and not writable:
        detail = "PyTorch is compiled anew by each command, which may not keep the bytecode"
        packages = str(Path(torch.origin).parents[1])
        remedy = shlex.join([sys.executable, "-m", "compileall", "-q", packages])
        yield Check("bytecode", False, detail, remedy, needed=False)


def _extra(extra: installed.Extra) -> Check:
    step = f"extra {extra.name}"
    if extra.state == installed.COMPLETE:
        return Check(step, True, _versions(extra.packages))
    lacking = "; ".join(package.problem() for package in extra.lacking)
    wrong = extra.state == installed.OUTDATED
    return Check(step, False, f"{extra.state}: {lacking}", extra.command, needed=wrong)


def _versions(packages: Iterable[installed.Package]) -> str:
    return ", ".join(f"{package.name} {package.version}" for package in packages)


def _runtimes() -> Iterator[Check]:
    from affnet.runtimes import RUNTIMES, check_measurable, get_runtime

    for name in RUNTIMES:
        runtime = get_runtime(name)
        step, version = f"runtime {name}", installed.version_of(runtime.distribution)
        if version is None:
            extra = installed.extra_of(runtime.distribution)
            detail = f"{runtime.distribution} is not installed"
            yield Check(step, False, detail, extra.command if extra else None, needed=False)
            continue
        try:
            check_measurable(runtime)
            limits = ""
        except AffnetError:
            limits = ", to prove files; its time says nothing here"
        yield Check(step, True, f"{version}, runs *{runtime.suffix}{limits}")


def _devices(devices_file: Path | None) -> Iterator[Check]:
    from affnet.devices.android.adb_client import find_adb
    from affnet.devices.browser.executable import find_browser
    from affnet.devices.browser.npm_packages import find_npm
    from affnet.devices.catalog import load_catalog

    def names() -> str:
        return ", ".join(load_catalog(devices_file))

    yield _found("devices", names, needed=True)
    yield _found("for phones", find_adb)
    yield _found("for browsers", lambda: find_browser(None, ""))
    yield _found("for browsers", find_npm)


def _found(step: str, find: Callable[[], str], *, needed: bool = False) -> Check:
    try:
        return Check(step, True, find())
    except AffnetError as error:
        return Check.failed(step, error, needed=needed)


def _disk() -> Iterator[Check]:
    kept = sum(kind.size() for kind in KINDS.values())
    yield Check("cache", True, f"{MEGABYTES.text(kept)} in {cache_folder()}")
    for folder, variable in ((cache_folder(), FOLDER_VARIABLE), (_temporary(), "TMPDIR")):
        free = shutil.disk_usage(_existing(folder)).free
        detail, remedy = f"{GIGABYTES.text(free)} free for {folder}", f"set {variable} to another."
        yield Check("disk", free >= _LEAST_FREE_BYTES, detail, remedy, needed=False)


def _temporary() -> Path:
    return Path(tempfile.gettempdir())


def _existing(folder: Path) -> Path:
    """Return a folder, or the nearest above it that is there."""
    return next(path for path in (folder, *folder.parents) if path.is_dir())
