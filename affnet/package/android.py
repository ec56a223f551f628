"""A package for Android: a Gradle module in Kotlin, on LiteRT or ONNX Runtime."""

from __future__ import annotations

import json
from importlib import metadata
from pathlib import Path

from affnet.artifact import Artifact
from affnet.package.constants import constants, listed, truth
from affnet.package.golden import RECORD, write_numbers
from affnet.templates.contract import Contract
from affnet.templates.render import kotlin_literal, render_folder

GOLDEN = "src/androidTest/assets"
COMMAND = "cd {folder} && gradle connectedDebugAndroidTest"
FORMATS = ("onnx", "tflite")
_PACKAGES = {  # by format: Maven's package, and the one of Python that has the same versions
    "onnx": ("com.microsoft.onnxruntime:onnxruntime-android", "onnxruntime"),
    "tflite": ("com.google.ai.edge.litert:litert", "ai-edge-litert"),
}
_PLUGIN = "9.0.0"  # of Android for Gradle, where the folder is built alone
_LABELS = 1000  # in a function, whose code the virtual machine limits to 64 kB
_EXAMPLES = {
    "classification": "Classifier(context).use { classifier ->\n"
    '    for (label in classifier.classify(bitmap)) println("${label.name} ${label.score}")\n}',
    "segmentation": "Segmenter(context).use { segmenter ->\n"
    "    val mask = segmenter.segment(bitmap)\n"
    '    for (share in mask.shares) println("${share.name} ${share.share}")\n}',
    "detection": "Detector(context).use { detector ->\n"
    "    for (found in detector.detect(bitmap, threshold = 0.3f)) "
    'println("${found.name} ${found.box}")\n}',
}
_ANSWER = """        val best = model.classify(picture, 1).single()
        assertEquals({index}, best.index)
        assertEquals({label}, best.name)"""


def runtime_of(artifact: Artifact) -> tuple[str, str] | None:
    """Return Maven's package and the version that is installed here, which proved the file."""
    maven, installed = _PACKAGES.get(artifact.manifest.format, (None, ""))
    return (maven, metadata.version(installed)) if maven else None


def write(contract: Contract, folder: Path) -> None:
    """Write the module, after its golden test."""
    golden = json.loads((folder / GOLDEN / RECORD).read_text(encoding="utf-8"))
    record, answer = contract.to_record(), golden["answer"]
    outputs = [
        f"Output({kotlin_literal(one['name'])}, integers = {truth(one['dtype'] == 'int32')})"
        for one in record["outputs"]
    ]
    chunks = [contract.labels[at : at + _LABELS] for at in range(0, len(contract.labels), _LABELS)]
    values = constants(record, kotlin_literal, lambda value: f"{float(value)!r}f") | {
        "class_name": contract.class_name,
        "execution": contract.execution,
        "accelerator": "GPU" if contract.accelerator == "gpu" else "CPU",
        "asset": kotlin_literal(f"{contract.name}/{contract.artifact.path.name}"),
        "input_type": record["input"]["dtype"].upper(),
        "outputs": listed(outputs),
        "label_lists": " + ".join(f"labels{at}()" for at in range(len(chunks))) or "emptyList()",
        "labels": "\n\n".join(
            f"    private fun labels{at}() = listOf({listed(map(kotlin_literal, chunk))})"
            for at, chunk in enumerate(chunks)
        ),
        "android_plugin": _PLUGIN,
        "example": _EXAMPLES[contract.task],
        "command": COMMAND.format(folder="."),
        "answer": _ANSWER.format(index=answer["class"], label=kotlin_literal(answer["label"]))
        if answer
        else "",
    }
    render_folder("android/common", folder, values)
    code = folder / "src/main/kotlin/affnet" / contract.name
    render_folder(f"android/{contract.runtime}", code, values)
    render_folder(f"android/{contract.task}", code, values)
    contract.write(folder / "src/main/assets" / contract.name)
    write_numbers(folder / GOLDEN, golden)
