"""The version and its day are the same wherever they stand."""

from __future__ import annotations

import datetime
import re
from pathlib import Path

import pytest
import yaml
from packaging.version import Version

from affnet import __version__

ROOT = Path(__file__).parents[1]
HEADING = re.compile(r"^## (.*)$", re.MULTILINE)
RELEASE = re.compile(r"(\d+\.\d+\.\d+) - (\d{4}-\d{2}-\d{2})")


@pytest.fixture(scope="module")
def headings() -> list[str]:
    return HEADING.findall((ROOT / "CHANGELOG.md").read_text(encoding="utf-8"))


def test_the_changelog_has_a_place_for_what_comes_above_dated_releases(
    headings: list[str],
) -> None:
    first, *releases = headings
    assert first == "Unreleased"
    found = [RELEASE.fullmatch(heading) for heading in releases]
    assert found and all(found), headings
    versions = [Version(match[1]) for match in found if match]
    days = [datetime.date.fromisoformat(match[2]) for match in found if match]
    assert versions == sorted(set(versions), reverse=True)
    assert days == sorted(days, reverse=True)


def test_the_package_the_changelog_and_the_citation_tell_one_release(headings: list[str]) -> None:
    newest = RELEASE.fullmatch(headings[1])
    assert newest is not None
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert (newest[1], newest[2]) == (citation["version"], citation["date-released"].isoformat())
    assert newest[1] == __version__
