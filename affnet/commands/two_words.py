"""Commands whose names have two words, such as ``bench zoo``, beside one called like the first."""

from __future__ import annotations

from typing import Any

import typer
from typer.core import TyperGroup

from affnet.errors import UsageError


class TwoWordCommands(TyperGroup):
    """A group that takes ``bench zoo`` for the command of that name, and ``bench M`` for ``bench``.

    The second word is reserved only where it stands directly after the first.
    """

    # Any: typer's context and command are click's, or its own copies of them, as its version goes
    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        """Return the name, the command and the rest of ``args``; the longest name wins."""
        if (name := " ".join(args[:2])) in self.commands:
            return name, self.commands[name], args[2:]
        if args and args[0] not in self.commands and (first := self._first_word_of(args[0])):
            raise UsageError(
                f"There is no command {args[0]!r}", f"run: affnet {first} {' '.join(args)}"
            )
        return super().resolve_command(ctx, args)

    def _first_word_of(self, second: str) -> str | None:
        """Return the word that a command called by its second one needs before it."""
        for name, command in self.commands.items():
            first, _, rest = name.partition(" ")
            if rest == second or second in getattr(command, "commands", ()):
                return first
        return None


def refuse_second_words(context: typer.Context, words: list[str] | None) -> list[str] | None:
    """Return a command's arguments unless one is the second word of another, given too late.

    Raises:
        UsageError: ``affnet bench --threads 2 zoo``.
    """
    first = context.info_name
    group = context.parent.command if context.parent else None
    names = group.commands if isinstance(group, TyperGroup) else {}
    for word in words or ():
        if f"{first} {word}" in names:
            raise UsageError(
                f"{word!r} is a command of its own and stands directly after {first}: "
                f"affnet {first} {word} [OPTIONS]; a file of that name is ./{word}."
            )
    return words
