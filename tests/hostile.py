"""Names that mean something to what shows them, each harmless in itself."""

from __future__ import annotations

import unicodedata

NAMES = (
    # rich's markup, and its emoji
    "net[fp16]", "net [bold] and [/]", "[/red]closing", "[link=https://example.org]here[/link]",
    ":smile:", "\\[escaped]",
    # a terminal's commands
    "\x1b[31mred\x1b[0m", "\x1b]0;title\x07", "\x9b2J", "back\b\bspace", "bell\a", "over\rwritten",
    "two\nlines", "a\ttab", "null\0byte", "del\x7fete", "form\ffeed",
    # what reorders, hides or joins
    "\u202egnp.exe", "\u2066isolate", "zero\u200bwidth", "\ufeffmark", "line\u2028separator",
    # formulas
    "=cmd|' /C calc'!A0", "+1+cmd", "-2+3", "@SUM(A1)", "\t=1+1", "\uff1d1+1", "-3.2", "'=quoted",
    # Markdown
    "a|b", "a\\|b", "`code`", "**bold** _it_ ~~gone~~", "<b>html</b>", "<script>alert(1)</script>",
    "[text](https://example.org)", "![image](x.png)", "[1](x)", "https://example.org",
    "www.example.org", "pi@board.local", "&lt;&#x202e;", "# heading", "1. first", "- entry",
    "> quoted", "---", "fix #12",
    # HTML and XML
    "\"quoted\" & 'single'", "]]>", "<!--", "</script>",
    # formats, and workflow commands
    "%s%n{0}{x}${HOME}", "100%", "::error::x", "::set-output name=a::b", "##[error]x", "a%0Ab",
    # a long one, others' letters, and none
    "long" * 75, "na\u00efve \u7f51\u7edc \U0001f600", "e\u0301", " ", "-",
)  # fmt: skip


def of_files() -> list[str]:
    """Those that a file can be called."""
    return [name for name in NAMES if not set("/\0") & set(name) and len(name) < 200]


def is_clean(text: str) -> bool:
    """Whether a text has no control character but the ends of its lines."""
    return all(unicodedata.category(letter)[0] != "C" for letter in text.replace("\n", ""))
