"""What of affnet is installed: its extras, and packages whose versions cannot work together.

All of it is read from the metadata that pip leaves, and nothing is imported: what is broken can
then be said without being run into.
"""

from __future__ import annotations

import functools
import platform
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from types import TracebackType
from typing import Any

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion

from affnet.errors import MissingError

_ITSELF = "affnet"
_TESTED = "Programming Language :: Python :: "  # how classifiers name versions of Python
COMPLETE, HALF, OUTDATED, MISSING = "complete", "half installed", "outdated", "missing"


@dataclass(frozen=True)
class Package:
    """A distribution that affnet requires, and what of it is installed."""

    name: str
    wanted: str  # a specifier, "" for any version
    version: str | None  # None where it is not installed

    @property
    def fits(self) -> bool:
        """Whether it is installed in a version that will do."""
        return self.version is not None and _allows(self.wanted, self.version)

    def problem(self) -> str:
        """Return what is wrong with it, a clause."""
        if self.version is None:
            return f"{self.name} is not installed"
        return f"{self.name} {self.wanted} is needed, but {self.version} is installed"


@dataclass(frozen=True)
class Extra:
    """An extra of affnet."""

    name: str
    packages: tuple[Package, ...]
    state: str

    @property
    def command(self) -> str:
        """What completes it."""
        upgrade = "--upgrade " if self.state == OUTDATED else ""
        return f"pip install {upgrade}'{_ITSELF}[{self.name}]'"

    @property
    def lacking(self) -> tuple[Package, ...]:
        """Its packages that are missing or too old."""
        return tuple(package for package in self.packages if not package.fits)


@dataclass(frozen=True)
class Mismatch:
    """A package that requires of another what is not installed."""

    package: str
    version: str
    other: Package

    def problem(self) -> str:
        """Return it as a sentence without its full stop."""
        found = self.other.version
        what = f"{found} is installed" if found else "that is not installed"
        wanted = f"{self.other.name} {self.other.wanted}".strip()
        return f"{self.package} {self.version} requires {wanted}, but {what}"

    @property
    def command(self) -> str:
        """What lets pip choose versions of both that go together."""
        return f"pip install --upgrade {self.package} '{self.other.name}{self.other.wanted}'"


def extra_of(distribution: str) -> Extra | None:
    """Return the first extra that brings a distribution."""
    key = canonicalize_name(distribution)
    return next((one for one in extras() if key in map(_key, one.packages)), None)


def version_of(distribution: str) -> str | None:
    """Return the version of a distribution, None where it is not installed."""
    known = _metadata(canonicalize_name(distribution))
    return known["Version"] if known else None


@functools.cache
def core() -> tuple[Package, ...]:
    """Return what affnet itself requires; nothing of a checkout that is not installed."""
    return tuple(map(_package, _required_by(_ITSELF)))


@functools.cache
def extras() -> tuple[Extra, ...]:
    """Return the extras, but for those that are made of others, such as ``all``."""
    wanted = {name: _own(name) for name in _extra_names()}
    brought = _closure(map(_key, core()))  # torch brings jinja2, of which "report" is not half
    for packages in wanted.values():
        if all(package.fits for package in packages):
            brought |= _closure(map(_key, packages))
    return tuple(
        Extra(name, packages, _state(packages, brought)) for name, packages in wanted.items()
    )


def mismatches() -> tuple[Mismatch, ...]:
    """Return what the installed packages that affnet uses require of each other and lack."""
    used = [*core(), *(package for extra in extras() for package in extra.packages)]
    return tuple(
        Mismatch(name, version, other)
        for name in sorted(_closure(map(_key, used)) - {_ITSELF})
        if (version := version_of(name)) is not None
        for other in map(_package, _required_by(name))
        if not other.fits
    )


def record() -> dict[str, Any]:
    """Return the machine-readable form."""
    return {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "packages": {package.name: package.version for package in core()},
        "extras": {
            extra.name: {
                "state": extra.state,
                "packages": {package.name: package.version for package in extra.packages},
            }
            for extra in extras()
        },
    }


def python_problem() -> str | None:
    """Return what speaks against this Python, a clause; None where it is one of those tested."""
    known = _metadata(_ITSELF)
    if known is None:
        return None
    here = ".".join(map(str, sys.version_info[:2]))
    wanted = known["Requires-Python"] or ""
    if not _allows(wanted, ".".join(map(str, sys.version_info[:3]))):
        return f"affnet needs Python {wanted}, and this is {here}"
    classifiers = known.get_all("Classifier") or []
    tested = [c.removeprefix(_TESTED) for c in classifiers if c.startswith(f"{_TESTED}3.")]
    if tested and here not in tested:
        return f"affnet was tested on Python {', '.join(tested)} only, and this is {here}"
    return None


