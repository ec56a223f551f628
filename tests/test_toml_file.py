"""The line that a TOML file's keys stand on."""

from __future__ import annotations

from pathlib import Path

import pytest

from affnet.errors import UsageError
from affnet.toml_file import Location, TomlFile

TEXT = """\
title = "x"
source.model = "a.pt"

[export]
formats = [
    "onnx",
]

[[tool.affnet.budget]]
model = "a"

[[tool.affnet.budget]]
"model" = "b"

[tool.affnet.budget.extra]
key = 1
"""


@pytest.mark.parametrize(
    ("location", "line"),
    [
        (("title",), 1),
        (("source", "model"), 2),
        (("source", "config"), 1),
        (("export",), 4),
        (("export", "output"), 4),
        (("export", "formats", 0), 5),
        (("tool", "affnet", "budget", 0, "model"), 10),
        (("tool", "affnet", "budget", 1, "model"), 13),
        (("tool", "affnet", "budget", 1, "peer"), 12),
        (("tool", "affnet", "budget", 1, "extra", "key"), 16),
        (("nothing",), 1),
    ],
)
def test_a_location_has_a_line(tmp_path: Path, location: Location, line: int) -> None:
    path = tmp_path / "file.toml"
    path.write_text(TEXT)
    assert TomlFile.read(path, UsageError, "").line_of(location) == line


@pytest.mark.parametrize(
    ("content", "sentence"),
    [(None, "does not exist; make it."), (b"a = ", "is not TOML: "), (b"\xff", "is not TOML: ")],
)
def test_a_file_that_is_none_is_refused(
    tmp_path: Path, content: bytes | None, sentence: str
) -> None:
    path = tmp_path / "file.toml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UsageError, match=sentence):
        TomlFile.read(path, UsageError, "make it")
