"""The files for CI: they parse, and the commands in them are ones that affnet takes."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import typer.main
import yaml

from affnet.bench.budgets.budget_file import read_budgets
from affnet.cli import app
from tests.ci_runner import commit, run_job

ROOT = Path(__file__).parents[1]
FILES = ("action.yml", "examples/ci/github.yml", "examples/ci/gitlab.yml", ".pre-commit-hooks.yaml")


def texts(node: Any) -> list[str]:
    """Every text in a parsed file."""
    if isinstance(node, dict):
        return [text for value in node.values() for text in texts(value)]
    if isinstance(node, list):
        return [text for value in node for text in texts(value)]
    return [node] if isinstance(node, str) else []


_COMMAND = re.compile(r"\baffnet\"? (check|export) ([^)]*)")


@pytest.mark.parametrize("name", FILES)
def test_commands_are_ones_that_affnet_takes(name: str) -> None:
    content = yaml.safe_load((ROOT / name).read_text())
    lines = [line for text in texts(content) for line in text.replace("\\\n", "").splitlines()]
    commands = [found.groups() for line in lines if (found := _COMMAND.search(line))]
    assert "check" in {command for command, _ in commands}
    group: Any = typer.main.get_command(app)
    for command, rest in commands:
        known = {option for p in group.commands[command].params for option in p.opts}
        assert set(re.findall(r"--[a-z-]+", rest)) <= known


@pytest.mark.parametrize("name", ["action.yml", "examples/ci/github.yml", "examples/ci/gitlab.yml"])
def test_they_install_affnet_and_pytorch_for_cpus_in_any_repository(name: str) -> None:
    content = yaml.safe_load((ROOT / name).read_text())
    (install,) = [text for text in texts(content) if "uv pip install" in text]
    assert "--torch-backend cpu" in install
    assert "AFFNET_CACHE_DIR" in str(content)
    assert "'.[" not in install  # which would be the user's own project


NETWORK = """
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 32, 3, stride=2)
        self.body = nn.Sequential(*(nn.Conv2d(32, 32, 3, padding=1) for _ in range(DEPTH)))

    def forward(self, x):
        x = self.body(self.stem(x))
        return torch.fft.irfft2(torch.fft.rfft2(x) * 0.5, s=x.shape[-2:]).mean((2, 3))

def build():
    torch.manual_seed(0)
    return Net(), torch.rand(1, 3, 65, 65)
"""
PROJECT = """
[source]
model = "net:build"

[[budget]]
model = "net:build"
at_most = "+40 %"

[[budget]]
model = "net:build"
metric = "file_size"
at_most = "5 MB"
"""


@pytest.mark.exhaustive  # it measures a network of its own, a minute or two
def test_the_example_is_green_and_with_a_slower_network_red(tmp_path: Path) -> None:
    workflow = yaml.safe_load((ROOT / "examples/ci/github.yml").read_text())
    origin = tmp_path / "origin"
    origin.mkdir()
    files = {"net.py": NETWORK.replace("DEPTH", "4"), "affnet.toml": PROJECT}
    commit(origin, files, "main")
    commit(origin, {"README.md": "A change of no network.\n"}, "same")
    commit(origin, {"net.py": NETWORK.replace("DEPTH", "12")}, "slower")
    outcomes = {}
    for branch in ("same", "slower"):
        folder = tmp_path / branch
        folder.mkdir()
        variables = {"AFFNET_CACHE_DIR": str(folder / "cache")}
        job = workflow["jobs"]["budgets"]
        outcomes[branch] = run_job(job, origin, branch, folder, variables)
        assert (folder / "workspace" / "budgets.xml").exists(), outcomes[branch][1]
    assert [code for code, _ in outcomes.values()] == [0, 1], outcomes
    assert "### Budgets: PASS" in outcomes["same"][1]
    assert "### Budgets: FAIL" in outcomes["slower"][1]
    assert "::error file=affnet.toml" in outcomes["slower"][1]
    assert "body." in outcomes["slower"][1]  # the module that became slower


def test_the_action_lets_no_input_reach_a_shell_but_through_its_environment() -> None:
    steps = yaml.safe_load((ROOT / "action.yml").read_text())["runs"]["steps"]
    scripts = [step["run"] for step in steps if "run" in step]
    assert scripts
    assert not any("${{" in script for script in scripts)


def test_our_own_budgets_can_be_read() -> None:
    assert len(read_budgets(ROOT / "budgets.toml").budgets) == 4
