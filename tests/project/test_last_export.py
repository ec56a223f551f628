"""What was exported last from a folder, and what is taken where that is not one thing."""

from __future__ import annotations

from pathlib import Path

import pytest

from affnet.errors import UsageError
from affnet.project import last_export as module
from affnet.project.last_export import last_export, remember_exports


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    record = tmp_path / "cache" / "exports.json"
    monkeypatch.setattr(module, "_record_path", lambda: record)
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def artifact(folder: Path, name: str) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / name).touch()
    (folder / f"{name}.manifest.json").touch()
    return folder / name


def test_what_was_exported_last_is_taken_wherever_it_went(here: Path, tmp_path: Path) -> None:
    remember_exports([artifact(here / "build", "a.onnx")])
    remember_exports([artifact(here / "build", "b.onnx")])
    assert last_export(Path()) == (Path("build/b.onnx"), "exported last from this folder")
    elsewhere = artifact(tmp_path / "elsewhere", "c.onnx")
    remember_exports([elsewhere])
    assert last_export(Path())[0] == elsewhere


def test_of_another_folder_nothing_is_taken(
    here: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    remember_exports([artifact(here, "a.onnx")])
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match="nothing was exported from this folder; name a file"):
        last_export(Path())


def test_without_a_record_it_is_the_only_artifact(here: Path) -> None:
    artifact(here, "a.onnx")
    assert last_export(Path()) == (Path("a.onnx"), "the only artifact in here")
    artifact(here, "b.tflite")
    with pytest.raises(UsageError, match=r"there are 2: a\.onnx, b\.tflite; name one"):
        last_export(Path())


def test_of_several_formats_none_is_meant(here: Path) -> None:
    remember_exports([artifact(here, "a.onnx"), artifact(here, "a.tflite")])
    with pytest.raises(UsageError, match=r"there are 2: a\.onnx, a\.tflite"):
        last_export(Path())
    (here / "a.tflite").unlink()
    assert last_export(Path())[0] == Path("a.onnx")


@pytest.mark.parametrize("text", ["no JSON", "[]", '{"schema": 2}', '{"schema": 1, "folders": 3}'])
def test_a_damaged_record_counts_as_none(here: Path, tmp_path: Path, text: str) -> None:
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "exports.json").write_text(text)
    remember_exports([artifact(here, "a.onnx")])
    assert last_export(Path())[0] == Path("a.onnx")


def test_a_cache_that_cannot_be_written_is_no_error(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_record_path", lambda: Path("/proc/none/exports.json"))
    remember_exports([artifact(here, "a.onnx")])
    assert last_export(Path()) == (Path("a.onnx"), f"the only artifact in {here.name}")


def test_folders_are_kept_by_the_hundred(
    here: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_KEPT", 1)
    remember_exports([artifact(here, "a.onnx")])
    monkeypatch.chdir(tmp_path)
    remember_exports([artifact(tmp_path, "b.onnx")])
    assert list(module._read()) == [str(tmp_path)]
