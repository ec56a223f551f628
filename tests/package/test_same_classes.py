"""From JPEG to class: the packages of `emoji` give each picture what affnet gives it.

The pictures are the 1,216 held out from its training, and 200 of all kinds that are made here.
What the languages need must be installed: cmake, a compiler, libjpeg, libpng and libwebp; npm with
a registry that it reaches, node and Chromium.
"""

from __future__ import annotations

import dataclasses
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import cast

import numpy as np
import pytest
from PIL import Image

from affnet.artifact import Artifact
from affnet.evaluation.datasets import LabelledImage
from affnet.export.verification.pictures import OnPictures, on_pictures
from affnet.layouts import as_input
from affnet.model.bundled import dataset_folder
from affnet.model.source import load_source
from affnet.package.build import Package, build
from affnet.preprocessing import to_rgb
from affnet.runtimes import runtime_for
from affnet.templates.contract import contract_of
from tests.package import answers, bulk, networks, pictures
from tests.shared_artifacts import SharedArtifacts

pytestmark = [pytest.mark.exhaustive, pytest.mark.slow]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pictures, below one folder, which a page can be served."""
    root = tmp_path_factory.mktemp("pictures")
    shutil.copytree(dataset_folder("emoji", "heldout"), root / "emoji")
    pictures.synthetic(root / "synthetic")
    pictures.bad(root / "bad")
    return root


def good_in(folder: Path) -> list[Path]:
    good = sorted(p for part in ("emoji", "synthetic") for p in (folder / part).rglob("*.*"))
    assert len(good) == 1216 + 200
    return good


def compared(artifact: Artifact, folder: Path, get: Callable[[list[Path]], bulk.Found]) -> None:
    """Compare pixels and classes of all pictures, and that bad ones are refused."""
    good, bad = good_in(folder), sorted((folder / "bad").iterdir())
    found, expected = get([*good, *bad]), bulk.by_affnet(artifact, [*good, *bad])
    assert {str(p): found[str(p)] for p in good} == {str(p): expected[str(p)] for p in good}
    for path in bad:
        assert found[str(path)].keys() == expected[str(path)].keys() == {"error"}, path
        assert found[str(path)]["error"].endswith(".")


@pytest.mark.parametrize("form", ["onnx", pytest.param("tflite", marks=pytest.mark.converters)])
def test_graph(form: str, shared_artifact: SharedArtifacts, folder: Path) -> None:
    """Pixels of the steps in a file, and its classes, next to Pillow on the picture it takes."""
    inside = shared_artifact("emoji", form, preprocess="graph", input_size=(480, 640))
    outside = shared_artifact("emoji", form)
    contract = inside.pixel_contract()
    trained = dataclasses.replace(contract, picture=None)
    steps = cast(OnPictures, on_pictures(load_source("emoji"), inside.manifest)[0].model)
    sessions = [runtime_for(form).load(one.path, threads=1) for one in (inside, outside)]
    same, far, count = [], 0, 0
    for path in good_in(folder):
        framed = Image.fromarray(contract.pixels(LabelledImage(path, 0).open()))
        whole = np.asarray(framed, np.float32).transpose(2, 0, 1)[None] / np.float32(255)
        pixels = steps.pixels(whole)[0].transpose(1, 2, 0) * 255
        difference = np.abs(pixels - trained.pixels(framed))
        assert difference.max() <= 2.001, path
        far, count = far + int((difference > 1.001).sum()), count + difference.size
        feeds = (
            as_input(whole, inside.manifest.inputs[0]),
            as_input(trained(framed)[None], outside.manifest.inputs[0]),
        )
        ((given,), (wanted,)) = (one.run(feed) for one, feed in zip(sessions, feeds, strict=True))
        same.append(given.argmax() == wanted.argmax())
    print(f"{form}: {sum(same)} of {len(same)} classes; {far} of {count} values over 1 of 255 off")
    assert np.mean(same) >= 0.999
    assert far <= count / 1e6  # two roundings of ONNX Runtime's resize meet in one value


def needs(*commands: str) -> None:
    for command in commands:
        if shutil.which(command) is None:
            pytest.skip(f"needs {command}")


def install_and_test(package: Package) -> None:
    """Install a package for the web and run its golden test; skip where npm reaches nothing."""
    installed = subprocess.run(
        ["npm", "install", "--no-audit", "--no-fund"], cwd=package.folder, capture_output=True
    )
    if installed.returncode != 0:
        pytest.skip("needs a registry that npm reaches")
    tested = subprocess.run(["npm", "test"], cwd=package.folder, capture_output=True, text=True)
    assert tested.returncode == 0, tested.stdout + tested.stderr
    shown = bulk.demo(package.folder)
    assert shown.pop("timing").endswith("WebAssembly on the CPU, 1 thread(s)")
    assert shown.pop("width") <= 320
    assert shown == {"error": "", "console": []}


@pytest.mark.parametrize("form", ["onnx", pytest.param("tflite", marks=pytest.mark.converters)])
def test_python(form: str, shared_artifact: SharedArtifacts, folder: Path, tmp_path: Path) -> None:
    artifact = shared_artifact("emoji", form)
    package = build(artifact.path, "python", tmp_path / "package", 1).folder
    compared(artifact, folder, lambda paths: bulk.by_python(package, paths))


def test_cpp(shared_artifact: SharedArtifacts, folder: Path, tmp_path: Path) -> None:
    needs("cmake", "c++")
    artifact = shared_artifact("emoji", "onnx")
    package = build(artifact.path, "cpp", tmp_path / "package", 1)
    tested = subprocess.run(
        ["bash", "-c", package.command],
        capture_output=True,
        text=True,
        env=bulk.with_this_python(),
    )
    assert tested.returncode == 0, tested.stdout + tested.stderr
    if "WEBP_LIBRARY-NOTFOUND" in (package.folder / "build/CMakeCache.txt").read_text():
        pytest.skip("needs libwebp-dev, as the emoji are WebP files; the golden test passed")
    compared(artifact, folder, lambda paths: bulk.by_cpp(package.folder, paths))


@pytest.mark.parametrize("mediapipe", [False, True])
@pytest.mark.parametrize("task", ["segmentation", "detection"])
def test_web_dense(task: str, mediapipe: bool, tmp_path: Path) -> None:
    needs("npm", "node", "chromium")
    artifact = networks.write(tmp_path, task, mediapipe=mediapipe)
    contract = contract_of(artifact, "onnxruntime", "onnxruntime-web", "1", 1)
    package = build(artifact.path, "web", tmp_path / "package", 1)
    install_and_test(package)
    paths = pictures.synthetic(tmp_path / "pictures", 40)
    found = bulk.by_web(package.folder, paths, tmp_path)
    for path in paths:
        with Image.open(path) as image:
            image = to_rgb(image)
            wanted = answers.expected(contract, image, answers.given(artifact, image))
        # another build of the runtime has another sigmoid
        assert answers.agree(found[str(path)]["answer"], wanted, rtol=1e-3), path


@pytest.mark.parametrize("form", ["onnx", pytest.param("tflite", marks=pytest.mark.converters)])
def test_web(form: str, shared_artifact: SharedArtifacts, folder: Path, tmp_path: Path) -> None:
    needs("npm", "node", "chromium")
    artifact = shared_artifact("emoji", form)
    package = build(artifact.path, "web", tmp_path / "package", 1)
    install_and_test(package)
    compared(artifact, folder, lambda paths: bulk.by_web(package.folder, paths, folder))
