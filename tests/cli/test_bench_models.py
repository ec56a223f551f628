"""What ``affnet bench`` exports where sources are named: peers at the size of their models."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from affnet.artifact import Artifact, image_spec
from affnet.commands.bench_models import export_jobs
from affnet.errors import ImageSizeError
from affnet.export import open_or_export as opening
from affnet.project.default_models import pair_with_peers
from tests.bench.fakes import an_artifact

SIZES = {"mine": (288, 288), "other": (96, 64)}  # their own
Exported = dict[str, tuple[int, int]]


@pytest.fixture
def exported(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Exported:
    """The image size of each model that is exported; the one called picky takes 256 x 256 only."""
    found: Exported = {}

    def open_or_export(name: str, _format: str, size: Any, *_: Any, **__: Any) -> Artifact:
        if name == "picky" and size not in (None, (256, 256)):
            raise ImageSizeError("picky takes 256 x 256.")
        found[name] = size or SIZES.get(name, (256, 256))
        return an_artifact(name, tmp_path, inputs=(image_spec(*found[name]),))

    monkeypatch.setattr(opening, "open_or_export", open_or_export)
    return found


def test_a_peer_is_exported_at_the_size_of_its_model(exported: Exported, tmp_path: Path) -> None:
    chosen = pair_with_peers(["mine", "other"], ["peer,second", "other:third"])
    (jobs,) = export_jobs(chosen, ["onnxruntime"], "auto", tmp_path, print).values()
    large, small = (288, 288), (96, 64)
    assert exported == {
        "mine": large, "other": small, "peer": large, "second": large, "third": small,
    }  # fmt: skip
    assert [job.label for job in jobs] == ["mine", "other", "peer", "second", "third"]


def test_one_that_cannot_take_it_keeps_its_own(exported: Exported, tmp_path: Path) -> None:
    said = list[str]()
    chosen = pair_with_peers(["mine"], ["picky"])
    export_jobs(chosen, ["onnxruntime"], "auto", tmp_path, said.append)
    assert exported == {"mine": (288, 288), "picky": (256, 256)}
    assert said == ["picky is exported at its own size: picky takes 256 x 256."]


def test_a_size_that_is_given_is_that_of_all(exported: Exported, tmp_path: Path) -> None:
    chosen = dataclasses.replace(pair_with_peers(["mine"], ["peer"]), image_size=(128, 128))
    export_jobs(chosen, ["onnxruntime"], "auto", tmp_path, print)
    assert exported == {"mine": (128, 128), "peer": (128, 128)}
