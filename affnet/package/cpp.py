"""A package for C++: a CMake project on ONNX Runtime's C interface."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path
from typing import Any

from affnet.artifact import Artifact
from affnet.errors import UsageError
from affnet.package.contract import Contract
from affnet.package.golden import RECORD
from affnet.package.render import cpp_literal, render_folder

GOLDEN = "golden"
COMMAND = (
    "cmake -S {folder} -B {folder}/build && cmake --build {folder}/build && "
    "ctest --test-dir {folder}/build --output-on-failure"
)
FORMATS = "onnx"
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
        "name": contract.name,
        "name_literal": cpp_literal(contract.name),
        "task": contract.task,
        "class_name": contract.class_name,
        "runtime_version": contract.version,
        "threads": str(contract.threads),
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
    (folder / GOLDEN / "golden.txt").write_text(_golden_text(record), encoding="utf-8")


def _constants(record: dict[str, Any]) -> dict[str, str]:
    """Return what `contract.h` holds of ``contract.json``."""
    steps, taken, rule = record["preprocessing"], record["input"], record["suppression"]
    outputs, labels = record["outputs"], record["labels"]
    type_number, type_bytes = _TYPES[taken["dtype"]]
    return {
        "exif_orientation": _bool(steps["exif_orientation"]),
        "cover": _bool(steps["resize"] == "cover"),
        "resize_height": str(steps["resize_to"][0]),
        "resize_width": str(steps["resize_to"][1]),
        "bicubic": _bool(steps["interpolation"] == "bicubic"),
        "crop_height": str(steps["crop"][0]),
        "crop_width": str(steps["crop"][1]),
        "mean": _list(map(_float, steps["mean"])),
        "std": _list(map(_float, steps["std"])),
        "low": _float(taken["range"][0]),
        "high": _float(taken["range"][1]),
        "input_name": cpp_literal(taken["name"]),
        "input_shape": _list(map(str, taken["shape"])),
        "input_type": type_number,
        "input_bytes": type_bytes,
        "channels_last": _bool(taken["layout"] == "NHWC"),
        "output_count": str(len(outputs)),
        "output_names": _list(cpp_literal(output["name"]) for output in outputs),
        "output_is_integer": _list(_bool(output["dtype"] == "int32") for output in outputs),
        "logits": _bool(record["scores"] == "logits"),
        "score_threshold": _float(rule["score_threshold"]),
        "iou_threshold": _float(rule["iou_threshold"]),
        "candidates": str(rule["candidates"]),
        "detections": str(rule["detections"]),
        "label_count": str(len(labels)),
        "labels": _list(map(cpp_literal, labels)),
    }


def _golden_text(record: dict[str, Any]) -> str:
    """Return the golden test's numbers, which C++ reads without a parser of JSON."""
    lines = [repr(record["tolerance"])]
    for output in record["outputs"]:
        lines.append(f"{output['step']} {output['largest']!r} {len(output['values'])}")
        lines.append(" ".join(map(repr, output["values"])))
    return "\n".join(lines) + "\n"


def _bool(value: bool) -> str:
    return "true" if value else "false"


def _float(value: float) -> str:
    return f"{float(value)!r}f"


def _list(values: Iterable[str]) -> str:
    return ", ".join(values)
