"""Saying that an export replaced a file of another source."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from affnet.reading import read_text

if TYPE_CHECKING:  # the command line imports this module, and answers --help without numpy
    from affnet.artifact import Artifact, Provenance


def sources_in(folder: Path) -> dict[Path, Provenance]:
    """Return where the artifacts in ``folder`` come from, by the path of their manifest."""
    from affnet.artifact import Manifest, manifest_path

    found = {}
    for path in folder.glob(manifest_path(Path("*")).name):
        try:
            manifest = Manifest.from_json(read_text(path))
        except (OSError, ValueError):  # no manifest, or one of another version
            continue
        found[path] = manifest.provenance
    return found


def replacement(before: Mapping[Path, Provenance], artifact: Artifact) -> str | None:
    """Say which other source a file of ``artifact``'s name was exported from ``before``, if so."""
    from affnet.artifact import manifest_path

    old, new = before.get(manifest_path(artifact.path)), artifact.manifest.provenance
    if old is None or (old.kind == new.kind and _alike(old.location, new.location)):
        return None
    return (
        f"{artifact.path} replaced the file of that name exported from {old.location}; choose "
        "another --output to keep both."
    )


def _alike(old: str, new: str) -> bool:
    """Compare two locations; before manifests named no folders, those of files were absolute."""
    return old == new or (Path(old).is_absolute() and Path(old).name == Path(new).name)
