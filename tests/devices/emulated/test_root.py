"""Making the system that is emulated: whole or not at all, and what is missing in a sentence."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from affnet.devices.emulated import packages, root
from affnet.devices.worker.wheels import fetch_wheels
from affnet.errors import MissingError
from tests.devices.emulated.stub_root import RUNS, fill, put_stub_root


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache."""
    monkeypatch.setenv("AFFNET_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache" / "emulated"


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The folders of the systems that are made, of a script's instead of Debian's packages."""
    folders: list[Path] = []

    def make(staging: Path, *_: Any) -> None:
        folders.append(staging)
        fill(staging)

    monkeypatch.setattr(root, "_make", make)
    monkeypatch.setattr(packages, "check_tools", lambda: None)
    return folders


def in_place_of(tool: str, script: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put a script in a tool's place, in front of all others."""
    path = tmp_path / "bin" / tool
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    monkeypatch.setenv("PATH", f"{path.parent}:/usr/bin:/bin")


def test_it_is_made_once_by_however_many_ask(made: list[Path], cache: Path) -> None:
    with ThreadPoolExecutor(3) as pool:
        roots = list(pool.map(lambda _: root.ready_root(), range(3)))
    assert len(made) == 1
    assert {found.folder for found in roots} == {root.root_folder()}
    assert [path.name for path in cache.iterdir() if path.is_dir()] == [root.root_folder().name]


def test_a_damaged_one_and_a_half_made_one_are_made_anew(made: list[Path], cache: Path) -> None:
    (cache / ".new-of-one-killed").mkdir(parents=True)
    folder = put_stub_root()
    assert root.ready_root().folder == folder
    assert made == []
    (folder / "qemu-aarch64").unlink()
    assert root.find_root() is None
    assert root.ready_root().folder == folder
    assert len(made) == 1
    assert (folder / "qemu-aarch64").read_text().endswith(f"{RUNS}\n")
    assert not (cache / ".new-of-one-killed").exists()


@pytest.mark.usefixtures("made")
def test_one_that_cannot_be_made_leaves_nothing(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise MissingError("no network")

    monkeypatch.setattr(root, "_make", fail)
    with pytest.raises(MissingError):
        root.ready_root()
    assert [path for path in cache.iterdir() if path.is_dir()] == []


def test_without_apt_a_sentence_says_what_to_use(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(MissingError) as info:
        root.ready_root()
    assert str(info.value) == (
        "The system that is emulated consists of Debian packages, and apt-get is missing; use a "
        "machine with Debian or Ubuntu, or one that is itself Arm."
    )


def test_the_mirror_is_the_one_that_apt_uses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = (
        "'http://pkg.example/ubuntu/dists/noble/InRelease' a 0",
        "'https://mirror.example/some/debian/dists/bookworm/InRelease' b 0",
    )
    for known, script in ((2, "\n".join(lines)), (1, lines[0])):
        in_place_of("apt-get", f'cat <<"E"\n{script}\nE', tmp_path, monkeypatch)
        if known == 2:
            assert packages.debian_mirror() == "https://mirror.example/some/debian"
        else:
            with pytest.raises(MissingError, match="apt of this machine uses no mirror of Debian"):
                packages.debian_mirror()


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        (
            "ERROR: No matching distribution found for onnxruntime==9.9",
            "There is no wheel of onnxruntime 9.9 for that system; install another version of "
            "onnxruntime here, which is then fetched there too.",
        ),
        (
            "ERROR: Could not connect",
            "pip cannot fetch packages for another system (Could not connect); connect to the "
            "network, and try again.",
        ),
        (
            "python: No module named pip",
            "Wheels are fetched by pip, which this Python lacks; run: {python} -m ensurepip",
        ),
    ],
)
def test_what_pip_does_not_find_is_one_sentence(
    said: str, sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    python = tmp_path / "python"
    python.write_text(f"#!/bin/sh\necho '{said}' >&2; exit 1\n")
    python.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(python))
    with pytest.raises(MissingError) as info:
        fetch_wheels({"onnxruntime": "9.9"}, tmp_path / "site", packages.PYTHON)
    assert str(info.value) == sentence.replace("{python}", str(python))


def test_versions_are_those_of_this_machine() -> None:
    from importlib import metadata

    assert root.wanted_versions()["numpy"] == metadata.version("numpy")
