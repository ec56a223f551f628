"""Templates: files that are copied, and those ending in ``.tmpl``, whose ``{{name}}`` are filled.

What comes from outside, such as labels, goes into JSON or into literals, never into templates.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

TEMPLATES = Path(__file__).parent
_PLACE = re.compile(r"\{\{(\w+)\}\}")
_FILLED = ".tmpl"
_NAME = "PACKAGE"  # in a path: the package's name


def render(template: Path, target: Path, values: Mapping[str, str]) -> None:
    """Write one template; the target's suffix ``.tmpl`` is dropped, and its places are filled."""
    target = Path(str(target).replace(_NAME, values["name"]))
    target.parent.mkdir(parents=True, exist_ok=True)
    content = template.read_text(encoding="utf-8")
    if target.suffix == _FILLED:
        target = target.with_suffix("")
        content = _PLACE.sub(lambda place: values[place[1]], content)
    target.write_text(content, encoding="utf-8")


def render_folder(name: str, target: Path, values: Mapping[str, str]) -> None:
    """Write all templates of a folder below `TEMPLATES`."""
    root = TEMPLATES / name
    for template in sorted(path for path in root.rglob("*") if path.is_file()):
        render(template, target / template.relative_to(root), values)


def cpp_literal(text: str) -> str:
    """Return a C++ literal of a text in UTF-8, whatever is in it."""
    letters = [
        chr(byte) if 0x20 <= byte < 0x7F and byte not in b'"\\?' else f"\\{byte:03o}"
        for byte in text.encode("utf-8", "surrogatepass")
    ]
    return f'"{"".join(letters)}"'


def kotlin_literal(text: str) -> str:
    """Return a Kotlin literal of a text, in ASCII, whatever is in it."""
    units = text.encode("utf-16-be", "surrogatepass")
    codes = [int.from_bytes(units[at : at + 2], "big") for at in range(0, len(units), 2)]
    letters = [
        chr(one) if 0x20 <= one < 0x7F and chr(one) not in '"\\$' else f"\\u{one:04x}"
        for one in codes
    ]
    return f'"{"".join(letters)}"'


def swift_literal(text: str) -> str:
    """Return a Swift literal of a text, in ASCII, whatever is in it.

    Half of a surrogate pair, which Swift's strings do not hold, becomes the replacement character.
    """
    letters = [
        one
        if " " <= one < "\x7f" and one not in '"\\'
        else f"\\u{{{0xFFFD if 0xD800 <= ord(one) < 0xE000 else ord(one):x}}}"
        for one in text
    ]
    return f'"{"".join(letters)}"'


def toml_string(text: str) -> str:
    """Return a TOML string on one line."""
    letters = [
        one if one.isprintable() and one not in '"\\' else f"\\U{ord(one):08x}" for one in text
    ]
    return f'"{"".join(letters)}"'
