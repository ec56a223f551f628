"""``affnet package``: folders, what it prints, and what it refuses before it writes anything."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from tests.conftest import Finished
from tests.package import networks

Run = Callable[..., Finished]


def test_it_prints_the_folder_the_runtime_and_the_command_of_the_golden_test(
    run: Run, workspace: Path
) -> None:
    networks.write(workspace)
    finished = run("package", "net.onnx", "--for", "web")
    assert finished.code == 0, finished.err
    assert (workspace / "net-onnx-web" / "package.json").is_file()
    assert "cd net-onnx-web && npm install && npm test" in finished.out
    finished = run("package", "net.onnx", "--for", "cpp", "-o", "a b/c", "--json")
    (made,) = json.loads(finished.out)["packages"]
    assert made["command"].startswith("cmake -S 'a b/c' -B 'a b/c'/build")
    assert made["runtime"].startswith("onnxruntime ")
    # pip takes brackets at the end of a folder's name for extras, unless one is named
    finished = run("package", "net.onnx", "--for", "python", "-o", "net[1]", "--json")
    (made,) = json.loads(finished.out)["packages"]
    assert made["command"].startswith("cd 'net[1]' && ")
    assert "pip install -q '.[golden]'" in made["command"]
    assert "golden = []" in (workspace / "net[1]" / "pyproject.toml").read_text()


def test_several_files_become_folders_of_one(run: Run, workspace: Path) -> None:
    for name in ("one", "two"):
        networks.write(workspace, name=name)
    finished = run("package", "one.onnx", "two.onnx", "--for", "python", "-o", "made")
    assert finished.code == 0, finished.err
    made = {path.name for path in (workspace / "made").iterdir()}
    assert made == {"one-onnx-python", "two-onnx-python"}
    finished = run("package", "one.onnx", "./one.onnx", "--for", "python", "-o", "again")
    assert finished.code == 2
    assert not (workspace / "again").exists()


def test_what_cannot_be_packaged_leaves_nothing(
    refused: Callable[..., str], workspace: Path
) -> None:
    networks.write(workspace)
    (workspace / "net-onnx-web").mkdir()
    assert "Unknown target 'watch'" in refused("package", "net.onnx", "--for", "watch")
    assert "does not exist" in refused("package", "no.onnx", "--for", "web")
    assert "net-onnx-web exists" in refused("package", "net.onnx", "--for", "web")
