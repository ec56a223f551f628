"""A package for C++: a CMake project on ONNX Runtime's C interface."""

from __future__ import annotations

import json
import re
from importlib import metadata
from pathlib import Path
from typing import Any

from affnet.artifact import Artifact
from affnet.errors import UsageError
from affnet.package.constants import constants, listed, truth
from affnet.package.golden import RECORD, write_numbers
from affnet.templates.contract import Contract
from affnet.templates.render import cpp_literal, render_folder

GOLDEN = "golden"
COMMAND = (
    "cmake -S {folder} -B {folder}/build && cmake --build {folder}/build && "
    "ctest --test-dir {folder}/build --output-on-failure"
)
FORMATS = ("onnx",)
_TYPES = {"float32": ("1", "4"), "uint8": ("2", "1"), "int8": ("3", "1")}  # ONNX's number, bytes
_EXAMPLES = {
    "classification": '{name}::Classifier classifier("{model}");\n'
    'for (const auto& label : classifier.classify({name}::decode_file("photo.jpg")))\n'
    "  std::cout << label.name << ' ' << label.score << '\\n';",
    "segmentation": '{name}::Segmenter segmenter("{model}");\n'
    'const auto mask = segmenter.segment({name}::decode_file("photo.jpg"));',
    "detection": '{name}::Detector detector("{model}");\n'
    'for (const auto& found : detector.detect({name}::decode_file("photo.jpg"), 0.3f))\n'
    "  std::cout << found.name << ' ' << found.score << '\\n';",
}
_ANSWER = """  const auto best = model.classify(picture, 1).front();
  check(best.index == {index} && best.name == {label}, "the class is %.0f instead of %.0f\\n",
        best.index, {index});"""


def runtime_of(artifact: Artifact) -> tuple[str, str] | None:
    """Return the library and the version that is installed here, which proved the file."""
    if artifact.manifest.format != "onnx":
        return None
    return "onnxruntime", metadata.version("onnxruntime")


def write(contract: Contract, folder: Path) -> None:
    """Write the project, after its golden test."""
    record = json.loads((folder / GOLDEN / RECORD).read_text(encoding="utf-8"))
    model = contract.artifact.path.name
    if re.search(r'["\\$;\n]', model):
        raise UsageError(f"CMake has no name for a file called {model}; rename it.")
    answer = record["answer"]
    values = _constants(contract.to_record()) | {
        "name_literal": cpp_literal(contract.name),
        "class_name": contract.class_name,
        "execution": contract.execution,
        "model": model,
        "example": _EXAMPLES[contract.task].format(name=contract.name, model=model),
        "command": COMMAND.format(folder="."),
        "answer": _ANSWER.format(index=answer["class"], label=cpp_literal(answer["label"]))
        if answer
        else "",
    }
    render_folder("cpp/common", folder, values)
    render_folder(f"cpp/{contract.task}", folder, values)
    contract.write(folder)
    write_numbers(folder / GOLDEN, record)


def _constants(record: dict[str, Any]) -> dict[str, str]:
    """Return what `contract.h` holds of ``contract.json``."""
    outputs, labels = record["outputs"], record["labels"]
    type_number, type_bytes = _TYPES[record["input"]["dtype"]]
    return constants(record, cpp_literal, lambda value: f"{float(value)!r}f") | {
        "input_type": type_number,
        "input_bytes": type_bytes,
        "output_count": str(len(outputs)),
        "output_names": listed(cpp_literal(output["name"]) for output in outputs),
        "output_is_integer": listed(truth(output["dtype"] == "int32") for output in outputs),
        "label_count": str(len(labels)),
        "labels": listed(map(cpp_literal, labels)),
    }
