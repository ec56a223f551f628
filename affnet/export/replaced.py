"""Saying that an export replaced a file of another source."""

from __future__ import annotations

from pathlib import Path

from affnet.artifact import Artifact, Manifest, Provenance, manifest_path


def sources_in(folder: Path) -> dict[Path, Provenance]:
    """Return where the artifacts in ``folder`` come from, by the path of their manifest."""
    found = {}
    for path in folder.glob(manifest_path(Path("*")).name):
        try:
            manifest = Manifest.from_json(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):  # no manifest, or one of another version
            continue
        found[path] = manifest.provenance
    return found


def replacement(before: dict[Path, Provenance], artifact: Artifact) -> str | None:
    """Say which other source a file of ``artifact``'s name was exported from ``before``, if so."""
    old, new = before.get(manifest_path(artifact.path)), artifact.manifest.provenance
    if old is None or (old.kind, old.location) == (new.kind, new.location):
        return None
    return (
        f"{artifact.path} replaced the file of that name exported from {old.location}; choose "
        "another --output to keep both."
    )
