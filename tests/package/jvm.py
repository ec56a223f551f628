"""Packages for Android, compiled with doubles of Android and of the runtimes, run on a JVM."""

from __future__ import annotations

import json
import shutil
import struct
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

DOUBLES = Path(__file__).with_name("kotlin")
_PROBE = """
object {name}Probe : Probe {{
    override fun golden() = affnet.{name}.GoldenTest().run {{
        pixelsAreTheSameToTheLastBit()
        outputsAndAnswerAreTheSame()
    }}

    override fun answer(context: Context, bytes: ByteArray, container: ByteArray): String {{
        val picture = affnet.{name}.decodePicture(bytes)
        val read = affnet.{name}.Container(container)
        val pixels = checksumOfColors(affnet.{name}.toPixels(picture).argb)
        val found = affnet.{name}.{class_name}(context).use {{ model -> {answer} }}
        return "[$pixels, ${{checksum(Recorded.input)}}, ${{read.orientation}}, " +
            "${{read.animated}}, $found]"
    }}
}}
"""
_ANSWERS = {
    "Classifier": "model.classify(picture, 3).map { listOf(it.index, it.score) }",
    "Segmenter": "model.segment(picture).let { mask -> listOf(mask.width, mask.height, "
    "checksum(mask.classes), mask.shares.map { listOf(it.index, it.share) }) }",
    "Detector": "model.detect(picture, 0.05f).map { listOf(it.index, it.score, "
    "it.box.left, it.box.top, it.box.right, it.box.bottom) }",
}


@dataclass(frozen=True)
class Asked:
    """A picture for a package, or its golden test, and what its network gives."""

    model: str
    outputs: Sequence[NDArray[Any]]
    picture: Path | None = None  # None for the golden test
    container: Path | None = None  # whose orientation is asked; default: the picture's


def compiled(root: Path, models: dict[str, str]) -> Path:
    """Compile the packages in ``root``, by name and class, into a program; skip where that fails.

    Raises:
        AssertionError: the compiler rejects them.
    """
    probes = root / "Probes.kt"
    names = ", ".join(f'"{name}" to {name}Probe' for name in models)
    probes.write_text(
        "package doubles\n\nimport android.content.Context\n\n"
        f"val probes: Map<String, Probe> = mapOf({names})\n"
        + "".join(
            _PROBE.format(name=name, class_name=class_name, answer=_ANSWERS[class_name])
            for name, class_name in models.items()
        )
    )
    sources = [*DOUBLES.glob("*.kt"), probes, *root.glob("*/src/*/kotlin/**/*.kt")]
    program = root / "program.jar"
    command = ["kotlinc", "-include-runtime", "-d", str(program), *map(str, sources)]
    made = subprocess.run(command, capture_output=True, text=True)
    assert made.returncode == 0, made.stdout + made.stderr
    own = [line for line in made.stderr.splitlines() if "warning:" in line and "/src/main/" in line]
    assert own == []
    return program


def answers(program: Path, asked: Sequence[Asked]) -> list[Any]:
    """Return what the program says of each.

    Of a picture a list: checksums of pixels and input, the file's orientation, whether it is
    animated, and the answer.
    """
    folder = program.with_name("outputs")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    lines = []
    for index, one in enumerate(asked):
        outputs = folder / str(index)
        arrays = [np.asarray(array, ">f4").ravel() for array in one.outputs]
        content = b"".join(struct.pack(">i", array.size) + array.tobytes() for array in arrays)
        outputs.write_bytes(struct.pack(">i", len(arrays)) + content)
        picture = one.picture or "golden"
        lines.append(f"{one.model}\t{picture}\t{outputs}\t{one.container or picture}")
    command = ["java", "-Djava.awt.headless=true", "-cp", str(program), "doubles.MainKt"]
    run = subprocess.run(
        [*command, str(program.parent)], input="\n".join(lines), capture_output=True, text=True
    )
    assert run.returncode == 0, run.stderr[-2000:]
    return [json.loads(line) for line in run.stdout.splitlines()]
