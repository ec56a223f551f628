"""Lists of names, as users write them."""

from __future__ import annotations


def split_names(*texts: str) -> list[str]:
    """Return the names in texts such as ``"host, rpi"``, each once, in their order."""
    names = (name.strip() for text in texts for name in text.split(","))
    return list(dict.fromkeys(filter(None, names)))
