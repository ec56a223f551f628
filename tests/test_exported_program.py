"""Exported programs are loaded, and code in them never runs."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from affnet.artifact import Artifact
from affnet.errors import ArtifactError
from affnet.exported_program import load_exported_program
from tests.tiny import CLASSES


class Marker:
    """Unpickling it makes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Callable[..., object], tuple[str]]:
        return (io.open, (str(self.path), "w"))  # type: ignore[return-value]


def changed(source: Path, target: Path, change: Callable[[str, bytes], bytes]) -> Path:
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for name in old.namelist():
            new.writestr(name, change(name, old.read(name)))
    return target


def test_a_plain_program_is_loaded(tiny_pt2: Artifact) -> None:
    module = load_exported_program(tiny_pt2.path).module()
    assert module(torch.zeros(1, 3, 32, 32)).shape == (1, CLASSES)


def test_pickled_weights_are_refused_before_they_are_read(
    tiny_pt2: Artifact, tmp_path: Path
) -> None:
    marker = tmp_path / "ran"
    pickled = io.BytesIO()
    torch.save(Marker(marker), pickled)

    def plant(name: str, content: bytes) -> bytes:
        if name.endswith("weights_config.json"):
            config = json.loads(content)
            next(iter(config["config"].values()))["use_pickle"] = True
            return json.dumps(config).encode()
        return pickled.getvalue() if name.endswith("weights/weight_0") else content

    path = changed(tiny_pt2.path, tmp_path / "planted.pt2", plant)
    with pytest.raises(ArtifactError, match="pickled objects") as caught:
        load_exported_program(path)
    assert "stem.weight" in str(caught.value)
    assert not marker.exists()


def test_code_in_sample_inputs_is_refused(tiny_pt2: Artifact, tmp_path: Path) -> None:
    marker = tmp_path / "ran"
    pickled = io.BytesIO()
    torch.save(Marker(marker), pickled)
    path = changed(
        tiny_pt2.path,
        tmp_path / "planted.pt2",
        lambda name, content: pickled.getvalue() if "/sample_inputs/" in name else content,
    )
    with pytest.raises(ArtifactError, match="sample_inputs"):
        load_exported_program(path)
    assert not marker.exists()


@pytest.mark.parametrize("kept", [0, 10, 1000, 100_000])
def test_a_truncated_program_is_named_damaged(
    tiny_pt2: Artifact, tmp_path: Path, kept: int
) -> None:
    path = tmp_path / "cut.pt2"
    path.write_bytes(tiny_pt2.path.read_bytes()[:kept])
    with pytest.raises(ArtifactError, match="damaged or no exported program"):
        load_exported_program(path)


def test_a_checkpoint_is_no_program(tmp_path: Path) -> None:
    torch.save({"a": torch.zeros(3)}, tmp_path / "weights.pt2")
    with pytest.raises(ArtifactError, match="no exported program"):
        load_exported_program(tmp_path / "weights.pt2")
