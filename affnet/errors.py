"""Every exception that affnet raises on purpose.

::

    AffnetError                    exit code 1: the job was not finished, or a check failed
    ├── UsageError                 exit code 2: the request or its input is wrong
    │   ├── UnknownNameError       a name that no registry holds; the message lists the valid ones
    │   ├── ImageSizeError         an image size the network cannot take
    │   ├── ConfigError            a training config that cannot be read or contradicts itself
    │   ├── LabelsError            class names that cannot be those of a network
    │   ├── CheckpointError        a file that is no checkpoint, or not one of this network
    │   ├── ArtifactError          an artifact without, or at odds with, its manifest
    │   ├── DatasetError           labelled images that are missing, mislabelled or cannot be read
    │   ├── ProjectError           a project file that cannot be read, or is wrong
    │   ├── CatalogError           an invalid device catalog
    │   ├── BudgetError            an invalid budget file, or a budget the results cannot decide
    │   ├── ResultsError           stored results that cannot be read, or cannot be compared
    │   └── StoreError             a store of results that cannot be opened, read or written
    ├── MissingError               exit code 3: a package, tool, runtime or device is missing
    │   ├── UnreachableError       a device that does not answer, or does not let us in
    │   └── UntimedError           a runtime that computes here, but whose time says nothing
    ├── OutputError                the result could not be written (rights, disk full)
    ├── ConversionError            a converter could not express the network
    │   └── RewriteError           an operator has no form in real arithmetic, on no route
    ├── UnsupportedOperatorError   an artifact holds an operator that a runtime here cannot execute
    ├── VerificationError          the artifact ran but disagrees with PyTorch
    ├── StoreLostError             a store of results that stopped answering, or is in use
    ├── AccuracyError              a precision costs more accuracy than is allowed
    └── MeasurementError           a measuring process failed, hung or returned nonsense
        ├── ConnectionLostError    a device went away while it was in use
        └── DeviceSpaceError       a device has no space for what measuring needs

An error has a problem, one sentence that names the thing and the value, and where there is one a
remedy, an imperative with the exact command.  `to_wire` carries both, and the class, to a process.
"""

from __future__ import annotations

import difflib
import functools
import importlib.util
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

_MAX_REASON = 300  # characters
_FULL_STOP = re.compile(r"(?<=[^\s.])\.$")  # the folder "." is none
_ANSI_CODE = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]")


def printable(text: str) -> str:
    """Return a text with a space for each line break and other character that prints nothing."""
    return "".join(letter if letter.isprintable() else " " for letter in text)


class AffnetError(Exception):
    """Root of the tree: one line, whatever the file or the device that it quotes holds.

    ``problem`` has no full stop, whether or not it was given with one.  ``remedy`` is kept as it is
    given: it ends with a full stop unless it ends with a command to copy.
    """

    exit_code = 1
    problem: str
    remedy: str | None

    def __init__(self, problem: str, remedy: str | None = None) -> None:
        problem = printable(problem)
        self.problem = _FULL_STOP.sub("", problem)
        self.remedy = remedy if remedy is None else printable(remedy)
        super().__init__(problem if remedy is None else f"{self.problem}; {self.remedy}")


class UsageError(AffnetError):
    """The request or its input is wrong."""

    exit_code = 2


class UnknownNameError(UsageError):
    """A name that no registry holds."""

    def __init__(self, kind: str, name: str | None, valid: Iterable[str]) -> None:
        super().__init__(f"Unknown {kind} {name!r}; valid: {', '.join(valid)}.")


class ImageSizeError(UsageError):
    """An image size the network cannot take."""


class ConfigError(UsageError):
    """A training config that cannot be read or contradicts itself."""


class LabelsError(UsageError):
    """Class names that cannot be those of a network."""


class CheckpointError(UsageError):
    """A file that is no checkpoint, or not one of this network."""


class ArtifactError(UsageError):
    """An artifact without, or at odds with, its manifest."""


class DatasetError(UsageError):
    """Labelled images that are missing, mislabelled, or cannot be read."""


class ProjectError(UsageError):
    """A project file that cannot be read, or is wrong."""


class BudgetError(UsageError):
    """An invalid budget file, or a budget that the results cannot decide."""


class ResultsError(UsageError):
    """Stored results that cannot be read, or cannot be compared with others."""


class StoreError(UsageError):
    """A store of results that cannot be opened, read or written."""


class CatalogError(UsageError):
    """An invalid device catalog."""


class MissingError(AffnetError):
    """A package, tool, runtime or device is missing."""

    exit_code = 3


class UnreachableError(MissingError):
    """A device that does not answer, or does not let us in."""


class UntimedError(MissingError):
    """A runtime that computes here, but whose time says nothing."""


class OutputError(AffnetError):
    """The result could not be written."""


class ConversionError(AffnetError):
    """A converter could not express the network."""


class RewriteError(ConversionError):
    """An operator on complex values has no form in real arithmetic here, whatever the route."""


class UnsupportedOperatorError(AffnetError):
    """An artifact holds an operator that a runtime here cannot execute."""


class VerificationError(AffnetError):
    """The artifact ran but disagrees with PyTorch."""


class StoreLostError(AffnetError):
    """A store of results that does not answer, or that another process is using."""


class AccuracyError(AffnetError):
    """A precision costs more accuracy than is allowed.

    ``attempts`` are the files that were judged: how many parts of each stayed in float32, and how
    many points of top-1 accuracy it lost.
    """

    def __init__(self, message: str, attempts: Iterable[tuple[int, float]] = ()) -> None:
        super().__init__(message)
        self.attempts: tuple[tuple[int, float], ...] = tuple(attempts)


