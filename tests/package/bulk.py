"""What packages get of many pictures: the checksum of the pixels and the class, or an error."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from affnet.artifact import Artifact
from affnet.evaluation.datasets import CorruptImageError, LabelledImage
from affnet.layouts import as_input
from affnet.runtimes import runtime_for

Found = dict[str, dict[str, Any]]  # by file: pixels and class, or error
HERE = Path(__file__).parent


def by_affnet(artifact: Artifact, paths: Sequence[Path]) -> Found:
    """Return what the manifest says, by Pillow: the training pipeline."""
    session = runtime_for(artifact.manifest.format).load(artifact.path, threads=1)
    contract, found = artifact.pixel_contract(), {}
    for path in paths:
        try:
            image = LabelledImage(path, 0).open()
        except CorruptImageError as error:
            found[str(path)] = {"error": str(error)}
            continue
        pixels = zlib.crc32(contract.pixels(image).tobytes())
        (logits,) = session.run(as_input(contract(image)[None], artifact.manifest.inputs[0]))
        found[str(path)] = {"pixels": pixels, "class": int(np.argmax(logits[0]))}
    return found


def by_python(package: Path, paths: Sequence[Path]) -> Found:
    """Run a package for Python in an interpreter of its own."""
    return _listed([sys.executable, str(HERE / "bulk_python.py"), str(package)], paths)


def by_cpp(package: Path, paths: Sequence[Path]) -> Found:
    """Build a program on a package for C++, and run it."""
    project, build = package.with_name("bulk-cpp"), package.with_name("bulk-cpp-build")
    project.mkdir(exist_ok=True)
    shutil.copy(HERE / "bulk.cpp", project)
    (project / "CMakeLists.txt").write_text(
        "cmake_minimum_required(VERSION 3.16)\nproject(bulk LANGUAGES CXX)\n"
        f"add_subdirectory({package} package)\nadd_executable(bulk bulk.cpp)\n"
        "target_link_libraries(bulk PRIVATE emoji_model)\n"
        "set_target_properties(bulk PROPERTIES BUILD_RPATH ${CMAKE_BINARY_DIR}/package)\n"
    )
    for command in (["cmake", "-S", project, "-B", build], ["cmake", "--build", build]):
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=with_this_python())
    return _listed([str(build / "bulk"), str(package / "emoji.onnx")], paths)


def with_this_python() -> dict[str, str]:
    """Return an environment in which CMake finds the library in this interpreter's packages."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return {**os.environ, "PATH": path}


def by_web(package: Path, paths: Sequence[Path], folder: Path) -> Found:
    """Open a page of a built package for the web in Chromium; pictures lie below ``folder``."""
    shutil.copy(HERE / "bulk.html", package / "build")
    return _listed(["node", str(HERE / "bulk.mjs"), str(package), str(folder)], paths)


def demo(package: Path) -> dict[str, Any]:
    """Return what the demo of a built package for the web shows on a screen of 320 pixels."""
    command = ["node", str(HERE / "demo.mjs"), str(package)]
    run = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert run.returncode == 0, run.stderr[-2000:]
    shown: dict[str, Any] = json.loads(run.stdout)
    return shown


def _listed(command: list[str], paths: Sequence[Path]) -> Found:
    """Run a program that reads names of files and prints a line of JSON for each."""
    run = subprocess.run(
        command, input="\n".join(map(str, paths)), capture_output=True, text=True, timeout=900
    )
    assert run.returncode == 0, run.stderr[-2000:]
    lines = [json.loads(line) for line in run.stdout.splitlines()]
    return {line.pop("file"): line for line in lines}
