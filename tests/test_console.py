"""What the terminal shows: names of files and models are data, brackets included."""

from __future__ import annotations

import io
from pathlib import Path

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


def test_control_characters_reach_no_stream(capsys: pytest.CaptureFixture[str]) -> None:
    console.print_line("a\x1b[31m\nb")
    console.print_fields({"na\nme": "\x07value"})
    console.note("a\rb")
    with console.progress(quiet=False) as show:
        show("step\x1b[2J")
    assert capsys.readouterr() == ("a [31m b\nna me   value\n", "Note: a b\nstep [2J\n")


def test_nothing_for_stderr_goes_to_stdout_where_it_is_closed(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stderr", None)
    console.note("a note")
    console.error("an error")
    with console.progress(quiet=False) as show:
        show("a step")
    assert capsys.readouterr().out == ""


def test_a_full_stderr_ends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("this system has no /dev/full")
    with full.open("w") as stream:
        monkeypatch.setattr("sys.stderr", stream)
        console.note("a note")


def test_characters_that_stdout_s_encoding_lacks_are_printed_by_number(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr("sys.stdout", stream)
    with console.writing_stdout():
        console.print_line("10 °C")
    assert stream.buffer.getvalue() == b"10 \\xb0C\n"  # type: ignore[attr-defined]


def test_off_a_terminal_steps_that_differ_by_numbers_have_a_line_every_few_seconds(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 0.0
    monkeypatch.setattr("affnet.console.time.monotonic", lambda: now)
    with console.progress(quiet=False) as show:
        show("Pushing net_1.onnx")
        show("Pushing net_2.onnx")  # another file: its name has the number
        for tenth in range(120):
            now = tenth / 10
            show(f"Measuring in turns, {tenth / 10:.1f} s of each so far")
            show(f"rpi: Measuring in turns, {tenth / 10:.1f} s of each so far")
        show("Computing the differences")
    assert capsys.readouterr().err.splitlines() == [
        "Pushing net_1.onnx",
        "Pushing net_2.onnx",
        *(
            f"{device}Measuring in turns, {seconds} s of each so far"
            for seconds in ("0.0", "5.0", "10.0")
            for device in ("", "rpi: ")
        ),
        "Computing the differences",
    ]
