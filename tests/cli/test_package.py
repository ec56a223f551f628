"""``affnet package``: folders, what it prints, and what it refuses before it writes anything."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from affnet.bench.results import jsonl
from tests.bench.fakes import a_result
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


def test_the_fastest_of_results_decides_the_threads(
    run: Run, refused: Callable[..., str], workspace: Path
) -> None:
    artifact = networks.write(workspace)
    found = [
        a_result(
            artifact_sha256=artifact.manifest.sha256,
            environment={"kind": "browser", "accelerator": "wasm"},
            blocks_ns=((time, time),),
            threads=threads,
        )
        for threads, time in ((1, 9_000_000), (2, 5_000_000))
    ]
    jsonl.append(found, workspace / "results.jsonl")
    finished = run("package", "net.onnx", "--for", "web", "--results", "results.jsonl")
    assert finished.code == 0, finished.err
    contract = json.loads((workspace / "net-onnx-web/src/contract.json").read_text())
    assert contract["threads"] == 2
    assert contract["measured"].startswith("the fastest of 2 settings on ")
    readme = (workspace / "net-onnx-web/README.md").read_text()
    assert "runs on 2 thread(s) of the CPU, measured as the fastest; more" in readme
    both = ("package", "net.onnx", "--for", "web", "--results", "results.jsonl", "--threads", "2")
    assert "--threads and --results both choose the threads" in refused(*both)
    said = refused("package", "net.onnx", "--for", "cpp", "--results", "results.jsonl")
    assert "no valid result of net.onnx on a device of the kind host or ssh" in said


def test_what_cannot_be_packaged_leaves_nothing(
    refused: Callable[..., str], workspace: Path
) -> None:
    networks.write(workspace)
    (workspace / "net-onnx-web").mkdir()
    assert "Unknown target 'watch'" in refused("package", "net.onnx", "--for", "watch")
    assert "does not exist" in refused("package", "no.onnx", "--for", "web")
    assert "net-onnx-web exists" in refused("package", "net.onnx", "--for", "web")
