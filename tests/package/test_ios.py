"""Packages for iOS: compiled by Swift on Linux with doubles of Apple's frameworks, and run there.

What they give each picture is compared with affnet's own code, as packages for Android are.
"""

from __future__ import annotations

import dataclasses
import shutil
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from affnet.artifact import PROBABILITIES, TensorSpec
from affnet.export.pipeline import ExportOptions, export_artifact
from affnet.files import content_sha256
from affnet.layouts import as_input
from affnet.package import ios
from affnet.package.build import build
from affnet.package.golden import write_golden
from affnet.package.licences import licence_files
from affnet.runtimes import runtime_for
from affnet.templates.contract import Contract, contract_of
from affnet.templates.render import swift_literal
from tests.dense import Colours, FixedBoxes, dense_source
from tests.package import linux_swift, networks, pictures
from tests.package.answers import CLASSES, agree, expected, given


def test_a_literal_of_swift_is_what_it_was() -> None:
    text = "".join(networks.HOSTILE) + "\U0001f600\udc00"
    literal = swift_literal(text)
    assert literal.isascii()
    assert "\n" not in literal
    parts = literal[1:-1].split("\\u{")
    found = parts[0] + "".join(
        chr(int(part[: part.index("}")], 16)) + part[part.index("}") + 1 :] for part in parts[1:]
    )
    assert found == text.replace("\udc00", "\N{REPLACEMENT CHARACTER}")
    assert '"' not in literal[1:-1]


@pytest.mark.parametrize(
    ("specification", "system"), [(6, "iOS 16"), (7, "iOS 16"), (9, "iOS 18"), (10, "iOS 26")]
)
def test_the_first_system_is_that_of_file_and_code(
    specification: int, system: str, tmp_path: Path
) -> None:
    artifact = networks.write(tmp_path).with_manifest(
        format="coreml", details={"specification_version": specification}
    )
    assert ios.runtime_of(artifact) == ("Core ML", system)


def test_core_ai_needs_its_first_system(tmp_path: Path) -> None:
    artifact = networks.write(tmp_path).with_manifest(format="coreai")
    assert ios.runtime_of(artifact) == ("Core AI", "iOS 27")


@pytest.mark.parametrize(
    ("task", "call"),
    [
        ("classification", "for label in try await classifier.classify(image)"),
        ("segmentation", "let mask = try await segmenter.segment(image)"),
        ("detection", "let found = try await detector.detect(image, threshold: 0.3)"),
    ],
)
def test_what_runs_on_core_ai_is_asynchronous_in_code_and_docs(
    task: str, call: str, tmp_path: Path
) -> None:
    contract, package = written(task, tmp_path, "coreai")
    assert "Core AI, a part of Apple's systems" in licence_files(contract)["NOTICE"]
    manifest, readme = (package / name for name in ("Package.swift", "README.md"))
    assert 'platforms: [.iOS("27.0"), .macOS("27.0")]' in manifest.read_text()
    assert f'.copy("Resources/{task}.onnx")' in manifest.read_text()
    assert "it needs ios 27 or macos 27" in readme.read_text().lower()
    assert call in readme.read_text()
    code = "".join(path.read_text() for path in package.rglob("*.swift"))
    assert "CoreML" not in code
    assert "static let computeUnits = SpecializationOptions.default" in code
    assert code.count("async throws ->") == 3  # the network, of an image, of a picture


def written(task: str, folder: Path, runtime: str = "coreml") -> tuple[Contract, Path]:
    """Write the package of a network of ONNX: Apple's framework is a double that gives the same."""
    package = folder / task
    artifact = networks.write(folder, task, name=task)
    contract = contract_of(artifact, runtime, "of Apple", "of now", 1)
    write_golden(contract, package / ios.GOLDEN, ".png")
    ios.write(contract, package)
    return contract, package


