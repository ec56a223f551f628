"""The page of complex operators is that of the rules."""

from __future__ import annotations

from pathlib import Path

import affnet
from benchmarks.complex_operators import page

PAGE = Path(affnet.__file__).parents[1] / "docs" / "complex-operators.md"


def test_the_page_is_current() -> None:
    assert PAGE.read_text(encoding="utf-8") == page()
