"""What is said where an export replaces a file of another source."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

from affnet.artifact import Artifact, manifest_path
from affnet.export.replaced import replacement, sources_in


def test_only_another_source_is_worth_a_word(digits_onnx: Artifact, tmp_path: Path) -> None:
    path = tmp_path / digits_onnx.path.name
    shutil.copy(manifest_path(digits_onnx.path), manifest_path(path))
    (tmp_path / "other.onnx.manifest.json").write_text("no manifest")
    same = Artifact(path, digits_onnx.manifest)
    provenance = dataclasses.replace(same.manifest.provenance, location="/elsewhere/digits.pt")
    other = same.with_manifest(provenance=provenance)
    before = sources_in(tmp_path)
    assert replacement(before, same) is None
    assert replacement(before, other) == (
        f"{path} replaced the file of that name exported from digits; choose another --output to "
        "keep both."
    )
    assert replacement(sources_in(tmp_path / "new"), other) is None
