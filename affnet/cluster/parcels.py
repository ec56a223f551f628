"""Files that travel to the hosts of a cluster, once to each, known there by their content."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from affnet.artifact import Artifact, manifest_path
from affnet.cache import KINDS, FolderCache
from affnet.errors import MeasurementError
from affnet.files import companion, scratch_folder

_LIMIT_BYTES = 4e9


@dataclass(frozen=True)
class Parcel:
    """Files by the names that they have where they are sent; read only then."""

    files: tuple[tuple[str, Path], ...]
    key: str  # of their names and contents

    @classmethod
    def of(cls, paths: Iterable[Path]) -> Parcel:
        """Return the parcel of some files and folders, which will stand side by side."""
        return cls.named({path.name: path for path in paths})

    @classmethod
    def named(cls, paths: Mapping[str, Path]) -> Parcel:
        """Return the parcel of files and folders by their names there, with slashes."""
        files = tuple(sorted(_files(paths)))
        digest = hashlib.sha256()
        for name, path in files:
            content = hashlib.sha256(path.read_bytes()).hexdigest()
            digest.update(f"{name}\0{content}\n".encode())
        return cls(files, digest.hexdigest())

    @classmethod
    def of_artifact(cls, artifact: Artifact) -> Parcel:
        """Return the parcel of an artifact: with its weights and its manifest, where it has one."""
        beside = (companion(artifact.path), manifest_path(artifact.path))
        return cls.of([artifact.path, *(path for path in beside if path and path.exists())])

    def contents(self) -> dict[str, bytes]:
        """Return the files by their names, with slashes."""
        return {name: path.read_bytes() for name, path in self.files}


def _files(paths: Mapping[str, Path]) -> Iterator[tuple[str, Path]]:
    for name, path in paths.items():
        if not path.is_dir():
            yield name, path
            continue
        for inner in path.rglob("*"):
            if inner.is_file():
                yield f"{name}/{inner.relative_to(path).as_posix()}", inner


def missing(keys: Iterable[str]) -> list[str]:
    """Return those of ``keys`` that this host does not have."""
    return [key for key in keys if not _cache().has(key)]


def keep(key: str, contents: Mapping[str, bytes]) -> None:
    """Keep a parcel on this host."""
    with scratch_folder() as folder:
        write_files(contents, folder)
        _cache().keep(key, sorted(folder.iterdir()))


def unpack(keys: Iterable[str], folder: Path) -> None:
    """Copy parcels into ``folder``, each into a folder that is called like its key.

    Raises:
        MeasurementError: one is not here, or no longer whole.
    """
    for key in keys:
        (folder / key).mkdir()
        if not _cache().take(key, folder / key):
            raise MeasurementError("A file that was sent to this host is gone", "run it again.")


def write_files(contents: Mapping[str, bytes], folder: Path) -> None:
    """Write files below ``folder``, none beside it.

    Raises:
        MeasurementError: a name leads elsewhere.
    """
    for name, content in contents.items():
        parts = PurePosixPath(name).parts
        if not parts or PurePosixPath(name).is_absolute() or ".." in parts:
            raise MeasurementError(f"A file is called {name!r}, which leads elsewhere.")
        path = folder.joinpath(*parts)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def _cache() -> FolderCache:
    return FolderCache(KINDS["cluster"].location(), _LIMIT_BYTES)
