"""`build`: an artifact -> a folder that an app takes in, for a target."""

from __future__ import annotations

import dataclasses
import shlex
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from affnet.artifact import Artifact
from affnet.errors import UnknownNameError, UsageError
from affnet.files import publish, staging_folder, translating_os_errors
from affnet.package import android, cpp, ios, python, web
from affnet.package.golden import write_golden
from affnet.package.licences import licence_files
from affnet.runtimes import runtime_for
from affnet.templates.contract import Contract, contract_of


@dataclass(frozen=True)
class Target:
    """Where a package is taken in.  Its module writes what is its own."""

    #: By format: the package of the runtime, and the version that the package depends on.
    runtime: Callable[[Artifact], tuple[str, str] | None]
    write: Callable[[Contract, Path], None]  # all but the licences and, before, the golden test
    golden: str  # the folder of the golden test in it
    command: str  # that runs the golden test, of ``{folder}``
    formats: tuple[str, ...]  # that it runs, the usual one first
    kinds: tuple[str, ...]  # of devices, whose results say what it is fastest with
    others: str = ""  # what keeps it from running others, for people
    picture: str = ".jpg"  # of the golden test; ".png" where decoders of JPEG differ


_HOSTS = ("host", "ssh")
TARGETS = {
    "python": Target(
        python.runtime_of,
        python.write,
        python.GOLDEN,
        python.COMMAND,
        python.FORMATS,
        _HOSTS,
        python.OTHERS,
    ),
    "web": Target(
        web.runtime_of,
        web.write,
        web.GOLDEN,
        web.COMMAND,
        web.FORMATS,
        ("browser",),
        web.OTHERS,
    ),
    "cpp": Target(cpp.runtime_of, cpp.write, cpp.GOLDEN, cpp.COMMAND, cpp.FORMATS, _HOSTS),
    "android": Target(
        android.runtime_of,
        android.write,
        android.GOLDEN,
        android.COMMAND,
        android.FORMATS,
        ("adb",),
        picture=".png",
    ),
    "ios": Target(
        ios.runtime_of, ios.write, ios.GOLDEN, ios.COMMAND, ios.FORMATS, ("ios",), picture=".png"
    ),
}


@dataclass(frozen=True)
class Package:
    """A folder that was written."""

    folder: Path
    artifact: Path
    target: str
    runtime: str  # package and version
    command: str  # that runs its golden test

    def to_record(self) -> dict[str, str]:
        """Return the machine-readable form."""
        return {name: str(value) for name, value in dataclasses.asdict(self).items()}


def find_target(name: str) -> Target:
    """Return the target of a name.

    Raises:
        UnknownNameError: there is none.
    """
    if name not in TARGETS:
        raise UnknownNameError("target", name, TARGETS)
    return TARGETS[name]


def default_folder(path: Path, target: str) -> Path:
    """Return the folder of a package in this one: ``emoji-onnx-web``."""
    return Path(f"{path.stem}-{path.suffix.removeprefix('.')}-{target}")


def build(
    path: Path,
    target: str,
    folder: Path,
    threads: int,
    *,
    accelerator: str = "",
    measured: str = "",
) -> Package:
    """Write the package of an artifact into a new folder, whole or not at all.

    Args:
        path: the artifact.
        target: a name of `TARGETS`.
        folder: which must not exist.
        threads: what the model runs on unless the app says otherwise.
        accelerator: likewise, as `Contract.accelerator`.
        measured: what says that both are the fastest.

    Raises:
        UsageError: the folder exists, or the target does not run such a file.
        AffnetError: as `Artifact.open`, `contract_of` and `affnet.runtimes.Runtime.load`.
    """
    kind = find_target(target)
    if folder.exists():
        raise UsageError(
            f"{folder} exists, and a package is not written over anything",
            "name a new folder with --output of affnet package.",
        )
    artifact = Artifact.open(path)
    if (found := kind.runtime(artifact)) is None:
        reason = f" ({kind.others})" if kind.others else ""
        raise UsageError(
            f"{path} is in the format {artifact.manifest.format}, and a package for {target} "
            f"takes {' or '.join(kind.formats)}{reason}",
            f"export another file: affnet export SOURCE --format {kind.formats[0]}",
        )
    package, version = found
    name = runtime_for(artifact.manifest.format).name
    contract = contract_of(artifact, name, package, version, threads, accelerator, measured)
    with staging_folder(folder.absolute().parent) as staging, translating_os_errors(folder):
        made = staging / folder.name
        made.mkdir()
        write_golden(contract, made / kind.golden, kind.picture)
        kind.write(contract, made)
        for file, text in licence_files(contract).items():
            (made / file).write_text(text, encoding="utf-8")
        publish([made], folder.absolute().parent)
    command = kind.command.format(folder=shlex.quote(str(folder)))
    return Package(folder, path, target, f"{package} {version}", command)
