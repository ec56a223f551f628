"""What the terminal shows: names of files and models are data, brackets included."""

from __future__ import annotations

import io

import pytest

from affnet import console
from affnet.table import Table, texts

NAME = "net [bold] and [/].onnx"


def test_brackets_reach_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    console.print_table(Table(texts("file"), [[NAME]]))
    assert NAME in capsys.readouterr().out


def test_brackets_reach_the_progress_line(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    terminal = Terminal()
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setattr("sys.stderr", terminal)
    with console.progress(quiet=False, animated=False) as show:
        show(f"Loading {NAME}")
    assert f"Loading {NAME}" in terminal.getvalue()
