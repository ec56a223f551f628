"""What is installed, and what is found at the repository's root."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def copy_tracked(tree: Path) -> None:
    """Copy what git tracks, or would."""
    files = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.split("\0")
    for name in filter(None, files):
        target = tree / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / name).is_symlink():
            target.symlink_to((ROOT / name).readlink())
        elif (ROOT / name).exists():  # else removed, and git does not know it yet
            target.write_bytes((ROOT / name).read_bytes())


def build(tree: Path, folder: Path) -> dict[str, Path]:
    """Build an sdist and from it a wheel, as `make dist` does, by the backend installed here."""
    options = ["--no-isolation", "--outdir", str(folder)]
    command = [sys.executable, "-m", "build", *options, str(tree)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return {path.suffix: path for path in folder.iterdir()}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("built")
    copy_tracked(folder / "tree")
    return build(folder / "tree", folder / "dist")


@pytest.fixture(scope="module")
def wheel(built: dict[str, Path]) -> zipfile.ZipFile:
    return zipfile.ZipFile(built[".whl"])


@pytest.mark.slow
def test_the_archives_are_the_same_bytes_whenever_they_are_built(
    built: dict[str, Path], tmp_path: Path
) -> None:
    tree = tmp_path / "another name"
    copy_tracked(tree)
    for path in tree.rglob("*"):
        os.utime(path, (1e9, 1e9), follow_symlinks=False)
        if path.is_file() and not path.is_symlink():
            path.chmod(0o600)
    again = build(tree, tmp_path / "dist")
    assert again.keys() == built.keys() == {".whl", ".gz"}
    for suffix, path in again.items():
        assert path.name == built[suffix].name
        assert path.read_bytes() == built[suffix].read_bytes()


@pytest.mark.slow
def test_a_wheel_installs_nothing_but_the_package(wheel: zipfile.ZipFile) -> None:
    tops = {name.split("/")[0] for name in wheel.namelist()}
    assert {top for top in tops if not top.endswith((".dist-info", ".data"))} == {"affnet"}
    data = {name for name in wheel.namelist() if name.split("/")[0].endswith(".data")}
    assert {name.partition(".data/data/")[2] for name in data} == {"share/man/man1/affnet.1"}


@pytest.mark.slow
def test_a_wheel_carries_every_module_and_the_bundled_checkpoint(wheel: zipfile.ZipFile) -> None:
    modules = {p.relative_to(ROOT).as_posix() for p in (ROOT / "affnet").rglob("*.py")}
    assert modules <= set(wheel.namelist())
    assert "affnet/devices/catalog.toml" in wheel.namelist()
    web = {name for name in wheel.namelist() if name.startswith("affnet/devices/browser/web/")}
    assert {Path(name).name for name in web} == {
        "package-lock.json",
        "package.json",
        "page.html",
        "page.js",
    }
    template = {name for name in wheel.namelist() if "/bench/html_report/template/" in name}
    assert {Path(name).name for name in template} == {"page.css", "page.html", "page.js"}
    data = {name for name in wheel.namelist() if name.startswith("affnet/data/digits/")}
    assert {Path(name).name for name in data} == {
        "README.md",
        "config.yaml",
        "heldout.npz",
        "labels.txt",
        "weights.safetensors",
    }
    assert sum(wheel.getinfo(name).file_size for name in data) <= 5_000_000


def test_the_root_shows_the_parts_as_links_into_the_package() -> None:
    links = {"export": "affnet/export", "bench": "affnet/bench", "devices": "affnet/devices"}
    for name, target in {**links, "cli.py": "affnet/cli.py"}.items():
        assert (ROOT / name).is_symlink()
        assert (ROOT / name).readlink() == Path(target)
