"""Finding a runtime by its name, its format or a file's suffix."""

from __future__ import annotations

import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from affnet.errors import MissingError, UnknownNameError, UsageError
from affnet.export.converters import CONVERTERS
from affnet.runtimes import RUNTIMES, get_runtime, is_artifact, runtime_for


@pytest.mark.parametrize("name", RUNTIMES)
def test_a_registered_runtime_carries_its_name_and_a_suffix(name: str) -> None:
    runtime = get_runtime(name)
    assert runtime.name == name
    assert runtime.suffix.startswith(".")


def test_every_format_that_is_exported_has_a_runtime() -> None:
    found = {format_: runtime_for(format_).name for format_ in CONVERTERS}
    assert set(found.values()) <= set(RUNTIMES)
    assert (found["onnx"], found["torch"]) == ("onnxruntime", "torch")


@pytest.mark.parametrize("name", ["onnxruntime", "torch"])
def test_the_version_is_the_installed_one(name: str) -> None:
    build = get_runtime(name).version().partition("+")[0]  # torch's may be 2.13.0+cu130
    assert build == version(name).partition("+")[0]


@pytest.mark.parametrize("name", ["onnxruntime", "torch"])
def test_a_runtime_whose_package_is_missing_says_how_to_get_it(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(MissingError, match=f"needs the package '{name}'.*pip install 'affnet'$"):
        get_runtime(name).version()


def test_an_unknown_runtime_is_answered_with_the_valid_ones() -> None:
    with pytest.raises(UnknownNameError) as info:
        get_runtime("tensorrt")
    assert str(info.value) == f"Unknown runtime 'tensorrt'; valid: {', '.join(RUNTIMES)}."


def test_a_format_without_a_runtime_is_refused() -> None:
    with pytest.raises(UsageError, match=r"^No runtime executes artifacts of the format 'elf'\.$"):
        runtime_for("elf")


@pytest.mark.parametrize(
    ("name", "found"),
    [("a.onnx", True), ("a/b.pt2", True), ("a.pt", False), ("onnx", False), ("digits", False)],
)
def test_the_suffix_tells_an_artifact_from_a_source(name: str, found: bool) -> None:
    assert is_artifact(Path(name)) is found
