"""Packages as they are written: what is in them, what they refuse, names that want to break out."""

from __future__ import annotations

import importlib
import json
import os
import re
import runpy
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from affnet.evaluation.datasets import CorruptImageError, LabelledImage
from affnet.evaluation.dense import DenseSubject
from affnet.evaluation.pictures import look_at
from affnet.package import ios
from affnet.package.build import TARGETS, Package, build, default_folder
from affnet.package.golden import write_golden
from affnet.package.licences import licence_files
from affnet.preprocessing import published
from affnet.templates.contract import contract_of
from affnet.templates.render import TEMPLATES, cpp_literal, toml_string
from tests.package import networks, pictures

CONTRACT = published("classification", networks.SIZE)
TASKS = ("classification", "segmentation", "detection")
#: Files that hold labels as a language's literals, beside JSON.
LITERALS = (
    "contract.h",
    "golden_test.cpp",
    "Contract.kt",
    "GoldenTest.kt",
    "Contract.swift",
    "GoldenTests.swift",
)
BINARY = (".png", ".jpg", ".pixels", ".onnx")


def built(folder: Path, target: str, task: str = "classification") -> Package:
    artifact, package = networks.write(folder, task), folder / "package"
    if target != "ios":
        return build(artifact.path, target, package, threads=2)
    # a file for Core ML takes seconds to convert, and the code depends on its manifest only
    contract = contract_of(artifact, "coreml", "Core ML", "iOS 16", 2)
    write_golden(contract, package / ios.GOLDEN, ".png")
    ios.write(contract, package)
    for name, text in licence_files(contract).items():
        (package / name).write_text(text)
    return Package(package, artifact.path, target, "Core ML iOS 16", ios.COMMAND)


@contextmanager
def imported(package: Package) -> Iterator[Any]:
    """Import a package for Python as an app does; several tests have one of the same name."""
    sys.path.insert(0, str(package.folder / "src"))
    try:
        yield importlib.import_module("net_model")
    finally:
        sys.path.pop(0)
        for name in [name for name in sys.modules if name.partition(".")[0] == "net_model"]:
            del sys.modules[name]


def golden_verdict(package: Package, capsys: pytest.CaptureFixture[str]) -> tuple[object, str]:
    with imported(package), pytest.raises(SystemExit) as end:
        runpy.run_path(str(package.folder / "golden_test.py"), run_name="__main__")
    return end.value.code, capsys.readouterr().out