class MeasurementError(AffnetError):
    """A measuring process failed, hung or returned nonsense."""


class ConnectionLostError(MeasurementError):
    """A device went away while it was in use."""


class DeviceSpaceError(MeasurementError):
    """A device has no space for what measuring needs."""


def to_wire(error: AffnetError) -> dict[str, Any]:
    """Return an error as JSON, to be raised again in another process by `from_wire`."""
    kinds = [kind.__name__ for kind in type(error).__mro__ if issubclass(kind, AffnetError)]
    fields = {name: value for name, value in vars(error).items() if name != "__notes__"}
    return {"kinds": kinds, "message": str(error), "fields": fields}


def from_wire(content: Mapping[str, Any]) -> AffnetError:
    """Return the error that `to_wire` described, of the nearest of its classes known here.

    Raises:
        KeyError, TypeError: ``content`` describes none.
    """
    kinds, message = content["kinds"], content["message"]
    if not isinstance(message, str) or not isinstance(content["fields"], dict):
        raise TypeError
    known = {kind.__name__: kind for kind in _descendants(AffnetError)}
    kind = next((known[name] for name in kinds if name in known), AffnetError)
    error = kind.__new__(kind)  # not all are made of a problem and a remedy
    AffnetError.__init__(error, message)
    vars(error).update(content["fields"])
    return error


def _descendants(kind: type[AffnetError]) -> Iterator[type[AffnetError]]:
    yield kind
    for child in kind.__subclasses__():
        yield from _descendants(child)


def require(
    package: str, *, extra: str | None, purpose: str, distribution: str | None = None
) -> None:
    """Raise `MissingError` with the exact pip command unless ``package`` is there, and new enough.

    ``extra`` is the extra of affnet that brings the package, None where affnet itself requires it;
    ``distribution`` is what brings a module of another name.
    """
    target = f"affnet[{extra}]" if extra else "affnet"
    if not _is_there(package):
        raise MissingError(
            f"{purpose} needs the package {distribution or package!r}, which is not installed",
            f"run: pip install '{target}'",
        )
    if outdated := _outdated(distribution or package.replace("_", "-")):
        raise MissingError(f"{purpose} needs {outdated}", f"run: pip install --upgrade '{target}'")


def _is_there(package: str) -> bool:
    """Return whether a module can be imported; of one half removed only folders are left."""
    try:
        spec = importlib.util.find_spec(package)
    except (ImportError, ValueError):  # ValueError: a None entry in sys.modules blocks the import
        return False
    if spec is None or spec.origin is not None:
        return spec is not None
    return any(any(Path(f).rglob("*.py")) for f in spec.submodule_search_locations or ())


@functools.cache
def _outdated(distribution: str) -> str | None:
    """Say what affnet requires of a distribution and what is installed, if that is older."""
    from importlib import metadata  # takes a tenth of what `affnet --help` may

    try:
        from packaging.requirements import Requirement
        from packaging.utils import canonicalize_name

        installed = metadata.version(distribution)
        declared = map(Requirement, metadata.requires("affnet") or ())
    except ImportError:  # a checkout, a module of another name, or a board that runs a part of this
        return None
    for requirement in declared:
        if canonicalize_name(requirement.name) == canonicalize_name(distribution):
            if not requirement.specifier.contains(installed, prereleases=True):
                return f"{distribution} {requirement.specifier}, but {installed} is installed"
            return None
    return None


def suggestion(name: str, valid: Iterable[str]) -> str:
    """Return the end of a sentence that names what is valid: the nearest, if one is near."""
    near = difflib.get_close_matches(name, names := list(valid), 1)
    return f"; did you mean {near[0]!r}?" if near else f"; valid: {', '.join(names)}"


def first_line(error: BaseException) -> str:
    """Return the first line of an error's message without its full stop, or its kind."""
    return (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")


def reason_of(error: BaseException) -> str:
    """Return the innermost reason that a library gives for an error: one line, no full stop.

    Libraries wrap their errors: the message of torch.onnx is advice ("Next steps: ..."), and the
    operator that it lacks is named two causes below.  A message of fewer than two words, such as a
    `KeyError`'s, is taken only where there is no other; that of an `AffnetError` is final.
    """
    for cause in reversed(_causes(error)):
        for line in _plain_lines(str(cause)):
            if len(line.split()) > 1:
                return line
    kind, line = type(error).__name__, next(_plain_lines(str(error)), "")
    if not line:
        return kind
    return f"{kind}: {line}" if isinstance(error, KeyError) else line


def _causes(error: BaseException) -> list[BaseException]:
    """Return the error and, outermost first, what it was raised from."""
    chain = [error]
    while not isinstance(chain[-1], AffnetError):
        cause = chain[-1].__cause__
        if cause is None and not str(chain[-1]).strip():  # it says nothing: what it interrupted may
            cause = chain[-1].__context__
        if cause is None or cause in chain:
            break
        chain.append(cause)
    return chain


def _plain_lines(text: str) -> Iterator[str]:
    """Yield the lines with a word in them, without colours and control characters, shortened."""
    for line in _ANSI_CODE.sub("", text).splitlines():
        plain = " ".join(printable(line).split()).removesuffix('."').rstrip(".: ")
        if any(map(str.isalnum, plain)):
            yield plain if len(plain) <= _MAX_REASON else plain[: _MAX_REASON - 2] + " …"
