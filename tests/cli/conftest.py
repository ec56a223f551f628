"""Fixtures of the command line's tests."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

import affnet
from affnet.artifact import Artifact, manifest_path
from affnet.export.converters import Conversion, Converter
from affnet.export.converters.onnx.converter import OnnxConverter
from affnet.files import content_sha256
from affnet.model.bundled import bundled_folder
from tests.conftest import Finished


def contents(folder: Path) -> dict[str, bytes | None]:
    """Every file below a folder with its bytes, and every folder with None."""
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
        for path in folder.rglob("*")
    }


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder that is the working directory too: where a command would write."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def refused(run: Callable[..., Finished], workspace: Path) -> Callable[..., str]:
    """Run a command that must fail, and return its one sentence.

    Nothing may appear on stdout, and nothing may change in the workspace.
    """

    def refuse(*arguments: object, code: int = 2) -> str:
        before = contents(workspace)
        finished = run(*arguments)
        assert finished.code == code, finished
        assert finished.out == ""
        assert contents(workspace) == before
        return finished.error

    return refuse


@pytest.fixture
def onnx_copy(digits_onnx: Artifact, workspace: Path) -> Path:
    """The exported digits in the workspace, free to be damaged."""
    return copy_artifact(digits_onnx, workspace / "copy.onnx")


@pytest.fixture
def instant_conversion(digits_onnx: Artifact, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the ONNX converter deliver the digits that were exported before, whatever is asked."""
    deliver(digits_onnx, OnnxConverter, monkeypatch)


@pytest.fixture
def other_digits(workspace: Path) -> Path:
    """A checkpoint of the bundled digits' network whose classifier has other weights."""
    folder = bundled_folder("digits")
    entries = load_file(folder / "weights.safetensors")
    entries["classifier.fc.weight"] = torch.roll(entries["classifier.fc.weight"], 1, 0)
    save_file(entries, workspace / "other.safetensors")
    shutil.copy(folder / "config.yaml", workspace / "config.yaml")
    return workspace / "other.safetensors"


def deliver(
    artifact: Artifact, converter: type[Converter], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Let a converter deliver an artifact that was exported before, whatever is asked."""

    def convert(_self: Any, _network: Any, request: Any, folder: Path) -> Conversion:
        path = shutil.copy(artifact.path, folder / f"{request.name}{artifact.path.suffix}")
        return Conversion(Path(path), artifact.manifest.details)

    monkeypatch.setattr(converter, "convert", convert)


def copy_artifact(artifact: Artifact, target: Path) -> Path:
    """Copy an artifact with its manifest under another name."""
    shutil.copy(artifact.path, target)
    shutil.copy(manifest_path(artifact.path), manifest_path(target))
    return target


def edit_manifest(artifact: Path, **changes: Any) -> None:
    """Overwrite fields of a manifest."""
    path = manifest_path(artifact)
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def damage(artifact: Path, content: bytes) -> None:
    """Replace an artifact's content, and let its manifest vouch for it."""
    artifact.write_bytes(content)
    edit_manifest(artifact, sha256=content_sha256(artifact))


@dataclasses.dataclass(frozen=True)
class Started:
    """A command in a process of its own."""

    process: subprocess.Popen[str]

    def wait_for(self, text: str) -> None:
        """Read its stderr until a line has ``text``."""
        assert self.process.stderr is not None
        seen = []
        for line in self.process.stderr:
            seen.append(line)
            if text in line:
                return
        pytest.fail(f"{text!r} never came: {''.join(seen)}")

    def finish(self) -> Finished:
        out, err = self.process.communicate(timeout=120)
        return Finished(self.process.returncode, out, err)


def start(*arguments: object) -> Started:
    """Start the command line in a process of its own."""
    root = str(Path(affnet.__file__).parents[1])
    process = subprocess.Popen(
        [sys.executable, "-m", "affnet.cli", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": root},
    )
    return Started(process)
