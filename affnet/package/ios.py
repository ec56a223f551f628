"""A package for iOS and macOS: a Swift package on Core ML."""

from __future__ import annotations

import json
from pathlib import Path

from affnet.artifact import Artifact
from affnet.package.constants import constants, listed, truth
from affnet.package.golden import RECORD, gives_rows, write_numbers
from affnet.templates.contract import Contract
from affnet.templates.render import render_folder, swift_literal

GOLDEN = "Tests/Golden"
COMMAND = "cd {folder} && swift test"
FORMATS = ("coreml",)
#: The first iOS and macOS that take a specification of Core ML and have what the code calls.
_SYSTEMS = {7: (16, 13), 8: (17, 14), 9: (18, 15), 10: (26, 26)}
#: Core ML's compute units, as affnet and as Swift call them.
_UNITS = {
    "all": "all",
    "cpu_only": "cpuOnly",
    "cpu_and_gpu": "cpuAndGPU",
    "cpu_and_ne": "cpuAndNeuralEngine",
}
_EXAMPLES = {
    "classification": "let classifier = try await Classifier()\n"
    "for label in try classifier.classify(image) { print(label.name, label.score) }",
    "segmentation": "let segmenter = try await Segmenter()\n"
    "let mask = try segmenter.segment(image)\n"
    "for share in mask.shares { print(share.name, share.share) }",
    "detection": "let detector = try await Detector()\n"
    "for found in try detector.detect(image, threshold: 0.3) { print(found.name, found.box) }",
}
_ANSWER = """    let best = try XCTUnwrap(model.classify(try picture(), top: 1).first)
    XCTAssertEqual(best.index, {index})
    XCTAssertEqual(best.name, {label})"""


def runtime_of(artifact: Artifact) -> tuple[str, str] | None:
    """Return Core ML and the first iOS whose own takes the file."""
    if artifact.manifest.format != "coreml":
        return None
    return "Core ML", f"iOS {_systems(artifact)[0]}"


def write(contract: Contract, folder: Path) -> None:
    """Write the package, after its golden test."""
    golden = json.loads((folder / GOLDEN / RECORD).read_text(encoding="utf-8"))
    record, answer, model = contract.to_record(), golden["answer"], contract.artifact.path.name
    ios, macos = _systems(contract.artifact)
    values = constants(record, swift_literal, lambda value: repr(float(value))) | {
        "name": module_of(contract),
        "class_name": contract.class_name,
        "execution": contract.execution if contract.accelerator else "what Core ML chooses",
        "compute_units": _UNITS[contract.accelerator or "all"],
        "ios": str(ios),
        "macos": str(macos),
        "model_literal": swift_literal(model),
        "resource": swift_literal(f"Resources/{model}"),
        "sha256": swift_literal(record["model"]["sha256"]),
        "takes_pictures": truth(record["input"]["dtype"] == "uint8"),
        "rows": truth(gives_rows(contract)),
        "output_names": listed(swift_literal(one["name"]) for one in record["outputs"]),
        "labels": "\n".join(f"    {swift_literal(label)}," for label in contract.labels),
        "example": _EXAMPLES[contract.task],
        "command": COMMAND.format(folder="."),
        "answer": _ANSWER.format(index=answer["class"], label=swift_literal(answer["label"]))
        if answer
        else "",
    }
    render_folder("ios/common", folder, values)
    render_folder(f"ios/{contract.task}", folder / "Sources", values)
    contract.write(folder / "Sources/Resources")
    write_numbers(folder / GOLDEN, golden)


def module_of(contract: Contract) -> str:
    """Return the module's name as Swift has them: ``EmojiModel``."""
    return "".join(word.capitalize() for word in contract.name.split("_"))


def _systems(artifact: Artifact) -> tuple[int, int]:
    """Return the first iOS and macOS that run the package."""
    version = artifact.manifest.details.get("specification_version", 0)
    return _SYSTEMS[min(max(version, min(_SYSTEMS)), max(_SYSTEMS))]
