"""Fixtures of the devices' tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.devices.android import phones
from tests.devices.android.phones import Attached
from tests.devices.apple.apple_devices import Mac, a_mac
from tests.devices.browser import browsers
from tests.devices.ssh.sshd import Board, start_sshd, stop_sshd


@pytest.fixture(autouse=True)
def _no_catalog_of_the_user_s(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path_factory.mktemp("config")))


@pytest.fixture
def board(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Board]:
    """A board that is configured well, and this user's ssh configuration for it.

    Whatever a test does, nothing may be left on the board.
    """
    found = start_sshd(tmp_path / "board")
    monkeypatch.setenv("HOME", str(found.home))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    try:
        yield found
        assert found.left_behind() == []
    finally:
        stop_sshd(found)


@pytest.fixture(scope="session")
def _adb_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    with phones.server(tmp_path_factory.mktemp("adb")) as variables:
        yield variables


@pytest.fixture
def attached(
    _adb_server: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Attached]:
    """An adb server that knows no phone yet.

    Whatever a test does, nothing may be left on its phones.
    """
    with phones.attached_to(_adb_server, tmp_path / "adb", monkeypatch) as found:
        yield found
        assert found.left_behind() == []


@pytest.fixture(scope="session")
def _chromium() -> None:
    if reason := browsers.without_browser():
        pytest.skip(reason)


@pytest.fixture
def chromium(_chromium: None) -> Iterator[Path]:
    """A browser that can be driven; yields the folder of its temporary files.

    Whatever a test does, no process and no file of it may be left.
    """
    with browsers.nothing_left_behind() as folder:
        yield folder


@pytest.fixture(scope="session")
def web_runtimes() -> Path:
    """The npm packages, installed in this user's cache."""
    return browsers.install_runtimes()


@pytest.fixture
def mac(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Mac]:
    """This machine, which says that it is a Mac with Xcode and an iPhone."""
    with a_mac(tmp_path / "mac", monkeypatch) as found:
        yield found
