"""A package for iOS and macOS: a Swift package on Core ML, or on Core AI of OS 27."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from affnet.artifact import Artifact
from affnet.package.constants import constants, listed, truth
from affnet.package.golden import RECORD, gives_rows, write_numbers
from affnet.templates.contract import Contract
from affnet.templates.render import render_folder, swift_literal

GOLDEN = "Tests/Golden"
COMMAND = "cd {folder} && swift test"
FORMATS = ("coreml", "coreai")
#: The first iOS and macOS that take a specification of Core ML and have what the code calls.
_SYSTEMS = {7: (16, 13), 8: (17, 14), 9: (18, 15), 10: (26, 26)}
#: Core ML's compute units, as affnet and as Swift call them.
_UNITS = {
    "all": "all",
    "cpu_only": "cpuOnly",
    "cpu_and_gpu": "cpuAndGPU",
    "cpu_and_ne": "cpuAndNeuralEngine",
}
#: What templates say of the framework that runs a format; its ``Network.swift`` has its own folder.
_FRAMEWORKS = {
    "coreml": {
        "framework": "Core ML",
        "module": "CoreML",
        "compute_units_type": "MLComputeUnits",
        "compute_units": "all",
        "first_use": "Core ML compiles the model when it is first used, and it is kept in the "
        "folder of caches.",
        "doubles": "Core ML, Core Video, Core Graphics and Image I/O",
        "proof": "affnet's evaluator of ML programs",
        "async": "",
        "await": "",
        "sendable": "",
    },
    "coreai": {
        "framework": "Core AI",
        "module": "CoreAI",
        "compute_units_type": "SpecializationOptions",
        "compute_units": "default",
        "first_use": "Core AI specializes the model for the device when it is first used, and "
        "keeps the result.",
        "doubles": "Core AI (after Apple's documentation), Core Graphics and Image I/O",
        "proof": "the interpreter of coreai-core",
        "async": " async",
        "await": "await ",
        "sendable": ": Sendable",
    },
}
_EXAMPLES = {
    "classification": "let classifier = try await Classifier()\n"
    "for label in try {wait}classifier.classify(image) {{ print(label.name, label.score) }}",
    "segmentation": "let segmenter = try await Segmenter()\n"
    "let mask = try {wait}segmenter.segment(image)\n"
    "for share in mask.shares {{ print(share.name, share.share) }}",
    "detection": "let detector = try await Detector()\n"
    "let found = try {wait}detector.detect(image, threshold: 0.3)\n"
    "for one in found {{ print(one.name, one.box) }}",
}
_ANSWER = """    let found = try {wait}model.classify(try picture(), top: 1)
    let best = try XCTUnwrap(found.first)
    XCTAssertEqual(best.index, {index})
    XCTAssertEqual(best.name, {label})"""


def runtime_of(artifact: Artifact) -> tuple[str, str] | None:
    """Return Apple's framework and the first iOS whose own takes the file."""
    name = artifact.manifest.format  # and the runtime's
    if name not in _FRAMEWORKS:
        return None
    return _FRAMEWORKS[name]["framework"], f"iOS {_systems(name, artifact)[0]}"


def write(contract: Contract, folder: Path) -> None:
    """Write the package, after its golden test."""
    golden = json.loads((folder / GOLDEN / RECORD).read_text(encoding="utf-8"))
    values = _values(contract, golden["answer"])
    render_folder("ios/common", folder, values)
    render_folder(f"ios/{contract.runtime}", folder, values)
    render_folder(f"ios/{contract.task}", folder / "Sources", values)
    contract.write(folder / "Sources/Resources")
    write_numbers(folder / GOLDEN, golden)


def _values(contract: Contract, answer: dict[str, Any] | None) -> dict[str, str]:
    """Return what templates fill in."""
    framework, record = _FRAMEWORKS[contract.runtime], contract.to_record()
    ios, macos = _systems(contract.runtime, contract.artifact)
    model, wait = contract.artifact.path.name, framework["await"]
    numbers = constants(record, swift_literal, lambda value: repr(float(value)))
    chosen = (
        contract.execution if contract.accelerator else f"what {framework['framework']} chooses"
    )
    return {**numbers, **framework} | {
        "name": module_of(contract),
        "class_name": contract.class_name,
        "execution": chosen,
        "compute_units": _UNITS.get(contract.accelerator, framework["compute_units"]),
        "ios": str(ios),
        "macos": str(macos),
        "model_literal": swift_literal(model),
        "resource": swift_literal(f"Resources/{model}"),
        "sha256": swift_literal(record["model"]["sha256"]),
        "takes_pictures": truth(record["input"]["dtype"] == "uint8"),
        "rows": truth(gives_rows(contract)),
        "output_names": listed(swift_literal(one["name"]) for one in record["outputs"]),
        "labels": "\n".join(f"    {swift_literal(label)}," for label in contract.labels),
        "example": _EXAMPLES[contract.task].format(wait=wait),
        "command": COMMAND.format(folder="."),
        "answer": _answer(answer, wait) if answer else "",
    }


def _answer(answer: dict[str, Any], wait: str) -> str:
    """Return what the golden test compares a class with."""
    label = swift_literal(answer["label"])
    return _ANSWER.format(index=answer["class"], label=label, wait=wait)


def module_of(contract: Contract) -> str:
    """Return the module's name as Swift has them: ``EmojiModel``."""
    return "".join(word.capitalize() for word in contract.name.split("_"))


def _systems(runtime: str, artifact: Artifact) -> tuple[int, int]:
    """Return the first iOS and macOS that run the package."""
    if runtime == "coreai":
        return 27, 27
    version = artifact.manifest.details.get("specification_version", 0)
    return _SYSTEMS[min(max(version, min(_SYSTEMS)), max(_SYSTEMS))]
