"""Hostile names in each place that text is shown in: they are shown, and nothing more."""

from __future__ import annotations

import csv
import html
import io
import re

import pytest
from markdown_it import MarkdownIt
from rich.console import Console

from affnet.errors import printable
from affnet.escaping import for_csv, for_github, for_markdown, for_terminal
from affnet.table import Table, numbers, texts
from tests.hostile import NAMES, is_clean

RENDERER = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])


def blank(name: str) -> str:
    return " ".join(printable(name).split())


def table_of(names: tuple[str, ...]) -> Table:
    return Table([*texts("name"), *numbers("other")], [(name, name) for name in names])


def test_usual_names_stand_as_they_are() -> None:
    for name in (
        "affnet_et.onnx", "mobilevit_xxs", "x mobilevit_xxs [95 %]", "1.234 [1.1, 1.3]", "-", "",
        "median of one <= 12 ms (onnxruntime on host)", "Pixel 8 (Tensor G3)",
        "torchvision:resnet18",
    ):  # fmt: skip
        assert for_terminal(name) == for_markdown(name) == for_csv(name) == name


@pytest.mark.parametrize("name", NAMES)
def test_markdown_renders_the_name_itself(name: str) -> None:
    table = f"| a | b |\n| --- | --- |\n| {for_markdown(name)} | - |\n"
    assert RENDERER.render(table).count("<td>") == 2
    forms = [(table, "td")]
    if name != "-":  # in a list it is an entry without a text
        forms.append((f"- {for_markdown(name)}\n", "li"))
    for text, tag in forms:
        rendered = re.sub("<!--.*?-->", "", RENDERER.render(text))
        shown = rendered.partition(f"<{tag}>")[2].partition(f"</{tag}>")[0]
        assert "<" not in shown
        assert html.unescape(shown) == blank(name)


@pytest.mark.parametrize(
    "name", ["https://example.org", "www.example.org", "pi@board.local", "owner/fork#12", "@all"]
)
def test_what_github_links_by_itself_is_interrupted(name: str) -> None:
    escaped = for_markdown(name)
    assert escaped.replace("<!-- -->", "") == name
    assert not re.search(r"://|www\.|@\w|#\d", escaped)


def test_a_link_is_no_link_though_another_cell_defines_its_target() -> None:
    text = f"- {for_markdown('[x]: https://example.org')}\n- {for_markdown('[x]')}\n"
    assert "<a" not in RENDERER.render(text)


def test_csv_has_no_formula_and_keeps_numbers() -> None:
    lines = table_of(NAMES).csv()
    assert is_clean(lines) and lines.count("\n") == 1 + len(NAMES)
    _, *rows = csv.reader(io.StringIO(lines))
    for name, (cell, other) in zip(NAMES, rows, strict=True):
        assert cell == other
        assert cell.removeprefix("'") == printable(name).removeprefix("'")
        assert cell in {"-", "-3.2"} or not cell.lstrip().startswith(("=", "+", "-", "@", "\uff1d"))
    assert for_csv("=1+1") == "'=1+1"
    for number in ("-3.2", "+4", "-1e-7", "-"):
        assert for_csv(number) == number


def test_a_table_shows_each_name_in_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)
    console = Console(file=io.StringIO(), width=1000)
    console.print(table_of(NAMES).rich())
    assert isinstance(console.file, io.StringIO)
    _, *lines = console.file.getvalue().splitlines()
    assert all(map(is_clean, lines))
    for name, line in zip(NAMES, lines, strict=True):
        assert line.rstrip().startswith(printable(name).rstrip())


def test_a_workflow_s_log_holds_no_command(monkeypatch: pytest.MonkeyPatch) -> None:
    assert for_terminal("::error::x") == "::error::x"
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    assert for_terminal("  ::error::x") == "  : :error::x"
    assert for_terminal("of ##[error]x") == "of # #[error]x"
    assert for_terminal("torchvision::resnet18") == "torchvision::resnet18"


def test_an_annotation_is_one_line_with_no_property_of_its_own() -> None:
    for name in NAMES:
        assert is_clean(for_github(name)) and "\n" not in for_github(name)
        assert not set(",:") & set(for_github(name, is_property=True))
    assert for_github("50%: a,b\n", is_property=True) == "50%25%3A a%2Cb "