def picture_taking(folder: Path) -> tuple[Contract, Path]:
    """Write the package of a classifier by name that takes pictures and turns them upright."""
    contract, package = written("classification", folder / "named")
    (taken,) = contract.artifact.manifest.inputs
    taken = dataclasses.replace(
        taken, shape=(1, *networks.SIZE, 3), dtype="uint8", layout="NHWC", range=(0.0, 255.0)
    )
    steps = dataclasses.replace(contract.artifact.pixel_contract(), exif_orientation=True)
    outputs = (TensorSpec(PROBABILITIES, (1, networks.CLASSES), "float32", class_axis=1),)
    artifact = contract.artifact.with_manifest(
        inputs=(taken,), outputs=outputs, preprocessing=steps
    )
    contract = dataclasses.replace(contract, artifact=artifact)
    shutil.rmtree(package / "Sources")
    ios.write(contract, package)
    with Image.open(package / ios.GOLDEN / "golden.png") as image:
        (package / ios.GOLDEN / "golden.pixels").write_bytes(steps.pixels(image).tobytes())
    return contract, package


def giving_classes(folder: Path) -> tuple[Contract, Path]:
    """Write the package of a segmenter that gives the class of each place, as whole numbers."""
    contract, package = written("segmentation", folder / "classes", "coreai")
    outputs = (TensorSpec("classes", (1, *networks.SIZE), "int32"),)
    artifact = contract.artifact.with_manifest(outputs=outputs)
    contract = dataclasses.replace(contract, artifact=artifact)
    shutil.rmtree(package / "Sources")
    ios.write(contract, package)
    return contract, package


def rows(random: np.random.Generator, count: int) -> list[NDArray[np.float32]]:
    """Return what Core ML's suppression may give of 80 classes."""
    confidence = random.dirichlet(np.full(80, 0.02), (1, count)).astype(np.float32)
    order = np.argsort(-confidence[0].max(axis=-1), kind="stable")
    return [confidence[:, order], random.uniform(0, 1, (1, count, 4)).astype(np.float32)]


@pytest.mark.exhaustive
@pytest.mark.converters
def test_detectors_for_vision_are_packaged(tmp_path: Path) -> None:
    needs_swift()
    options = ExportOptions("coreml", head="detector")
    artifact = export_artifact(dense_source(FixedBoxes()), options, tmp_path)
    package = build(artifact.path, "ios", tmp_path / "package", 1).folder
    contract = contract_of(artifact, "coreml", "Core ML", "iOS 16", 1)
    (tmp_path / "doubles").mkdir()
    linux_swift.frameworks(tmp_path / "doubles")
    program = linux_swift.compiled(package, contract, tmp_path / "doubles")

    session = runtime_for("coreml").load(artifact.path, threads=1)
    with Image.open(package / ios.GOLDEN / "golden.png") as image:
        taken = as_input(contract.artifact.pixel_contract()(image)[None], contract.input)
    full = session.run(taken)
    found = [output[:, :2] for output in full]
    assert "with 0 failures" in linux_swift.golden(program, package, found)
    turned = [output[:, ::-1] for output in found]
    assert "with 0 failures" in linux_swift.golden(program, package, turned)
    for wrong in ([2 * found[0], found[1]], [output[:, :1] for output in found]):
        assert "is missing" in linux_swift.golden(program, package, wrong)

    random, asked, wanted = np.random.default_rng(0), [], []
    for index, path in enumerate(pictures.synthetic(tmp_path / "pictures", 6)):
        with Image.open(path) as image:
            picture = tmp_path / f"{index}.rgba"
            linux_swift.write_picture(image, picture)
            outputs = rows(random, 7 * index)
            asked.append((picture, outputs))
            wanted.append(expected(contract, image, outputs))
    answers = linux_swift.answers(program, package, asked)
    for one, mine, theirs in zip(asked, answers, wanted, strict=True):
        assert agree(mine[2], theirs), (one, mine[2], theirs)


