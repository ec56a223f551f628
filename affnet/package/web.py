"""A package for the web: TypeScript, built by esbuild, with a demo page."""

from __future__ import annotations

import json
from pathlib import Path

from affnet.artifact import Artifact
from affnet.devices.browser.npm_packages import PACKAGES, versions
from affnet.runtimes import runtime_for
from affnet.templates.contract import Contract
from affnet.templates.render import render_folder

GOLDEN = "golden"
COMMAND = "cd {folder} && npm install && npm test"
FORMATS = ("onnx", "tflite")
OTHERS = "no other runtime runs in pages"
_EXAMPLES = {
    "classification": "const classifier = await Classifier.create();\n"
    "for (const { name, score } of await classifier.classify(file)) console.log(name, score);",
    "segmentation": "const segmenter = await Segmenter.create();\n"
    "const { width, height, classes, shares } = await segmenter.segment(file);",
    "detection": "const detector = await Detector.create();\n"
    "for (const found of await detector.detect(file)) console.log(found.name, found.box);",
}


def runtime_of(artifact: Artifact) -> tuple[str, str] | None:
    """Return the runtime's npm package and the version that affnet measures in browsers."""
    name = runtime_for(artifact.manifest.format).name
    return (PACKAGES[name], versions()[name]) if name in PACKAGES else None


def write(contract: Contract, folder: Path) -> None:
    """Write the project."""
    values = {
        "name": contract.name,
        "distribution": contract.name.replace("_", "-"),
        "task": contract.task,
        "class_name": contract.class_name,
        "runtime_package": contract.package,
        "runtime_version": contract.version,
        "execution": contract.execution,
        "model": json.dumps(contract.artifact.path.name),
        "example": _EXAMPLES[contract.task],
        "command": COMMAND.format(folder="."),
    }
    source = folder / "src"
    render_folder("web/common", folder, values)
    render_folder(f"web/{contract.task}", folder, values)
    render_folder(f"web/{contract.runtime}", folder, values)
    contract.write(source)
    (source / contract.artifact.path.name).rename(folder / contract.artifact.path.name)
