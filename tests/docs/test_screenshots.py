"""The screenshots show what the code shows today."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("altair", reason="altair is not installed: pip install 'affnet[report]'")

from affnet.bench.html_report import page
from docs_generator import screenshots


@pytest.mark.parametrize("name", screenshots.SCREENSHOTS)
def test_it_is_of_this_code(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page, "libraries", str)  # Vega's code, which takes seconds to collect
    shown, _ = screenshots.SCREENSHOTS[name]
    assert screenshots.kept_fingerprint(name) == screenshots.fingerprint(shown()), (
        "run: make screenshots"
    )


@pytest.mark.parametrize("change", [("affnet_et", "other"), ("13542642", "23542642")])
def test_it_depends_on_texts_and_samples_and_not_on_the_code_of_vega(
    change: tuple[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(page, "libraries", lambda: "first()")
    before = screenshots.report_shown()
    monkeypatch.setattr(page, "libraries", lambda: "second()")
    assert screenshots.report_shown() == before
    changed = tmp_path / "report.json"
    changed.write_text(screenshots._RESULTS.read_text().replace(*change))
    monkeypatch.setattr(screenshots, "_RESULTS", changed)
    assert screenshots.report_shown() != before