@pytest.mark.exhaustive
def test_files_of_core_ai_are_packaged(tmp_path: Path) -> None:
    needs_swift()
    pytest.importorskip("coreai_torch", reason="needs coreai-torch (pip install 'affnet[coreai]')")
    options = ExportOptions("coreai", head="argmax")
    artifact = export_artifact(dense_source(Colours()), options, tmp_path)
    made = build(artifact.path, "ios", tmp_path / "package", 1)
    assert made.runtime == "Core AI iOS 27"
    contract = contract_of(artifact, "coreai", "Core AI", "iOS 27", 1)
    kept = made.folder / "Sources/Resources" / artifact.path.name
    assert content_sha256(kept) == artifact.manifest.sha256
    (tmp_path / "doubles").mkdir()
    linux_swift.frameworks(tmp_path / "doubles")
    program = linux_swift.compiled(made.folder, contract, tmp_path / "doubles")

    with Image.open(made.folder / ios.GOLDEN / "golden.png") as image:
        taken = as_input(contract.artifact.pixel_contract()(image)[None], contract.input)
    (classes,) = runtime_for("coreai").load(artifact.path, threads=1).run(taken)
    assert classes.dtype == np.int32
    assert "with 0 failures" in linux_swift.golden(program, made.folder, [classes])
    assert "XCTAssertEqual failed" in linux_swift.golden(program, made.folder, [classes + 1])


def needs_swift() -> None:
    if shutil.which("swiftc") is None:
        pytest.skip("needs swiftc, such as of Debian's package swiftlang")


@pytest.mark.exhaustive
@pytest.mark.parametrize(
    ("runtime", "form"),
    [
        *(("coreml", form) for form in (*CLASSES, "named")),
        *(("coreai", form) for form in (*CLASSES, "classes")),
    ],
)
def test_packages_give_each_picture_what_affnet_gives_it(
    runtime: str, form: str, tmp_path: Path
) -> None:
    needs_swift()
    (tmp_path / form).mkdir()
    (tmp_path / "doubles").mkdir()
    special = {"named": picture_taking, "classes": giving_classes}
    contract, package = (
        special[form](tmp_path) if form in special else written(form, tmp_path, runtime)
    )
    network = networks.write(tmp_path, contract.task, name="same")
    linux_swift.frameworks(tmp_path / "doubles")
    program = linux_swift.compiled(package, contract, tmp_path / "doubles")

    with Image.open(package / ios.GOLDEN / "golden.png") as image:
        outputs = given(network, image)
    if form not in special:  # whose golden test was written for another file
        assert "Executed 2 tests, with 0 failures" in linux_swift.golden(program, package, outputs)
        wrong = [2 * outputs[0], *outputs[1:]]
        assert "XCTAssertEqual failed" in linux_swift.golden(program, package, wrong)

    asked, wanted = [], []
    for index, path in enumerate(pictures.synthetic(tmp_path / "pictures", 44)):
        with Image.open(path) as image:
            if image.has_transparency_data or image.mode.startswith("I"):
                continue  # Core Graphics loses bits of the former, and Pillow reads the latter
            outputs = given(network, image)
            answer = expected(contract, image, outputs)
            if form == "named":
                scores = np.exp(outputs[0] - outputs[0].max())
                outputs = [scores / scores.sum()]
            elif form == "classes":
                outputs = [outputs[0].argmax(axis=1)]
            picture = tmp_path / f"{index}.rgba"
            linux_swift.write_picture(image, picture)
            asked.append((picture, outputs))
            steps = contract.artifact.pixel_contract()
            taken = as_input(steps(image)[None], contract.input).astype(">f4")
            sums = zlib.crc32(steps.pixels(image).tobytes()), zlib.crc32(taken.tobytes())
        if contract.task == "segmentation":
            answer = [*answer[3], [answer[2]]]
        wanted.append([*sums, answer])
    found = linux_swift.answers(program, package, asked)
    assert len(found) == len(wanted) == 34
    for one, mine, theirs in zip(asked, found, wanted, strict=True):
        assert mine[:2] == theirs[:2], one
        assert agree(mine[2], theirs[2]), (one, mine[2], theirs[2])
    refuses_what_moves(program, package, outputs, tmp_path)


def refuses_what_moves(
    program: Path, package: Path, outputs: Sequence[NDArray[Any]], folder: Path
) -> None:
    late = folder / "moving.rgba"
    linux_swift.write_picture(Image.new("RGB", (9, 9)), late, count=2)
    (refused,) = linux_swift.answers(program, package, [(late, outputs)])
    assert refused == "The picture is animated; give a single picture."
