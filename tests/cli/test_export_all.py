"""``--format all``: one process for each format, one table, one exit code."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from affnet.export import all_formats
from tests.conftest import Finished


@pytest.mark.slow
def test_every_installed_format_gets_a_file_and_a_row(
    run: Callable[..., Finished], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(all_formats, "installed_formats", lambda: (["onnx", "torch"], ["no x."]))
    finished = run("export", "tests.tiny:with_image", "--format", "all", "--output", tmp_path)
    assert finished.code == 0, finished
    header, *rows = finished.out.splitlines()
    assert header.split()[:3] == ["format", "file", "MB"]
    assert [row.split()[0] for row in rows] == ["onnx", "torch"]
    assert all(" 100 %" in row for row in rows)
    assert "Note: no x." in finished.err
    assert {p.name for p in tmp_path.iterdir()} == {
        "tiny_with_image.onnx",
        "tiny_with_image.onnx.manifest.json",
        "tiny_with_image.pt2",
        "tiny_with_image.pt2.manifest.json",
    }


def test_a_format_that_fails_is_told_and_decides_the_exit_code(
    run: Callable[..., Finished], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(all_formats, "installed_formats", lambda: (["onnx"], []))
    arguments = ("export", "digits", "--format", "all", "--image-size", "50", "-o", tmp_path)
    finished = run(*arguments, "--json", "--quiet")
    assert finished.code == 1
    assert finished.err == ""
    (record,) = finished.json["results"]
    assert (record["format"], record["exit_code"]) == ("onnx", 2)
    assert record["error"].startswith("digits cannot take 50x50 images")
    assert list(tmp_path.iterdir()) == []
