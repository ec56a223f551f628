"""Packages for iOS, compiled on Linux with doubles of Apple's frameworks, and run there."""

from __future__ import annotations

import json
import os
import shutil
import struct
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from affnet.package.ios import GOLDEN, module_of
from affnet.templates.contract import Contract
from tests.package.pictures import ORIENTATION

DOUBLES = Path(__file__).with_name("swift")
_MODULES = ("CoreGraphics", "ImageIO", "CoreVideo", "Recording", "CoreML", "CoreAI")  # in order
_ANSWERS = {
    "Classifier": "try await model.classify(picture, top: 3).map { "
    "[Double($0.index), Double($0.score)] }",
    "Segmenter": "try await model.segment(picture).shares.map { "
    "[Double($0.index), Double($0.share)] } + [[Double(checksum("
    "try await model.segment(picture).classes.flatMap { big(UInt32($0)) }))]]",
    # boxes of a random network may be turned around, which minX and maxX would undo
    "Detector": "try await model.detect(picture, threshold: 0.05).map { one in "
    "let box = one.box; return [Double(one.index), Double(one.score), box.origin.x, box.origin.y, "
    "box.origin.x + box.size.width, box.origin.y + box.size.height] }",
}
_BUNDLE = """import Foundation

extension Bundle {
  static var module: Resources { Resources() }
}

struct Resources {
  func url(forResource name: String, withExtension: String?) -> URL? {
    URL(fileURLWithPath: ProcessInfo.processInfo.environment["FOLDER"]! + "/PART/\\(name)")
  }
}
"""


def frameworks(folder: Path) -> None:
    """Compile the doubles into a folder."""
    for name in _MODULES:
        _swiftc(
            folder, "-parse-as-library", "-emit-module", "-emit-library", "-static", "-I", ".",
            "-module-name", name, "-o", f"lib{name}.a", DOUBLES / f"{name}.swift",
        )  # fmt: skip


def compiled(package: Path, contract: Contract, folder: Path) -> Path:
    """Compile a package and a program around it, with doubles in ``folder``.

    Raises:
        AssertionError: the compiler rejects them, or warns of the package.
    """
    name, class_name = module_of(contract), contract.class_name
    work = folder / name
    shutil.copytree(folder, work, ignore=lambda _, names: [n for n in names if "." not in n])
    (work / "Bundle.swift").write_text(_BUNDLE.replace("PART", "Sources/Resources"))
    sources = [*(package / "Sources").glob("*.swift"), work / "Bundle.swift"]
    said = _swiftc(
        work, "-parse-as-library", "-emit-module", "-emit-library", "-static", "-enable-testing",
        "-I", ".", "-module-name", name, "-o", f"lib{name}.a", *sources,
    )  # fmt: skip
    assert "warning:" not in said, said
    text = (DOUBLES / "Main.swift").read_text()
    text = text.replace("PACKAGE", name).replace("CLASS", class_name)
    (work / "main.swift").write_text(text.replace("ANSWER", _ANSWERS[class_name]))
    (work / "Bundle.swift").write_text(_BUNDLE.replace("PART", "Tests"))
    libraries = [f"-l{one}" for one in (name, *reversed(_MODULES))]
    _swiftc(
        work, "-I", ".", "-L", ".", "-o", "program", "main.swift", "Bundle.swift",
        package / "Tests" / "GoldenTests.swift", *libraries,
    )  # fmt: skip
    return work / "program"


def golden(program: Path, package: Path, outputs: Sequence[NDArray[Any]]) -> str:
    """Run a package's golden test on what its network gives; return what XCTest prints."""
    picture = package / GOLDEN / "golden.png"
    kept = picture.read_bytes()
    with Image.open(picture) as image:
        write_picture(image, picture)
    written = _written(program.with_name("golden"), outputs)
    environment = {**os.environ, "FOLDER": str(package), "GOLDEN": str(written)}
    run = subprocess.run([program], capture_output=True, text=True, env=environment)
    picture.write_bytes(kept)
    return run.stdout + run.stderr


def answers(
    program: Path, package: Path, asked: Sequence[tuple[Path, Sequence[NDArray[Any]]]]
) -> list[Any]:
    """Return of each picture checksums of pixels and input, and the answer."""
    lines = [
        f"{picture}\t{_written(program.with_name(f'outputs{index}'), outputs)}"
        for index, (picture, outputs) in enumerate(asked)
    ]
    run = subprocess.run(
        [program],
        input="\n".join(lines),
        capture_output=True,
        text=True,
        env={**os.environ, "FOLDER": str(package)},
    )
    assert run.returncode == 0, run.stderr[-2000:]
    return [json.loads(line) for line in run.stdout.splitlines()]


def write_picture(image: Image.Image, to: Path, count: int = 1) -> None:
    """Write a picture as the double of Image I/O reads it."""
    orientation = image.getexif().get(ORIENTATION, 1)
    colors = image.convert("RGBA").tobytes()
    to.write_bytes(b"RGBA" + struct.pack(">4i", *image.size, orientation, count) + colors)


def _written(to: Path, outputs: Sequence[NDArray[Any]]) -> Path:
    arrays = [np.asarray(array, ">f4").ravel() for array in outputs]
    content = b"".join(struct.pack(">i", array.size) + array.tobytes() for array in arrays)
    to.write_bytes(struct.pack(">i", len(arrays)) + content)
    return to


def _swiftc(folder: Path, *arguments: str | Path) -> str:
    run = subprocess.run(
        ["swiftc", "-swift-version", "5", *map(str, arguments)],
        cwd=folder, capture_output=True, text=True,
    )  # fmt: skip
    assert run.returncode == 0, run.stdout + run.stderr
    return run.stderr
