"""Words that users never read: see docs/messages.md."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import affnet

ROOT = Path(affnet.__file__).parent
COMMANDS = ROOT / "commands"  # where docstrings are shown, as help
WORSE = re.compile(
    r"\btell(s|ing)?\b|\btold\b|\bmend(s|ed|ing)?\b|\bleave\b.*\baway\b|\bwhat\b.*\bmakes? of\b"
    r"|\bfew bits\b",
    re.IGNORECASE | re.DOTALL,
)


def modules() -> list[Path]:
    return sorted(ROOT.rglob("*.py"))


def texts(source: str, docstrings: bool) -> Iterator[tuple[int, str]]:
    """Yield the line and text of each string; an f-string's values are left out of it."""
    tree = ast.parse(source)
    silent: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and not docstrings:
            silent.add(id(node.value))
        if isinstance(node, ast.JoinedStr):
            parts = [one for one in node.values if isinstance(one, ast.Constant)]
            silent.update(map(id, parts))
            yield node.lineno, "{}".join(str(part.value) for part in parts)
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and id(node) not in silent
        ):
            yield node.lineno, node.value


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(ROOT)))
def test_users_read_plain_words(path: Path) -> None:
    source = path.read_text(encoding="utf-8")
    found = [
        f"{path}:{line}: {text}"
        for line, text in texts(source, docstrings=path.is_relative_to(COMMANDS))
        if " " in text and WORSE.search(text)
    ]
    assert not found, "\n".join(found)


def pages() -> list[Path]:
    checkout = ROOT.parent
    found = [checkout / "README.md", checkout / "CHANGELOG.md", *checkout.glob("docs/**/*.md")]
    return [page for page in found if page.name != "messages.md"]  # it lists the words


def test_readers_of_pages_read_plain_words() -> None:
    assert len(pages()) > 30
    found = [
        f"{page}: {paragraph[:200]}"
        for page in pages()
        for paragraph in re.split(r"\n\n|[.;:|] ", page.read_text(encoding="utf-8"))
        if WORSE.search(paragraph)
    ]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    ("source", "wrong"),
    [
        ("raise E('it tells nothing')", True),
        ("raise E(f'{name} told {count} times')", True),
        ("raise E(f'leave {option} away')", True),
        ("raise E('it reports nothing')", False),
        ("def f():\n    '''Tell it.'''", False),
        ("x = a['told']", False),
    ],
)
def test_what_counts_as_a_text(source: str, wrong: bool) -> None:
    found = [text for _, text in texts(source, docstrings=False)]
    assert any(" " in text and WORSE.search(text) for text in found) is wrong


#: Rooms that serve several commands, of which none knows which one is running.
SHARED = ("artifact.py", "files.py", "bench/measurement", "devices", "model", "runtimes")
# of a command that is named with it, or one that was given and is to go
RIGHT_OPTION = re.compile(
    r"affnet [a-z]+(?:[^;,]*? --[a-z-]+)+|--[a-z-]+ of affnet|\b(drop|omit|without) --[a-z-]+"
    r"|pip install [^;]*--[a-z-]+|xcode-select --switch|build.sh [^;]*--[a-z_]+"
)


def remedies(source: str) -> Iterator[str]:
    """Yield what errors advise, an f-string's values left out."""
    for node in ast.walk(ast.parse(source)):
        if not (isinstance(node, ast.Call) and ast.unparse(node.func).endswith("Error")):
            continue
        text = [" ".join(part for _, part in texts(ast.unparse(a), False)) for a in node.args[:2]]
        yield text[1] if len(text) == 2 else text[0].partition(";")[2] if text else ""


@pytest.mark.parametrize(
    "path",
    [path for path in modules() if str(path.relative_to(ROOT)).startswith(SHARED)],
    ids=lambda path: str(path.relative_to(ROOT)),
)
def test_advice_names_no_option_that_the_running_command_may_lack(path: Path) -> None:
    for remedy in remedies(path.read_text(encoding="utf-8")):
        assert "--" not in RIGHT_OPTION.sub("", remedy), remedy


def test_advice_that_names_an_option_is_found() -> None:
    (wrong,) = remedies('raise UsageError(f"{a} is no b", f"choose another --runtime: {c}.")')
    (right,) = remedies('raise UsageError("a is no b", "let affnet bench --install do it.")')
    assert "--" in RIGHT_OPTION.sub("", wrong)
    assert "--" not in RIGHT_OPTION.sub("", right)
