"""A package for Python: a project that pip installs, without torch."""

from __future__ import annotations

import shutil
from importlib import metadata
from pathlib import Path

from affnet import detections, preprocessing
from affnet.artifact import Artifact
from affnet.templates.contract import Contract
from affnet.templates.render import render_folder, toml_string

GOLDEN = "golden"
COMMAND = (
    "cd {folder} && python3 -m venv .venv && .venv/bin/pip install -q '.[golden]' && "
    ".venv/bin/python golden_test.py"
)
FORMATS = ("onnx", "tflite")
OTHERS = "ExecuTorch's runtime for Python needs torch"
_PACKAGES = {"onnx": "onnxruntime", "tflite": "ai-edge-litert"}
_EXAMPLES = {
    "classification": "for label in Classifier().classify('photo.jpg'):\n"
    "    print(label.name, label.score)",
    "segmentation": "mask = Segmenter().segment('photo.jpg')\n"
    "print(mask.classes.shape, [(one.name, one.share) for one in mask.shares])",
    "detection": "for found in Detector().detect('photo.jpg', threshold=0.3):\n"
    "    print(found.name, found.score, found.box)",
}
_EXPORTS = {
    "classification": ("Classifier", "Label"),
    "segmentation": ("Mask", "Segmenter", "Share"),
    "detection": ("Detection", "Detector"),
}


def runtime_of(artifact: Artifact) -> tuple[str, str] | None:
    """Return the runtime's package and its version here, which proved the file."""
    package = _PACKAGES.get(artifact.manifest.format)
    return (package, metadata.version(package)) if package else None


def write(contract: Contract, folder: Path) -> None:
    """Write the project."""
    exports = _EXPORTS[contract.task]
    values = {
        "name": contract.name,
        "distribution": toml_string(contract.name.replace("_", "-")),
        "description": toml_string(f"A model for {contract.task} and its labels"),
        "task": contract.task,
        "class_name": contract.class_name,
        "runtime_package": contract.package,
        "runtime_version": contract.version,
        "execution": contract.execution,
        "example": _EXAMPLES[contract.task],
        "exports": ", ".join(exports),
        "quoted_exports": ", ".join(f'"{name}"' for name in exports),
        "command": COMMAND.format(folder="."),
    }
    module = folder / "src" / contract.name
    render_folder("python/common", folder, values)
    render_folder(f"python/{contract.task}", module, values)
    render_folder(f"python/{contract.runtime}", module, values)
    shutil.copyfile(str(preprocessing.__file__), module / "pixels.py")
    if contract.task == "detection":
        shutil.copyfile(str(detections.__file__), module / "boxes.py")
    contract.write(module)
