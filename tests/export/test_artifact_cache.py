"""What commands export for themselves is made once, and anew where anything differs."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from affnet.artifact import Artifact
from affnet.cache import FOLDER_VARIABLE, KINDS
from affnet.errors import UsageError
from affnet.export import artifact_cache, pipeline
from affnet.export.artifact_cache import TOOLS, artifact_key
from affnet.export.converters import CONVERTERS, get_converter
from affnet.export.open_or_export import open_or_export
from tests.cli.conftest import copy_artifact

OPTIONS = {"format": "onnx", "image_size": None, "fft": "auto"}
NET = """
import torch
class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(4, {width})
    def forward(self, x):
        return self.layer(x) * {factor}
def build():
    return Net(), torch.rand(1, 4)
"""


@pytest.fixture
def exports(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, digits_pt2: Artifact
) -> Iterator[list[str]]:
    """The names of what is exported, which is always the same, in a cache of the test's own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path / "cache"))
    monkeypatch.delenv(artifact_cache.OFF_VARIABLE)
    made: list[str] = []

    def counted(source: Any, _options: Any, output: Path, _show: Any) -> Artifact:
        made.append(source.name)
        path = copy_artifact(digits_pt2, output / "digits.pt2")
        return Artifact(path, digits_pt2.manifest)

    monkeypatch.setattr(pipeline, "export_artifact", counted)
    yield made
    sys.modules.pop("net", None)


def opened(model: str, tmp_path: Path, fft: str = "auto") -> tuple[Artifact, list[str]]:
    steps: list[str] = []
    return open_or_export(model, "torch", None, fft, tmp_path, steps.append), steps


def test_a_second_export_is_taken_from_the_cache(exports: list[str], tmp_path: Path) -> None:
    first, _ = opened("digits", tmp_path)
    again, steps = opened("digits", tmp_path)
    assert exports == ["digits"]
    assert steps == ["digits.pt2 is taken from the cache"]
    assert (again.manifest, again.path.read_bytes()) == (first.manifest, first.path.read_bytes())
    assert again.path != first.path


def test_a_damaged_entry_is_exported_anew(exports: list[str], tmp_path: Path) -> None:
    opened("digits", tmp_path)
    (kept,) = KINDS["artifacts"].location().glob("*/digits.pt2")
    kept.write_bytes(kept.read_bytes()[:-1])
    opened("digits", tmp_path)
    opened("digits", tmp_path)
    assert exports == ["digits", "digits"]


@pytest.mark.parametrize("how", ["variable", "context", "no place"])
def test_without_a_cache_each_is_exported(
    exports: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    if how == "variable":
        monkeypatch.setenv(artifact_cache.OFF_VARIABLE, "1")
    if how == "no place":
        (tmp_path / "cache").write_text("")
    for _ in range(2):
        if how == "context":
            with artifact_cache.switched_off():
                opened("digits", tmp_path)
        else:
            opened("digits", tmp_path)
    assert exports == ["digits", "digits"]


def test_a_network_of_ones_own_is_known_by_what_it_computes(
    exports: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)  # it would be as old as the next text
    for numbers in ((3, 1), (3, 1), (3, 2), (5, 2), (3, 1)):
        sys.modules.pop("net", None)
        text = NET.format(width=numbers[0], factor=numbers[1])
        (tmp_path / "net.py").write_text(f"{text}\n# {len(exports)}\n")
        opened("net:build", tmp_path)
    assert len(exports) == 3


def test_the_key_holds_all_that_an_artifact_depends_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpoint, config = tmp_path / "a.pt", tmp_path / "a.yaml"
    checkpoint.write_bytes(b"1")
    settings: dict[str, Any] = {"weights": None, "config": None}
    keys = [artifact_key(str(checkpoint), OPTIONS, settings)]

    def changed(model: object = checkpoint, **given: Any) -> None:
        keys.append(artifact_key(str(model), OPTIONS | given, settings))
        assert keys[-1] not in keys[:-1]

    assert artifact_key(str(checkpoint), OPTIONS, settings) == keys[0]
    (tmp_path / "results.json").write_text("{}")  # of no concern
    assert artifact_key(str(checkpoint), OPTIONS, settings) == keys[0]
    changed(format="tflite")
    changed(fft="dense")
    changed(image_size=(64, 64))
    checkpoint.write_bytes(b"2")
    changed()
    config.write_text("a: 1")
    changed()
    (tmp_path / "labels.txt").write_text("cat")
    changed()
    settings["weights"] = config
    changed()
    settings["ema"] = True
    changed()
    changed("affnet_et")
    changed("emoji")
    with monkeypatch.context() as patch:
        patch.setattr(artifact_cache, "_version", lambda _: "99")
        changed()
    with monkeypatch.context() as patch:
        patch.setattr(artifact_cache, "code_hash", lambda *_: "other")
        changed()
    assert artifact_key("net:build", OPTIONS, settings) is None


def test_the_versions_of_every_converters_packages_are_in_the_key() -> None:
    needed = {tool for name in CONVERTERS for tool in get_converter(name).tools}
    assert needed <= set(TOOLS)


def test_the_size_is_a_quantity(monkeypatch: pytest.MonkeyPatch) -> None:
    assert artifact_cache.limit_bytes() == 2e9
    monkeypatch.setenv(artifact_cache.SIZE_VARIABLE, "500 MB")
    assert artifact_cache.limit_bytes() == 5e8
    monkeypatch.setenv(artifact_cache.SIZE_VARIABLE, "much")
    with pytest.raises(UsageError, match="AFFNET_CACHE_SIZE is 'much'; set it to a size"):
        artifact_cache.limit_bytes()


def test_what_one_architecture_has_proven_is_proven_anew_on_another(
    exports: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened("digits", tmp_path)
    monkeypatch.setattr("platform.machine", lambda: "another")
    opened("digits", tmp_path)
    assert exports == ["digits", "digits"]
