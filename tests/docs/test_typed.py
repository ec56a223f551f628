"""Which of pyright's findings are of public names."""

from __future__ import annotations

from typing import Any

from docs_generator.typed import unknown


def symbol(name: str, known: bool = False) -> dict[str, Any]:
    return {"name": name, "isTypeKnown": known, "diagnostics": [{"message": "it is not said"}]}


def test_only_public_names_and_their_members_count() -> None:
    symbols = [
        symbol("affnet.errors.UsageError.hint"),
        symbol("affnet.artifact.Artifact.path"),
        symbol("affnet.artifact.Artifact.manifest", known=True),
        symbol("affnet.artifact.exists"),  # beside it, and private
        symbol("affnet.api.check_budgets"),
        symbol("affnet.export.passes.folding.fold"),
    ]
    assert unknown({"typeCompleteness": {"symbols": symbols}}) == [
        "affnet.errors.UsageError.hint: it is not said",
        "affnet.artifact.Artifact.path: it is not said",
        "affnet.api.check_budgets: it is not said",
    ]
