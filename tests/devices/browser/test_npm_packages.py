"""Installing the runtimes of a page, by the real npm where it can be had."""

from __future__ import annotations

import json
import shutil
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from affnet.devices.browser.npm_packages import PACKAGES, Installer, installed_folder, versions
from affnet.devices.browser.page_server import PAGE
from affnet.errors import MeasurementError, MissingError

needs_npm = pytest.mark.skipif(
    shutil.which("npm") is None, reason="npm is not installed: sudo apt-get install npm"
)


@pytest.fixture(autouse=True)
def _nothing_is_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The cache is empty; on a Mac it is in the home folder."""
    monkeypatch.setenv("AFFNET_CACHE_DIR", str(tmp_path / "cache" / "affnet"))
    monkeypatch.setenv("HOME", str(tmp_path))


def in_npm_s_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    """Put a real program in npm's place, in front of all others."""
    npm = tmp_path / "bin" / "npm"
    npm.parent.mkdir()
    npm.write_text(f"#!/bin/sh\n{script}")
    npm.chmod(0o755)
    monkeypatch.setenv("PATH", f"{npm.parent}:/usr/bin:/bin")


def left() -> list[str]:
    """Return what stands in the cache besides the file that locks it."""
    root = installed_folder().parent
    return [path.name for path in root.glob("*") if path.name != "lock"]


def test_versions_are_exact_and_each_package_is_locked_by_its_hash() -> None:
    wanted = json.loads((PAGE / "package.json").read_text())
    versions_of = {PACKAGES[runtime]: version for runtime, version in versions().items()}
    assert versions_of == wanted["dependencies"]
    locked = json.loads((PAGE / "package-lock.json").read_text())["packages"]
    root = locked.pop("")
    for kind in ("dependencies", "devDependencies"):
        assert root[kind] == wanted[kind]
    assert all(entry["integrity"].startswith("sha512-") for entry in locked.values())


def test_without_npm_the_command_that_installs_it_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingError) as info:
        Installer().install()
    assert str(info.value) == (
        "The runtimes for browsers are npm packages, and npm is not installed; "
        "run: sudo apt-get install npm (on a Mac: brew install node)"
    )


@needs_npm
def test_without_a_network_one_sentence_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("npm_config_registry", "http://127.0.0.1:9/")
    monkeypatch.setenv("npm_config_cache", str(tmp_path / "npm"))
    with pytest.raises(MissingError) as info:
        Installer().install()
    sentence = str(info.value)
    assert sentence.startswith("npm cannot install @litertjs/core, onnxruntime-web (")
    assert "127.0.0.1:9" in sentence
    assert sentence.endswith("); connect to the network for the first measurement in a browser.")
    assert "\n" not in sentence
    assert left() == []


@needs_npm
@pytest.mark.slow
def test_the_real_npm_installs_what_pages_ask_for() -> None:
    steps: list[str] = []
    folder = Installer().install(steps.append)
    assert steps == ["Installing @litertjs/core, onnxruntime-web with npm, once"]
    for runtime, package in PACKAGES.items():
        found = json.loads((folder / package / "package.json").read_text())
        assert found["version"] == versions()[runtime]
    assert Installer().install(steps.append) == folder
    assert len(steps) == 1
    assert left() == ["node_modules"]


def test_two_at_once_install_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = tmp_path / "calls"
    in_npm_s_place(tmp_path, monkeypatch, f"echo called >> {calls}; sleep 1; mkdir node_modules\n")
    with ThreadPoolExecutor(2) as pool:
        folders = list(pool.map(lambda _: Installer().install(), range(2)))
    assert folders == [installed_folder()] * 2
    assert calls.read_text().split() == ["called"]


def test_an_interrupted_npm_is_ended_with_all_it_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = tmp_path / "begun"
    in_npm_s_place(tmp_path, monkeypatch, f"sleep 600 &\necho $! > {begun}\nwait\n")
    installer = Installer()

    def interrupt() -> None:
        while not begun.exists() or not begun.read_text():
            time.sleep(0.01)
        installer.interrupt()

    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(MeasurementError, match=r"^Installing the runtimes .* was stopped\.$"):
        installer.install()
    thread.join()
    child = int(begun.read_text())
    assert not psutil.pid_exists(child) or psutil.Process(child).status() == "zombie"
    assert left() == []
