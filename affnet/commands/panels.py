"""The help of a command: its options in panels, and the commands that begin with its name."""

from __future__ import annotations

from typing import Any

from typer.core import TyperCommand, TyperGroup


class PanelledCommand(TyperCommand):
    """A command whose options stand in the panels that they name, without rich."""

    # Any: typer's context and formatter are click's, or its own copies, as its version goes
    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write arguments, each panel of options, and the command's sub-commands."""
        panels: dict[str, list[tuple[str, str]]] = {}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is not None:
                is_option = parameter.param_type_name == "option"
                named = getattr(parameter, "rich_help_panel", None) or "Options"
                panels.setdefault(named if is_option else "Arguments", []).append(record)
        # what is in no panel of its own comes last
        general = panels.pop("Options", None)
        for title, rows in [*panels.items(), *([("Options", general)] if general else [])]:
            with formatter.section(title):
                formatter.write_dl(rows)
        if rows := _sub_commands(ctx):
            with formatter.section("Commands"):
                formatter.write_dl(rows)


def _sub_commands(context: Any) -> list[tuple[str, str]]:
    """Return name and help of the commands whose names begin with this one's."""
    group = context.parent.command if context.parent else None
    if not isinstance(group, TyperGroup):
        return []
    prefix = f"{context.info_name} "
    return [
        (name, command.get_short_help_str())
        for name, command in group.commands.items()
        if name.startswith(prefix)
    ]
