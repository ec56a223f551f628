"""The pages: all are in the site's contents, their links lead somewhere, their commands exist."""

from __future__ import annotations

import re
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main

from affnet.cli import app
from docs_generator.files import ROOT

DOCS = ROOT / "docs"
PAGES = sorted(DOCS.rglob("*.md"))
START = sorted((DOCS / "start").glob("*.md"))
TASKS = [*START, *sorted((DOCS / "how-to").glob("*.md"))]
_LINK = re.compile(r"\]\((?!https?:|#)([^)#\s]+)")
_CODE = re.compile(r"```.*?```|`[^`\n]*`", re.DOTALL)
_PYTHON = re.compile(r"```python\n(.*?)```", re.DOTALL)
_COMMAND = re.compile(r"^ *affnet .*$|(?<=`)affnet [^`]+(?=`)", re.MULTILINE)


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def entries(contents: list[Any]) -> Iterator[str]:
    """Every page that the site's contents name."""
    for entry in contents:
        for target in entry.values():
            yield from entries(target) if isinstance(target, list) else [target]


def test_the_contents_of_the_site_name_each_page_once() -> None:
    site = tomllib.loads((ROOT / "zensical.toml").read_text())["project"]
    assert sorted(entries(site["nav"])) == sorted(str(path.relative_to(DOCS)) for path in PAGES)


@pytest.mark.parametrize(
    "path", [*PAGES, *sorted(ROOT.glob("*.md"))], ids=lambda path: name_of(path)
)
def test_links_lead_somewhere(path: Path) -> None:
    text = _CODE.sub("", path.read_text())
    lost = [one for one in _LINK.findall(text) if not (path.parent / one).exists()]
    assert not lost


@pytest.mark.parametrize("path", TASKS, ids=name_of)
def test_its_commands_and_options_are_ones_that_affnet_takes(path: Path) -> None:
    group: Any = typer.main.get_command(app)
    found = [shlex.split(line, comments=True)[1:] for line in _COMMAND.findall(path.read_text())]
    assert found
    for words in found:
        two = " ".join(words[:2])
        command = group.commands.get(two) or group.commands[words[0]]
        command = getattr(command, "commands", {}).get("".join(words[1:2]), command)
        known = {option for p in command.params for option in (*p.opts, *p.secondary_opts)}
        assert {word for word in words if word.startswith("-")} <= known | {"--help"}, words


def test_the_algebra_holds_as_it_is_written() -> None:
    (program,) = _PYTHON.findall((DOCS / "algebra.md").read_text())
    names: dict[str, Any] = {}
    exec(compile(program, "algebra.md", "exec"), names)  # noqa: S102, which asserts
    assert names["spectrum"].shape == (2 * names["height"], names["half"])