def mismatch_behind(error: BaseException) -> MissingError | None:
    """Return the error to show instead of one that packages of two minds have raised, if they have.

    Only such packages count as the error's traceback runs through, or as it could not import.
    """
    here = version_of(_ITSELF) or ""
    own = [Mismatch(_ITSELF, here, package) for package in core() if not package.fits]
    if not (suspects := [*own, *mismatches()]):
        return None
    known, passed = metadata.packages_distributions(), _modules_of(error)
    names = {canonicalize_name(name) for module in passed for name in known.get(module, [module])}
    for one in suspects:
        if canonicalize_name(one.other.name if one in own else one.package) in names:
            return MissingError(one.problem(), f"run: {one.command}")
    return None


def _modules_of(error: BaseException | None) -> set[str]:
    """Return the top-level modules whose code an error and its causes come from."""
    found: set[str] = set()
    seen: list[BaseException] = []
    while error is not None and error not in seen:
        seen.append(error)
        if isinstance(error, ImportError) and error.name:
            found.add(error.name.partition(".")[0])
        trace: TracebackType | None = error.__traceback__
        while trace is not None:
            found.add(str(trace.tb_frame.f_globals.get("__name__")).partition(".")[0])
            trace = trace.tb_next
        error = error.__cause__ or error.__context__
    return found


def _extra_names() -> list[str]:
    """Return the names of the extras that are not made of others, named or listed anew."""
    known = _metadata(_ITSELF)
    named = known.get_all("Provides-Extra") or [] if known else []
    brought = {name: set(map(_key, _own(name))) for name in named}
    return [name for name, packages in brought.items() if not _is_made_of_others(packages, brought)]


def _is_made_of_others(packages: set[str], brought: Mapping[str, set[str]]) -> bool:
    """Return whether an extra names others, or as some tools write it lists what they bring."""
    parts = [one for one in brought.values() if one and one < packages]
    return _ITSELF in packages or len(parts) > 1


def _own(extra: str) -> tuple[Package, ...]:
    """Return what an extra brings on this system, ``psycopg[binary]`` with what that brings."""
    asked = _brought_by(_ITSELF, extra)
    theirs = [one for r in asked for part in r.extras for one in _brought_by(r.name, part)]
    return tuple(map(_package, [*asked, *theirs]))


def _state(packages: Sequence[Package], brought: set[str]) -> str:
    present = [package for package in packages if package.version is not None]
    if not all(package.fits for package in present):
        return OUTDATED
    if len(present) == len(packages):
        return COMPLETE
    return HALF if any(_key(package) not in brought for package in present) else MISSING


def _closure(names: Iterable[str]) -> set[str]:
    """Return the installed ones of some distributions, and of all that they require."""
    found: set[str] = set()
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name not in found and version_of(name) is not None:
            found.add(name)
            waiting += [canonicalize_name(requirement.name) for requirement in _required_by(name)]
    return found


def _required_by(distribution: str) -> list[Requirement]:
    """Return what a distribution requires on this system, without any extra."""
    return [one for one in _declared(distribution) if _applies(one, "")]


def _brought_by(distribution: str, extra: str) -> list[Requirement]:
    """Return what an extra of a distribution brings on this system."""
    declared = _declared(distribution)
    return [one for one in declared if _applies(one, extra) and not _applies(one, "")]


def _applies(requirement: Requirement, extra: str) -> bool:
    return requirement.marker is None or requirement.marker.evaluate({"extra": extra})


@functools.cache
def _declared(distribution: str) -> tuple[Requirement, ...]:
    known = _metadata(canonicalize_name(distribution))
    try:
        return tuple(map(Requirement, known.get_all("Requires-Dist") or ())) if known else ()
    except InvalidRequirement:  # of another's package
        return ()


@functools.cache
def _metadata(distribution: str) -> metadata.PackageMetadata | None:
    try:
        return metadata.metadata(distribution)
    except metadata.PackageNotFoundError:
        return None


def _package(requirement: Requirement) -> Package:
    return Package(requirement.name, str(requirement.specifier), version_of(requirement.name))


def _key(package: Package) -> str:
    return canonicalize_name(package.name)


def _allows(specifier: str, version: str) -> bool:
    """Return whether a version will do, pre-releases too; an odd one is taken to."""
    try:
        return SpecifierSet(specifier).contains(version, prereleases=True)
    except InvalidVersion:
        return True
