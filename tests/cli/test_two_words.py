"""Commands of two words: which of them an argument list means, and words that stand too late."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from affnet.cli import app
from tests.conftest import Finished

Run = Callable[..., Finished]
Refused = Callable[..., str]


@pytest.mark.parametrize(
    ("words", "meant"),
    [("bench zoo", "bench zoo ["), ("bench", "bench ["), ("devices list", "devices list [")],
)
def test_the_longest_name_wins(run: Run, words: str, meant: str) -> None:
    usage = run(*words.split(), "--help").out.splitlines()[0]
    assert f"affnet {meant}OPTIONS]" in usage


def test_each_is_listed_below_the_command_called_like_its_first_word(run: Run) -> None:
    lines = run("--help").out.splitlines()
    (place,) = (n for n, line in enumerate(lines) if line.startswith("  bench  "))
    words = [line.split()[1] for line in lines[place + 1 :] if line.startswith("  bench ")]
    assert words == ["mixers", "zoo"]


@pytest.mark.parametrize(
    "name", [c.callback.__name__ for c in app.registered_commands if c.callback is not None]
)
def test_the_command_that_it_stands_beside_names_it(run: Run, name: str) -> None:
    first, _, second = name.partition("_")
    assert not second or f"affnet {first} {second}" in run(first, "--help").out


@pytest.mark.parametrize("arguments", ["--threads 2 zoo", "digits zoo", "-- zoo"])
def test_a_second_word_that_stands_too_late_is_told_where_it_belongs(
    refused: Refused, arguments: str
) -> None:
    assert refused("bench", *arguments.split()) == (
        "'zoo' is a command of its own and stands directly after bench: "
        "affnet bench zoo [OPTIONS]; a file of that name is ./zoo."
    )


def test_a_file_of_a_reserved_name_is_given_with_its_folder(
    refused: Refused, workspace: Path
) -> None:
    (workspace / "zoo").write_text("no checkpoint")
    assert refused("bench", "./zoo") == (
        "zoo is not a checkpoint that torch can read, or it is damaged."
    )


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        # as typer, and as click says it
        ("zoo digits", r"Got unexpected extra argument(\(s\))? \(digits\)"),
        ("zoo --zzz", r"No such option:? '?--zzz'?\.?"),
    ],
)
def test_wrong_use_is_answered_with_the_usage_of_the_longer_name(
    run: Run, arguments: str, sentence: str
) -> None:
    finished = run("bench", *arguments.split())
    assert (finished.code, finished.out) == (2, "")
    assert re.fullmatch(sentence, finished.error)
    assert "affnet bench zoo [OPTIONS]" in finished.err.splitlines()[0]