@pytest.mark.parametrize("task", TASKS)
def test_a_python_package_passes_its_golden_test_and_fails_for_other_pixels(
    task: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    package = built(tmp_path, "python", task)
    passed = "golden test passed: pixels, outputs, answer\n"
    assert golden_verdict(package, capsys) == (False, passed)
    pixels = package.folder / "golden" / "golden.pixels"
    content = bytearray(pixels.read_bytes())
    content[7] ^= 1
    pixels.write_bytes(content)
    failed = f"1 of {len(content)} values of the pixels differ\n"
    assert golden_verdict(package, capsys) == (True, failed)


def test_a_python_package_classifies_as_affnet_run(tmp_path: Path) -> None:
    paths = pictures.synthetic(tmp_path / "pictures", 24)
    package, artifact = built(tmp_path, "python"), networks.write(tmp_path)
    with imported(package) as net:
        model = net.Classifier()
        for seen in look_at(artifact, paths, 0.3):
            labels = [(one.name, one.score) for one in model.classify(seen.path)]
            assert labels == [(one["label"], one["score"]) for one in seen.classes], seen.path


def test_a_file_that_resizes_pictures_gets_them_as_affnet_run_gives_it_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    paths = pictures.synthetic(tmp_path / "pictures", 12)
    artifact = networks.taking_pictures(networks.write(tmp_path), (36, 48))
    package = build(artifact.path, "python", tmp_path / "package", 1)
    assert golden_verdict(package, capsys)[0] is False
    stated = json.loads((package.folder / "src/net_model/contract.json").read_text())
    assert stated["preprocessing"]["picture"] is None  # what is inside is not done again
    assert stated["preprocessing"]["crop"] == [36, 48]
    with imported(package) as net:
        model = net.Classifier()
        for seen in look_at(artifact, paths, 0.3):
            labels = [(one.name, one.score) for one in model.classify(seen.path)]
            assert labels == [(one["label"], one["score"]) for one in seen.classes], seen.path


@pytest.mark.parametrize("mediapipe", [False, True])
def test_a_python_package_segments_as_affnet_does(mediapipe: bool, tmp_path: Path) -> None:
    paths = pictures.synthetic(tmp_path / "pictures", 24)
    artifact = networks.write(tmp_path, "segmentation", mediapipe=mediapipe)
    package = build(artifact.path, "python", tmp_path / "package", 1)
    subject = DenseSubject.of_artifact(artifact)
    with imported(package) as net:
        model = net.Segmenter()
        for path in paths:
            with Image.open(path) as image:
                small = Image.fromarray(subject.class_map(image).astype(np.int32))
                expected = np.asarray(small.resize(image.size, Image.Resampling.NEAREST))
            mask = model.segment(path)
            assert np.array_equal(mask.classes, expected), path
            assert sum(one.share for one in mask.shares) == pytest.approx(1)


@pytest.mark.parametrize("mediapipe", [False, True])
def test_a_python_package_detects_as_affnet_run(mediapipe: bool, tmp_path: Path) -> None:
    paths = pictures.synthetic(tmp_path / "pictures", 4)
    artifact = networks.write(tmp_path, "detection", mediapipe=mediapipe)
    package = build(artifact.path, "python", tmp_path / "package", 1)
    with imported(package) as net:
        model = net.Detector()
        for seen in look_at(artifact, paths, 0.3):
            found = model.detect(seen.path, 0.3)
            assert [(one.name, one.score) for one in found] == [
                (one["label"], one["score"]) for one in seen.objects
            ]
            for one, expected in zip(found, seen.objects, strict=True):
                assert np.allclose(one.box, expected["box"], atol=0.06)  # shown to a tenth


def test_a_python_package_needs_neither_torch_nor_affnet(tmp_path: Path) -> None:
    package = built(tmp_path, "python")
    code = "import sys, net_model; print([m for m in ('torch', 'affnet') if m in sys.modules])"
    environment = {**os.environ, "PYTHONPATH": str(package.folder / "src")}
    command = [sys.executable, "-c", code]
    run = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert run.stdout == "[]\n"
    project = tomllib.loads((package.folder / "pyproject.toml").read_text())["project"]
    (runtime,) = [one for one in project["dependencies"] if "==" in one]
    assert re.fullmatch(r"onnxruntime==\d+\.\d+\.\d+", runtime)
    names = {re.split(r"[=>]", one)[0] for one in project["dependencies"]}
    assert names == {"numpy", "pillow", "onnxruntime"}


def test_a_python_package_refuses_bad_pictures_with_a_sentence(tmp_path: Path) -> None:
    package, said = built(tmp_path, "python"), {}
    with imported(package) as net:
        model = net.Classifier()
        for name, path in pictures.bad(tmp_path / "bad").items():
            with pytest.raises(net.PictureError) as error:
                model.classify(path)
            said[name] = str(error.value)
            assert re.fullmatch(rf"{path} .*[^.]\.", said[name])
            with pytest.raises(CorruptImageError):
                LabelledImage(path, 0).open()
    assert "truncated" in said["cut.jpg"]
    assert "too many pixels" in said["huge.png"]
    assert all("animated" in said[f"moving.{form}"] for form in ("gif", "png", "webp"))


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("task", TASKS)
def test_every_file_of_a_package_is_filled_and_states_the_contract(
    target: str, task: str, tmp_path: Path
) -> None:
    package = built(tmp_path, target, task)
    for path in package.folder.rglob("*"):
        assert "PACKAGE" not in path.name
        assert path.suffix != ".tmpl"
    (stated,) = package.folder.rglob("contract.json")
    record = json.loads(stated.read_text())
    assert record["preprocessing"]["crop"] == list(networks.SIZE)
    assert record["labels"] == list(networks.HOSTILE)
    assert record["threads"] == 2
    assert (package.folder / "LICENSE").is_file()
    assert "which affnet does not know" in (package.folder / "NOTICE").read_text()
    assert str(tmp_path) not in "".join(
        path.read_text(errors="replace") for path in package.folder.rglob("*") if path.is_file()
    )


@pytest.mark.parametrize("target", TARGETS)
def test_labels_stand_only_where_they_are_data(target: str, tmp_path: Path) -> None:
    package = built(tmp_path, target)
    for path in package.folder.rglob("*"):
        if path.is_file() and path.suffix not in (*BINARY, ".json"):
            text = path.read_text(errors="replace")
            assert "<script>alert" not in text or path.name in LITERALS
            assert "{{" not in text or path.name in LITERALS


def test_a_literal_of_cpp_is_what_it_was_to_a_compiler() -> None:
    text = "".join(networks.HOSTILE)
    literal = cpp_literal(text)
    assert re.fullmatch(r'"[ -~]*"', literal)
    octal = re.sub(r"\\(\d{3})", lambda found: chr(int(found[1], 8)), literal[1:-1])
    assert octal.encode("latin-1").decode() == text
    assert "\n" not in literal
    assert tomllib.loads(f"a = {toml_string(text)}")["a"] == text


def test_classes_without_names_are_numbered(tmp_path: Path) -> None:
    artifact = networks.write(tmp_path)
    artifact = artifact.with_manifest(labels=None)
    contract = contract_of(artifact, "onnxruntime", "onnxruntime", "1", 1)
    assert contract.labels == ("class 0", "class 1", "class 2")


@pytest.mark.parametrize(
    ("stem", "name"),
    [
        ("emoji", "emoji_model"),
        ("My Net (v2)", "my_net_v2_model"),
        ("3d", "model_3d"),
        ("model", "model"),
        ("日本", "model"),
        ("numpy", "numpy_model"),
    ],
)
def test_names_are_taken_by_every_language(stem: str, name: str, tmp_path: Path) -> None:
    artifact = networks.write(tmp_path, name=stem)
    assert contract_of(artifact, "onnxruntime", "onnxruntime", "1", 1).name == name


def test_the_code_of_a_package_has_affnets_licence() -> None:
    ours = Path(__file__).parents[2] / "LICENSE"
    assert (TEMPLATES / "LICENSE").read_text() == ours.read_text()


def test_folders_are_named_after_file_format_and_target() -> None:
    assert default_folder(Path("a/emoji.tflite"), "web") == Path("emoji-tflite-web")


@pytest.mark.parametrize(
    ("target", "accelerator", "file", "code"),
    [
        ("android", "gpu", "src/main/kotlin/affnet/net_model/Session.kt", "Accelerator.GPU"),
        ("ios", "cpu_and_ne", "Sources/Contract.swift", "MLComputeUnits.cpuAndNeuralEngine"),
    ],
)
def test_the_measured_accelerator_is_in_the_code(
    target: str, accelerator: str, file: str, code: str, tmp_path: Path
) -> None:
    artifact, kind = networks.write(tmp_path), TARGETS[target]
    runtime = {"android": "litert", "ios": "coreml"}[target]
    contract = contract_of(artifact, runtime, "p", "1", 2, accelerator, "the fastest")
    write_golden(contract, tmp_path / "made" / kind.golden, ".png")
    kind.write(contract, tmp_path / "made")
    assert code in (tmp_path / "made" / file).read_text()
    readme = (tmp_path / "made/README.md").read_text()
    assert ("the GPU, " if accelerator == "gpu" else "units cpu_and_ne, measured") in readme
    record = json.loads((tmp_path / "made" / kind.golden / "golden.json").read_text())
    assert record["tolerance"] == (0.05 if accelerator == "gpu" else 1e-4)
