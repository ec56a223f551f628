"""All that a package states of its model: the manifest, in the form that packages read."""

from __future__ import annotations

import dataclasses
import json
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from affnet.artifact import CENTERS, COORDINATES, Artifact, TensorSpec
from affnet.detections import Suppression
from affnet.errors import LabelsError, UsageError

_INPUT_TYPES = ("float32", "uint8", "int8")
_OUTPUT_TYPES = ("float32", "int32")
_CLASS_NAMES = {
    "classification": "Classifier",
    "segmentation": "Segmenter",
    "detection": "Detector",
}


@dataclass(frozen=True)
class Contract:
    """A model for one runtime, with all that its pictures and its answers need."""

    name: str  # of the package: letters, digits and underscores
    artifact: Artifact
    runtime: str  # affnet's name of it
    package: str  # where the target gets the runtime from
    version: str  # of that package, exactly
    labels: tuple[str, ...]
    threads: int
    accelerator: str = ""  # gpu (Android), Core ML's compute units (iOS); "": the package's usual
    measured: str = ""  # what says that threads and accelerator are the fastest, if anything does

    @property
    def task(self) -> str:
        """What the model is for."""
        return self.artifact.manifest.task

    @property
    def class_name(self) -> str:
        """The name of the class that an app uses."""
        return _CLASS_NAMES[self.task]

    @property
    def input(self) -> TensorSpec:
        """What the model takes."""
        return self.artifact.manifest.inputs[0]

    @property
    def outputs(self) -> tuple[TensorSpec, ...]:
        """What the model gives."""
        return self.artifact.manifest.outputs

    @property
    def execution(self) -> str:
        """What the model runs on unless the app says otherwise, for people."""
        where = {"": f"{self.threads} thread(s) of the CPU", "gpu": "the GPU"}
        text = where.get(self.accelerator, f"Core ML's compute units {self.accelerator}")
        return f"{text}, measured as the fastest" if self.measured else text

    def to_record(self) -> dict[str, Any]:
        """Return the content of ``contract.json``."""
        manifest, spec = self.artifact.manifest, self.input
        low, high = spec.range or (0.0, 1.0)
        return {
            "name": self.name,
            "task": self.task,
            "model": {"file": self.artifact.path.name, "sha256": manifest.sha256},
            "runtime": {"package": self.package, "version": self.version},
            "threads": self.threads,
            "accelerator": self.accelerator,
            "measured": self.measured,
            "preprocessing": dataclasses.asdict(self.artifact.pixel_contract().outside),
            "input": {
                "name": spec.name,
                "shape": list(spec.static_shape()),
                "dtype": spec.dtype,
                "layout": spec.layout,
                "range": [low, high],
            },
            "outputs": [
                {
                    "name": one.name,
                    "shape": list(one.static_shape()),
                    "dtype": one.dtype,
                    "layout": one.layout,
                }
                for one in self.outputs
            ],
            "scores": "probabilities" if manifest.gives_probabilities else "logits",
            "suppression": dataclasses.asdict(Suppression()),
            "labels": list(self.labels),
        }

    def write(self, folder: Path) -> None:
        """Write the model and ``contract.json`` into a folder of a package."""
        folder.mkdir(parents=True, exist_ok=True)
        source = self.artifact.path
        if source.is_dir():  # Core ML's and Core AI's
            shutil.copytree(source, folder / source.name)
        else:
            shutil.copyfile(source, folder / source.name)
        text = json.dumps(self.to_record(), indent=1)
        (folder / "contract.json").write_text(text + "\n", encoding="utf-8")


def contract_of(
    artifact: Artifact,
    runtime: str,
    package: str,
    version: str,
    threads: int,
    accelerator: str = "",
    measured: str = "",
) -> Contract:
    """Return what a package of an artifact states.

    Raises:
        UsageError: it takes no pictures, or types of numbers that packages do not handle.
        LabelsError: it has not one label for each class.
    """
    manifest, path = artifact.manifest, artifact.path
    if manifest.task not in _CLASS_NAMES:
        raise UsageError(
            f"{path} was not exported from a network of affnet, so that the meaning of its "
            "outputs is not known."
        )
    if artifact.pixel_contract().picture is not None and manifest.task == "segmentation":
        raise UsageError(
            f"{path} resizes pictures itself, and its map of classes has another size than they",
            "for a package, export it with --preprocess spec of affnet export.",
        )
    types = (manifest.inputs[0].dtype, *(output.dtype for output in manifest.outputs))
    if types[0] not in _INPUT_TYPES or any(one not in _OUTPUT_TYPES for one in types[1:]):
        raise UsageError(
            f"{path} takes {types[0]} and gives {', '.join(types[1:])}, which packages do not "
            "handle",
            "export it with outputs of float32.",
        )
    return Contract(
        _name_of(path.stem),
        artifact,
        runtime,
        package,
        version,
        _labels(artifact),
        threads,
        accelerator,
        measured,
    )


def _name_of(stem: str) -> str:
    """Return a name that no language or registry rejects, and no runtime's package has."""
    words = [word for word in re.findall(r"[a-z0-9]+", stem.lower()) if word != "model"]
    if words and words[0][0].isdigit():
        return "_".join(["model", *words])
    return "_".join([*words, "model"])


def _labels(artifact: Artifact) -> tuple[str, ...]:
    """Return one label for each class, which are numbered where they have no names."""
    manifest = artifact.manifest
    # there the background has no column
    background = any(output.name in (CENTERS, COORDINATES) for output in manifest.outputs)
    counts = [
        output.static_shape()[output.class_axis] + background
        for output in manifest.outputs
        if output.class_axis is not None
    ]
    labels = manifest.labels
    if labels is None:
        return tuple(f"class {index}" for index in range(counts[0] if counts else 0))
    if counts and len(labels) != counts[0]:
        raise LabelsError(
            f"{artifact.path} has {len(labels)} labels for {counts[0]} classes",
            "export it again with a labels file of one name a line: affnet export --labels FILE",
        )
    return labels
