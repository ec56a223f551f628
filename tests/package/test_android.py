"""Packages for Android: compiled by Kotlin with doubles of Android, and run on a JVM.

What they give each picture is compared with the package for Python, which is affnet's own code.
"""

from __future__ import annotations

import dataclasses
import shutil
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from affnet.artifact import Artifact, TensorSpec
from affnet.layouts import as_input
from affnet.package import android
from affnet.package.build import build
from affnet.package.golden import write_golden
from affnet.preprocessing import to_rgb
from affnet.templates.contract import Contract, contract_of
from affnet.templates.render import kotlin_literal
from tests.package import jvm, networks, pictures
from tests.package.answers import CLASSES, agree, expected, given


def test_a_literal_of_kotlin_is_what_it_was() -> None:
    text = "".join(networks.HOSTILE) + "\U0001f600"
    literal = kotlin_literal(text)
    assert literal.isascii()
    assert "$" not in literal and literal.count('"') == 2
    units = literal[1:-1].encode().decode("unicode_escape")
    assert units.encode("utf-16", "surrogatepass").decode("utf-16") == text


@pytest.mark.parametrize(
    ("form", "runtime"),
    [
        ("onnx", "com.microsoft.onnxruntime:onnxruntime-android"),
        ("tflite", "com.google.ai.edge.litert:litert"),
    ],
)
def test_each_format_has_its_runtime(form: str, runtime: str, tmp_path: Path) -> None:
    artifact = networks.write(tmp_path).with_manifest(format=form)
    found = android.runtime_of(artifact)
    assert found is not None
    assert found[0] == runtime
    assert found[1].count(".") == 2


def test_many_labels_are_spread_over_functions(tmp_path: Path) -> None:
    labels = tuple(f"label {index}" for index in range(2500))
    contract = contract_of(networks.write(tmp_path), "onnxruntime", "onnxruntime", "1", 1)
    contract = dataclasses.replace(contract, labels=labels)
    folder = tmp_path / "package"
    write_golden(contract, folder / android.GOLDEN, ".png")
    android.write(contract, folder)
    code = (folder / "src/main/kotlin/affnet/net_model/Contract.kt").read_text()
    assert "val labels: List<String> = labels0() + labels1() + labels2()\n" in code
    assert all(code.count(kotlin_literal(label)) == 1 for label in labels)


def lite(folder: Path, root: Path) -> Contract:
    """Write a package on LiteRT, which takes integers, channels last, and turns pictures upright.

    The network is ONNX's all the same: what LiteRT gives comes from the test.
    """
    artifact = networks.write(folder, name="lite")
    (taken,) = artifact.manifest.inputs
    taken = dataclasses.replace(
        taken, shape=(1, *networks.SIZE, 3), dtype="int8", layout="NHWC", range=(-128.0, 127.0)
    )
    steps = dataclasses.replace(
        artifact.pixel_contract(), exif_orientation=True, mean=(0.1, 0.2, 0.3), std=(0.5, 1, 2)
    )
    contract = contract_of(artifact, "litert", "com.google.ai.edge.litert:litert", "2.3.0", 3)
    write_golden(contract, root / "lite_model" / android.GOLDEN, ".png")
    artifact = artifact.with_manifest(inputs=(taken,), preprocessing=steps)
    contract = dataclasses.replace(contract, artifact=artifact)
    (root / "lite_model" / android.GOLDEN / "golden.pixels").write_bytes(
        steps.pixels(Image.open(root / "lite_model" / android.GOLDEN / "golden.png")).tobytes()
    )
    android.write(contract, root / "lite_model")
    return contract


def suppressing(folder: Path, root: Path) -> Contract:
    """Write a package of a file that has the suppression inside; it has no golden test to run."""
    artifact = networks.write(folder, "detection", name="nms")
    contract = contract_of(artifact, "litert", "com.google.ai.edge.litert:litert", "2.3.0", 3)
    write_golden(contract, root / "nms_model" / android.GOLDEN, ".png")
    outputs = (
        TensorSpec("boxes", (1, 4, 4), "float32"),
        TensorSpec("scores", (1, 4), "float32"),
        TensorSpec("classes", (1, 4), "int32"),
    )
    contract = dataclasses.replace(contract, artifact=artifact.with_manifest(outputs=outputs))
    android.write(contract, root / "nms_model")
    return contract


