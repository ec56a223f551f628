"""Text from outside, such as the name of a file, for each place that it is shown in.

Names are data: nothing in them is ever read as a terminal's commands, as markup or as a formula.
There is one function for each place that is written here.  Of the others, XML and HTML are written
by libraries that escape, from `affnet.errors.printable` text, and JSON has escapes of its own.
"""

from __future__ import annotations

import os
import re

from affnet.errors import printable

# in its logs, GitHub reads commands at the beginning of a line, and old ones anywhere
_COMMAND = re.compile(r"^(\s*):(?=:)|#(?=#\[)")
# what opens something in Markdown, each as it must stand in order to
_OPENING = re.compile(
    r"[|`]"
    r"|\\(?=[!-/:-@\[-`{-~])"
    r"|<(?=[a-zA-Z/!?])"
    r"|&(?=#?\w+;)"
    r"|\[(?!\d[\d., %]*\](?![(\[:]))"  # an interval of numbers stays as it is
    r"|[*~](?=\S)"
    r"|(?<![^\W_])_(?=\S)"
)
# and at the beginning of a line: a heading, an entry of a list, a quotation, a ruler
_LEADING = re.compile(r"(?=>)|#{0,5}(?=# )|(?=[-+*] )|\d{1,9}(?=[.)] )|(?=[-=_* ]{3,}$)")
# what is made a link, a mention or a reference without any markup
_LINK = re.compile(r"(?<=:)(?=//)|(?<=\bwww)(?=\.)|(?<=@)(?=\w)|(?<=#)(?=\d)", re.IGNORECASE)
_FORMULA = (*"=+-@", *"\uff1d\uff0b\uff0d\uff20")  # and what spreadsheets take for these, wider


def for_terminal(text: str) -> str:
    """Return a text as one line that a terminal, or the log of a GitHub workflow, only shows."""
    line = printable(text)
    if os.environ.get("GITHUB_ACTIONS") == "true":
        line = _COMMAND.sub(lambda found: f"{found[0]} ", line)
    return line


def for_markdown(text: str) -> str:
    """Return a text as a cell of a table, or a line, that Markdown renders as it stands."""
    line = " ".join(printable(text).split())
    start = found.end() if (found := _LEADING.match(line)) else None
    escaped = _OPENING.sub(r"\\\g<0>", line)
    if start is not None:
        escaped = f"{line[:start]}\\{escaped[start:]}"
    return _LINK.sub("<!-- -->", escaped)


def for_csv(text: str) -> str:
    """Return a text as a cell of a CSV table that no spreadsheet takes for a formula.

    As OWASP advises, an apostrophe goes before what would begin one.  Numbers, and the dash that
    stands for none, are left as they are.
    """
    cell = printable(text)
    return f"'{cell}" if cell.lstrip().startswith(_FORMULA) and not _is_plain(cell) else cell


def _is_plain(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return cell == "-"
    return True


def for_github(text: str, *, is_property: bool = False) -> str:
    """Return a text as the message, or a property, of a workflow command of GitHub's."""
    line = printable(text)
    for character in "%,:" if is_property else "%":
        line = line.replace(character, f"%{ord(character):02X}")
    return line
