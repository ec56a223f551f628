"""The files for CI: they parse, and the commands in them are ones that affnet takes."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import typer.main
import yaml

from affnet.bench.budgets.budget_file import read_budgets
from affnet.cli import app

ROOT = Path(__file__).parents[1]
FILES = ("action.yml", "examples/ci/github.yml", "examples/ci/gitlab.yml", ".pre-commit-hooks.yaml")


def texts(node: Any) -> list[str]:
    """Every text in a parsed file."""
    if isinstance(node, dict):
        return [text for value in node.values() for text in texts(value)]
    if isinstance(node, list):
        return [text for value in node for text in texts(value)]
    return [node] if isinstance(node, str) else []


@pytest.mark.parametrize("name", FILES)
def test_commands_are_ones_that_affnet_takes(name: str) -> None:
    content = yaml.safe_load((ROOT / name).read_text())
    lines = [line for text in texts(content) for line in text.splitlines()]
    commands = [shlex.split(line) for line in lines if line.startswith("affnet check -")]
    assert commands
    group: Any = typer.main.get_command(app)
    known = {option for p in group.commands["check"].params for option in p.opts}
    for command in commands:
        given = {option for word in command for option in re.findall(r"--[a-z-]+", word)}
        assert given <= known


def test_the_action_lets_no_input_reach_a_shell_but_through_its_environment() -> None:
    steps = yaml.safe_load((ROOT / "action.yml").read_text())["runs"]["steps"]
    scripts = [step["run"] for step in steps if "run" in step]
    assert scripts
    assert not any("${{" in script for script in scripts)


def test_our_own_budgets_can_be_read() -> None:
    assert len(read_budgets(ROOT / "budgets.toml").budgets) == 4
