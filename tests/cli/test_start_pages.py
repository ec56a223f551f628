"""The pages to start with say what works: each of their commands, as it is written there."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Finished

START = Path(__file__).parents[2] / "docs" / "start"
_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def blocks(path: Path, language: str) -> list[str]:
    return [text for kind, text in _BLOCK.findall(path.read_text()) if kind == language]


def commands(path: Path) -> list[list[str]]:
    lines = [line for text in blocks(path, "sh") for line in text.splitlines() if line.strip()]
    return [shlex.split(line) for line in lines]


@pytest.fixture
def follow(
    run: Callable[..., Finished], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[Path], None]:
    """Do what a page says, in an empty folder, after what the first one says."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "none"))

    def do(path: Path) -> None:
        for text in blocks(path, "toml"):
            Path("budgets.toml").write_text(text)
        for program, *arguments in commands(path):
            assert program == "affnet"
            done = run(*arguments)
            assert done.code == 0, (arguments, done.err)
            assert done.out or arguments[0] == "export"

    return do


@pytest.mark.slow
@pytest.mark.usefixtures("instant_conversion")
def test_the_first_export_and_budget_work_as_written(follow: Callable[[Path], None]) -> None:
    for name in ("first-export.md", "first-budget.md"):
        follow(START / name)


@pytest.mark.exhaustive
def test_all_pages_to_start_with_work_as_written(follow: Callable[[Path], None]) -> None:
    pages = sorted(START.glob("*.md"))
    assert [page.name for page in pages] == ["first-budget.md", "first-export.md", "first-table.md"]
    for page in (pages[1], pages[2], pages[0]):
        follow(page)
