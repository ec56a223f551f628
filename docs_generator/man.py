"""The manual page, affnet(1), in roff's man macros."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from docs_generator.commands import Command, commands
from docs_generator.exit_codes import ENVIRONMENT, EXIT_CODES, FILES

_BEGINS_REQUEST = re.compile(r"^(?=[.'])", re.MULTILINE)


def page() -> str:
    """Return the page."""
    return "\n".join(_lines(commands())) + "\n"


def _lines(found: list[Command]) -> Iterator[str]:
    yield '.TH AFFNET 1 "" affnet "User Commands"'
    yield from (
        ".SH NAME",
        r"affnet \- export, verify and measure networks with Fourier transforms",
    )
    yield ".SH SYNOPSIS"
    yield from (f".B affnet {_text(one.name)}\n.br" for one in found)
    yield ".SH DESCRIPTION"
    yield _text(
        "Takes vision networks with Fourier transforms to phones, boards, browsers and edge boxes: "
        "exports them to their formats, runs each file beside PyTorch before it is published, "
        "measures latency and memory, and holds them to budgets."
    )
    yield ".SH COMMANDS"
    for one in found:
        yield from _command(one)
    for title, table in (
        ("EXIT STATUS", EXIT_CODES),
        ("ENVIRONMENT", ENVIRONMENT),
        ("FILES", FILES),
    ):
        yield from (f".SH {title}", *_table({str(name): text for name, text in table.items()}))


def _command(command: Command) -> Iterator[str]:
    yield f".SS {_text(command.name)}"
    yield from (f".B {_text(command.usage)}", ".PP")
    for paragraph in command.paragraphs:
        yield from (_text(paragraph), ".PP")
    for panel, parameters in command.panels().items():
        yield from (".PP", f".I {_text(panel)}")
        yield from _table({one.names: one.help for one in parameters})


def _table(rows: Mapping[str, str]) -> Iterator[str]:
    for name, text in rows.items():
        yield from (".TP", f".B {_text(name)}", _text(text))


def _text(text: str) -> str:
    """Return a text as roff shows it unchanged."""
    escaped = text.replace("\\", r"\e").replace("-", r"\-").replace('"', r"\(dq")
    return _BEGINS_REQUEST.sub(r"\&", escaped)
