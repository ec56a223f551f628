"""What is installed, and what is found at the repository's root."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """A wheel built from what git tracks, in an environment of its own."""
    folder = tmp_path_factory.mktemp("wheel")
    tree = folder / "tree"
    tree.mkdir()
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
        else:
            target.write_bytes((ROOT / name).read_bytes())
    command = [sys.executable, "-m", "build", "--wheel", "--outdir", str(folder), str(tree)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return zipfile.ZipFile(next(folder.glob("*.whl")))


@pytest.mark.slow
def test_a_wheel_installs_nothing_but_the_package(wheel: zipfile.ZipFile) -> None:
    tops = {name.split("/")[0] for name in wheel.namelist()}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"affnet"}


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
