"""Packages of the npm registry, fetched once into a cache folder."""

from __future__ import annotations

import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from affnet.errors import AffnetError, MissingError


@dataclass(frozen=True)
class Package:
    """An exact version of a package; npm checks what it downloads against the registry's hash."""

    name: str
    version: str

    @property
    def archive(self) -> str:
        """The name that npm gives the archive."""
        return f"{self.name.lstrip('@').replace('/', '-')}-{self.version}.tgz"


def fetch(package: Package, cache: Path) -> Path:
    """Return the archive of ``package`` in ``cache``, downloaded if it is not there.

    Raises:
        MissingError: npm is not installed.
        AffnetError: npm could not download the package.
    """
    archive = cache / package.archive
    if archive.is_file():
        return archive
    npm = shutil.which("npm")
    if npm is None:
        raise MissingError(
            "Fetching the images needs npm, which is not installed; install Node.js (nodejs.org), "
            "or give a folder of your own images with --images."
        )
    partial = cache / "partial"  # renamed when it is whole
    partial.mkdir(parents=True, exist_ok=True)
    command = [npm, "pack", f"{package.name}@{package.version}", "--ignore-scripts", "--silent"]
    done = subprocess.run(command, cwd=partial, capture_output=True, text=True, check=False)
    if done.returncode != 0 or not (partial / package.archive).is_file():
        reason = (done.stderr.strip().splitlines() or ["no reason given"])[0]
        raise AffnetError(f"npm could not fetch {package.name}@{package.version}: {reason}")
    return (partial / package.archive).replace(archive)


def members(archive: Path, folder: str) -> Iterator[tuple[str, bytes]]:
    """Yield the names and contents of the files that lie directly in ``folder`` of an archive.

    A ``folder`` that is a file itself is yielded alone.
    """
    wanted = PurePosixPath("package") / folder
    with tarfile.open(archive) as tar:
        for member in tar:
            path = PurePosixPath(member.name)
            stream = tar.extractfile(member) if wanted in (path, path.parent) else None
            if stream is not None:
                yield path.name, stream.read()
