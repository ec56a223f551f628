"""Which files are generated, and what they hold."""

from __future__ import annotations

from pathlib import Path

from docs_generator import man, reference

ROOT = Path(__file__).parents[1]


def generated() -> dict[str, str]:
    """Return the text of each generated file, by its path below the repository's root."""
    pages = {f"docs/reference/{name}": text for name, text in reference.pages().items()}
    return {"docs/man/affnet.1": man.page(), **pages}
