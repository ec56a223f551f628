"""The files that make up an artifact where others take it: all that is signed and published."""

from __future__ import annotations

from pathlib import Path

from affnet.artifact import Artifact, manifest_path
from affnet.files import all_files

_SUFFIX = ".sig"


def signature_path(artifact: Path) -> Path:
    """Return where the signature of ``artifact`` stands."""
    return artifact.parent / (artifact.name + _SUFFIX)


def has_signature(artifact: Path) -> bool:
    """Return whether a signature stands beside ``artifact``, which may be a path of no file."""
    try:
        return signature_path(artifact).is_file()
    except (OSError, ValueError):  # too long a name, or one that no file can have
        return False


def signed_files(path: Path) -> dict[str, Path]:
    """Return the artifact's files and its manifest, by their names relative to its folder."""
    parts = [*all_files(path), manifest_path(path)]
    files = [
        file
        for part in parts
        for file in (sorted(part.rglob("*")) if part.is_dir() else [part])
        if file.is_file()
    ]
    return {file.relative_to(path.parent).as_posix(): file for file in files}


def contents(artifact: Artifact) -> dict[str, Path]:
    """Return what is published of an artifact: its files, its manifest, its signature if any."""
    signature = signature_path(artifact.path)
    signed = signed_files(artifact.path)
    return {**signed, signature.name: signature} if has_signature(artifact.path) else signed
