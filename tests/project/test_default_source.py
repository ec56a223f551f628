"""Which model is meant where none is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from affnet.errors import UsageError
from affnet.project.default_source import choose_source, find_checkpoints


def test_the_only_checkpoint_is_taken(tmp_path: Path) -> None:
    (tmp_path / "best.pt").touch()
    (tmp_path / "config.yaml").touch()
    choice = choose_source(None, tmp_path)
    assert choice.source == str(tmp_path / "best.pt")
    assert choice.sentence() == (
        f"No SOURCE given: using {tmp_path}/best.pt, the only checkpoint in this folder."
    )


def test_without_a_checkpoint_it_is_the_bundled_network(tmp_path: Path) -> None:
    choice = choose_source(None, tmp_path)
    assert (choice.source, choice.bundled) == ("emoji", True)
    assert "the bundled trained network" in choice.sentence()


def test_several_checkpoints_are_listed(tmp_path: Path) -> None:
    for name in ("b.safetensors", "a.pt"):
        (tmp_path / name).touch()
    with pytest.raises(UsageError) as caught:
        choose_source(None, tmp_path)
    assert str(caught.value) == (
        "There are 2 checkpoints in this folder, a.pt, b.safetensors; name one as SOURCE, or in a "
        "project file: affnet init --source FILE."
    )


def test_an_exported_program_and_a_folder_are_no_checkpoints(tmp_path: Path) -> None:
    for name in ("mine.pt2", "exported.pt2", "exported.pt2.manifest.json", "notes.txt"):
        (tmp_path / name).touch()
    (tmp_path / "folder.pt").mkdir()
    assert find_checkpoints(tmp_path) == [tmp_path / "mine.pt2"]
