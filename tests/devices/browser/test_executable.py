"""Which browser is taken."""

from __future__ import annotations

from pathlib import Path

import pytest

from affnet.devices.browser import executable
from affnet.devices.browser.executable import find_browser
from affnet.errors import MissingError


@pytest.fixture(autouse=True)
def _nothing_is_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(executable, "APPLICATIONS", (str(tmp_path / "Chrome.app" / "Chrome"),))


def program(path: Path) -> str:
    path.parent.mkdir(exist_ok=True)
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return str(path)


def test_playwright_s_own_comes_before_the_path_and_that_before_applications(
    tmp_path: Path,
) -> None:
    own = tmp_path / "own" / "chrome"
    application = program(tmp_path / "Chrome.app" / "Chrome")
    assert find_browser(None, str(own)) == application
    named = program(tmp_path / "google-chrome")
    assert find_browser(None, str(own)) == named
    assert find_browser(None, program(own)) == str(own)


def test_the_one_that_is_set_comes_before_all_by_path_or_by_name(tmp_path: Path) -> None:
    own, other = program(tmp_path / "chromium"), program(tmp_path / "my browser")
    assert find_browser(other, own) == other
    assert find_browser("my browser", own) == other


def test_none_is_refused_with_the_command_that_installs_one(tmp_path: Path) -> None:
    with pytest.raises(MissingError) as info:
        find_browser(None, str(tmp_path / "own" / "chrome"))
    assert str(info.value) == (
        "No Chromium or Chrome was found on this machine; run: playwright install chromium"
    )


def test_one_that_is_set_and_is_none_is_not_replaced_by_another(tmp_path: Path) -> None:
    own = program(tmp_path / "chromium")
    (tmp_path / "text").write_text("no program")
    for chosen in (str(tmp_path / "none"), str(tmp_path / "text")):
        with pytest.raises(MissingError) as info:
            find_browser(chosen, own)
        assert str(info.value) == (
            f"{chosen} is no browser that can be started; run: playwright install chromium"
        )
