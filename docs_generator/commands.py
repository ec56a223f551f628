"""The commands of affnet with every argument and option, as ``--help`` has them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import typer.main

from affnet.cli import app

#: Where one begins: behind an empty line, or a line that shows a command.
_PARAGRAPH = re.compile(r"\n\s*\n|\n(?=[^\n]*: affnet )")


@dataclass(frozen=True)
class Parameter:
    """An argument or an option."""

    names: str  # with what it takes: "--config <path>"
    help: str
    panel: str  # the options it stands with; "Arguments" of an argument


@dataclass(frozen=True)
class Command:
    """A command, such as ``bench zoo``."""

    name: str
    usage: str
    paragraphs: tuple[str, ...]  # of its help, each example one; the first is one sentence
    parameters: tuple[Parameter, ...]

    def panels(self) -> dict[str, list[Parameter]]:
        """Return the parameters by panel: arguments first, what has no panel of its own last."""
        found: dict[str, list[Parameter]] = {"Arguments": []}
        for one in sorted(self.parameters, key=lambda one: one.panel == "Options"):
            found.setdefault(one.panel, []).append(one)
        return {panel: parameters for panel, parameters in found.items() if parameters}


def commands() -> list[Command]:
    """Return all commands, by name."""
    return sorted(_below(typer.main.get_command(app), ""), key=lambda one: one.name)


# Any: typer's commands are click's, or its own copies of them, as its version goes
def _below(group: Any, prefix: str) -> Iterator[Command]:
    for name, command in group.commands.items():
        yield _command(f"{prefix}{name}", command)
        if hasattr(command, "commands"):
            yield from _below(command, f"{prefix}{name} ")


def _command(name: str, command: Any) -> Command:
    context = command.context_class(command, info_name=name)
    described = [
        (one, record)
        for one in command.params
        if not getattr(one, "hidden", False) and (record := one.get_help_record(context))
    ]
    return Command(
        name,
        " ".join(["affnet", name, *command.collect_usage_pieces(context)]),
        tuple(" ".join(part.split()) for part in _PARAGRAPH.split(command.help or "") if part),
        tuple(Parameter(names, text, _panel(one)) for one, (names, text) in described),
    )


def _panel(parameter: Any) -> str:
    if parameter.param_type_name == "argument":
        return "Arguments"
    return getattr(parameter, "rich_help_panel", None) or "Options"
