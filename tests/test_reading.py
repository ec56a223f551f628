"""Reading files that anybody may have written: a reason for each fault, in bounds."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from affnet import reading
from affnet.errors import UsageError


def test_a_text_is_read_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "text"
    path.write_bytes("grün\r\n".encode())
    assert reading.read_text(path) == "grün\r\n"
    assert reading.read_text(path, largest=7) == "grün\r\n"
    with pytest.raises(ValueError, match="it has more than 0 MB"):
        reading.read_text(path, largest=6)
    path.write_bytes(b"\xff")
    assert reading.read_text(path, errors="replace") == "\ufffd"
    with pytest.raises(ValueError, match="utf-8"):
        reading.read_text(path)


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(path := tmp_path / "pipe")
    with pytest.raises(ValueError, match="it is no regular file"):
        reading.read_text(path)
    with pytest.raises(UsageError, match="is a pipe or a device, not a checkpoint"):
        reading.existing_file(path, "a checkpoint")


def test_what_is_no_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to("loop")
    for name, reason in {
        ".": "is a folder, not a list",
        "gone": "does not exist; give the path of a list",
        "gone/x": "does not exist",
        "loop": "cannot be read: Too many levels of symbolic links",
        "x" * 300: "cannot be read: File name too long",
        "x\0": "cannot be read: .*embedded null",  # the rest is another in Python 3.13
    }.items():
        with pytest.raises(UsageError, match=reason):
            reading.existing_file(tmp_path / name, "a list")


@pytest.mark.parametrize(
    ("parse", "text"), [(reading.parse_json, "["), (reading.parse_toml, "a = " + "[")]
)
def test_what_is_nested_too_deeply_is_no_text_of_its_kind(
    parse: Callable[[str], object], text: str
) -> None:
    with pytest.raises(ValueError, match="it is nested too deeply"):
        parse(text + "[" * 100_000)


def test_an_archive_may_hold_its_own_size_many_times_and_no_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "zeros.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("zeros", bytes(1_000_000))
    reading.check_inflation(path)
    reading.check_inflation(path, harmless=1_000_000)
    with pytest.raises(ValueError, match="declare 1 MB, which is not plausible"):
        reading.check_inflation(path, harmless=999_999)
    monkeypatch.setattr(reading, "LARGEST_INFLATION", 10_000)
    reading.check_inflation(path, harmless=0)
    path.write_bytes(b"no archive")
    reading.check_inflation(path, harmless=0)