def for_mediapipe(task: str, folder: Path, root: Path) -> Contract:
    """Write a package on LiteRT of a network in the form that MediaPipe's own classes want."""
    name = f"{task}_mediapipe"
    artifact = networks.write(folder, task, name=name, mediapipe=True)
    contract = contract_of(artifact, "litert", "com.google.ai.edge.litert:litert", "2.3.0", 2)
    write_golden(contract, root / contract.name / android.GOLDEN, ".png")
    android.write(contract, root / contract.name)
    return contract


def network_of(name: str, contract: Contract, folder: Path) -> Artifact:
    """Return the network of ONNX behind a package."""
    stem, mediapipe = name.removesuffix("_model"), "mediapipe" in name
    return networks.write(folder, contract.task, name=stem, mediapipe=mediapipe)


def as_android_decodes(path: Path, to: Path) -> Image.Image:
    """Save a picture as Pillow decodes it, in PNG, which Java decodes alike; return it."""
    with Image.open(path) as image:
        mode = "RGBA" if image.has_transparency_data else "RGB"
        plain = to_rgb(image) if mode == "RGB" else image.convert("RGBA")
        exif = image.getexif()
        plain.save(to, exif=exif)
    return Image.open(to)


@pytest.mark.exhaustive
def test_packages_give_each_picture_what_affnet_gives_it(tmp_path: Path) -> None:
    for command in ("kotlinc", "java"):
        if shutil.which(command) is None:
            pytest.skip(f"needs {command}: npm install kotlin-compiler, and a Java runtime")
    root = tmp_path / "packages"
    contracts = {}
    for task in CLASSES:
        artifact = networks.write(tmp_path, task, name=task)
        build(artifact.path, "android", root / f"{task}_model", 2)
        name, runtime = f"{task}_model", "onnxruntime"
        contracts[name] = contract_of(artifact, runtime, runtime, "1", 2)
    for task in ("segmentation", "detection"):
        contracts[f"{task}_mediapipe_model"] = for_mediapipe(task, tmp_path, root)
    contracts["lite_model"] = lite(tmp_path, root)
    contracts["nms_model"] = suppressing(tmp_path, root)
    program = jvm.compiled(root, {name: one.class_name for name, one in contracts.items()})

    asked, wanted = [], []
    for name, contract in contracts.items():
        if name == "nms_model":
            continue
        artifact = network_of(name, contract, tmp_path)
        with Image.open(root / name / android.GOLDEN / "golden.png") as image:
            asked.append(jvm.Asked(name, given(artifact, image)))
        wanted.append({"golden": "passed", "threads": contract.threads})
    assert jvm.answers(program, asked) == wanted
    broken = [dataclasses.replace(asked[0], outputs=[asked[0].outputs[0] * 2])]
    assert "differs by" in jvm.answers(program, broken)[0]["failed"]

    random, asked, wanted = np.random.default_rng(0), [], []
    for index, path in enumerate(pictures.synthetic(tmp_path / "pictures", 198)):
        name = [*contracts][index % len(contracts)]
        contract = contracts[name]
        picture = tmp_path / f"{index}.png"
        image = as_android_decodes(path, picture)
        if name == "nms_model":
            boxes = random.uniform(-0.1, 1.1, (1, 4, 4)).astype(np.float32)
            outputs = [boxes, np.float32([[0.9, 0.5, 0.1, 0]]), np.int32([[2, 1, 1, 0]])]
        else:
            outputs = given(network_of(name, contract, tmp_path), image)
        asked.append(jvm.Asked(name, outputs, picture, path))
        steps = contract.artifact.pixel_contract()
        taken = as_input(steps(image)[None], contract.input).astype(">f4")
        with Image.open(path) as original:
            orientation = original.getexif().get(pictures.ORIENTATION, 1)
        sums = zlib.crc32(steps.pixels(image).tobytes()), zlib.crc32(taken.tobytes())
        wanted.append([*sums, orientation, False, expected(contract, image, outputs)])
    found = jvm.answers(program, asked)
    assert len(found) == len(wanted) == 198
    for one, mine, theirs in zip(asked, found, wanted, strict=True):
        assert mine[:4] == theirs[:4], one
        assert agree(mine[4], theirs[4]), one
