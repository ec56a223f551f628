"""Generated files are what the code gives, and hold every command with every option."""

from __future__ import annotations

import importlib.metadata
import re
from typing import Any

import pytest
import typer.main
from packaging.version import Version

from affnet.cli import app
from docs_generator.commands import commands
from docs_generator.files import ROOT, generated
from docs_generator.man import page

FILES = generated()
_PIN = r"^{}==(.*)$"


def older_than_pinned(package: str) -> bool:
    """Whether a package is older than the one with which `make generated` wrote the files."""
    pins = (ROOT / "constraints.txt").read_text()
    pinned = re.search(_PIN.format(package), pins, re.MULTILINE)
    assert pinned is not None
    return Version(importlib.metadata.version(package)) < Version(pinned[1])


@pytest.mark.parametrize("name", FILES)
def test_it_is_what_the_code_gives(name: str) -> None:
    if old := [package for package in ("pydantic", "typer") if older_than_pinned(package)]:
        pytest.skip(f"older releases write it otherwise: {', '.join(old)}")
    assert (ROOT / name).read_text(encoding="utf-8") == FILES[name], "run: make generated"


def test_every_option_of_every_command_is_there() -> None:
    group: Any = typer.main.get_command(app)
    found = {one.name: one for one in commands()}
    assert {*group.commands, "devices doctor"} <= set(found)
    for name, command in group.commands.items():
        names = " ".join(parameter.names for parameter in found[name].parameters)
        assert found[name].paragraphs[0].endswith(".")
        for parameter in command.params:
            if parameter.param_type_name == "option":
                assert parameter.opts[0] in names
    panels = found["export"].panels()
    assert [*panels][:1] + [*panels][-1:] == ["Arguments", "Options"]
    assert any(one.names.startswith("--calibration-data") for one in panels["Precision"])


def test_each_example_is_a_paragraph() -> None:
    (verify,) = (one for one in commands() if one.name == "verify")
    shown = [one for one in verify.paragraphs if ": affnet verify " in one]
    assert len(shown) > 2
    assert all(one.count("affnet verify") == 1 for one in shown)


def test_the_manual_page_escapes_what_roff_reads() -> None:
    lines = page().splitlines()
    requests = {line.split()[0] for line in lines if line.startswith((".", "'"))}
    assert requests == {".TH", ".SH", ".SS", ".B", ".I", ".br", ".PP", ".TP"}
    assert not any(re.search(r"(?<!\\)-", line) for line in lines if line.startswith(".B"))
