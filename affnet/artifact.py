"""An artifact: a file (or folder) that a runtime executes, and the manifest that describes it."""

from __future__ import annotations

import dataclasses
import functools
import json
import math
import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from affnet.dynamic_axes import DynamicAxis
from affnet.errors import ArtifactError
from affnet.evidence import DeviceProof, MeasuredAccuracy
from affnet.files import companion, content_bytes, content_sha256
from affnet.parity import TOLERANCES, Parity
from affnet.preprocessing import Preprocessing, published
from affnet.reading import parse_json, read_text
from affnet.tensor_spec import TensorSpec as TensorSpec
from affnet.tensor_spec import image_spec as image_spec
from affnet.tensor_spec import logits_spec as logits_spec

if TYPE_CHECKING:
    from pydantic import TypeAdapter

#: What a network takes at once: an array for each of its inputs.
Arrays = tuple[NDArray[Any], ...]

SCHEMA = 1
#: What a network is for; ``other`` is a program of the user's own, of which that is not known.
TASKS = ("classification", "segmentation", "detection", "other")
#: The output of a file that has the softmax inside, and of a detector's what stands beside it.
PROBABILITIES, CENTERS = "probabilities", "centers"
#: The outputs of a detector whose file suppresses boxes as Core ML does.
CONFIDENCE, COORDINATES = "confidence", "coordinates"
#: The kind of provenance of a file that another tool made.
UNPROVEN = "unproven"
_MOST_VALUES = 1 << 28  # of a tensor: 1 GB of float32
_SUFFIX = ".manifest.json"


@dataclass(frozen=True)
class Provenance:
    """Where an artifact's weights come from, so that its PyTorch source can be built again."""

    kind: str  # variant, checkpoint, bundled, peer, program, function; `UNPROVEN`
    location: str  # its name, or its file as `affnet.files.portable` names it
    weights: str  # what is known of them: "trained", "from a file", "as given", "random (seed 0)"
    sha256: str | None  # of the checkpoint file
    settings: dict[str, Any]  # what building the network again needs


@dataclass(frozen=True)
class Manifest:
    """All that is known of an artifact, stored as JSON beside it."""

    model: str
    format: str
    precision: str
    sha256: str
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    labels: tuple[str, ...] | None
    fft_plan: dict[str, str]  # map size, "HxW", to the plan that computes it
    route: str  # the conversion path taken
    fallbacks: tuple[dict[str, str], ...]  # paths tried before it: fft, route, reason
    details: dict[str, Any]  # what only this format has, such as the opset
    provenance: Provenance
    parameters: int | None  # None of a file that another tool made
    macs: int | None  # multiply-accumulates of one image
    published: dict[str, Any] | None  # quoted numbers with their source
    tools: dict[str, str]  # package to version
    parity: Parity | None  # measured at export
    task: str = "classification"  # of `TASKS`; what all were for before manifests said it
    accuracy: tuple[MeasuredAccuracy, ...] = ()  # measured since, one for each data set
    preprocessing: Preprocessing | None = None  # None where it takes no pictures
    proofs: tuple[DeviceProof, ...] = ()  # on other processors, one for each device
    dynamic: tuple[DynamicAxis, ...] = ()  # lengths left open in the shapes, by their names

    @property
    def gives_probabilities(self) -> bool:
        """Whether the file has a classifier's softmax inside."""
        return self.outputs[0].name == PROBABILITIES

    def described_inputs(self) -> list[dict[str, Any]]:
        """Return what `affnet.parity.reference_inputs` takes."""
        return [
            {"shape": spec.static_shape(), "dtype": spec.dtype, "range": spec.range}
            for spec in self.inputs
        ]

    def to_json(self) -> str:
        """Return the manifest file's text."""
        return json.dumps({"schema": SCHEMA, **dataclasses.asdict(self)}, indent=2) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Manifest:
        """Parse a manifest file's text; raise `ValueError` with the reason if it is none."""
        fields = parse_json(text)
        if not isinstance(fields, dict) or "schema" not in fields:
            raise ValueError("it has no schema number")
        if (schema := fields.pop("schema")) != SCHEMA:
            raise ValueError(f"its schema is {schema}, this version reads {SCHEMA}")
        from pydantic import ValidationError

        stated = "preprocessing" in fields
        try:
            manifest = _adapter().validate_python(fields)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"]))
            raise ValueError(f"{where}: {first['msg'].lower()}") from error
        if manifest.precision not in TOLERANCES:
            raise ValueError(f"precision: {manifest.precision!r} is unknown")
        if manifest.task not in TASKS:
            raise ValueError(f"task: {manifest.task!r} is unknown")
        if not manifest.inputs or not manifest.outputs:
            raise ValueError("it names no input or no output")
        for kind in ("inputs", "outputs"):
            for index, spec in enumerate(getattr(manifest, kind)):
                if reason := _oddity(spec):
                    raise ValueError(f"{kind}.{index}: {reason}")
        return _with_preprocessing(manifest, stated)


@functools.cache  # it takes longer to make than to use a hundred times
def _adapter() -> TypeAdapter[Manifest]:
    from pydantic import TypeAdapter

    return TypeAdapter(Manifest)


def usual_preprocessing(spec: TensorSpec, task: str) -> Preprocessing | None:
    """Return how pictures become an input, as the published evaluations do it; None if they do not.

    Manifests did not state it at first; this was meant.
    """
    return published(task, spec.image_size()) if spec.is_image and task != "other" else None


def _with_preprocessing(manifest: Manifest, stated: bool) -> Manifest:
    """Fill in what older manifests meant; refuse a contract for another size of input."""
    spec = manifest.inputs[0]
    if not stated:
        usual = usual_preprocessing(spec, manifest.task)
        return dataclasses.replace(manifest, preprocessing=usual)
    if manifest.preprocessing and not spec.is_image:
        raise ValueError("preprocessing: the input takes no images")
    contract = manifest.preprocessing
    if contract and (contract.picture or contract.crop) != spec.image_size():
        raise ValueError("preprocessing.crop: it is not the size of the input")
    if manifest.preprocessing and not manifest.preprocessing.possible:
        raise ValueError("preprocessing: it cuts out more than there is, or divides by 0")
    return manifest


def _oddity(spec: TensorSpec) -> str | None:
    """Say what no tensor of a file is like, before memory is made for it."""
    shape = spec.static_shape()
    if not spec.fits(shape):
        return f"{list(shape)} is no example of {list(spec.shape)}"
    if any(axis < 0 for axis in shape) or math.prod(shape) > _MOST_VALUES:
        return f"{list(spec.shape)} is no shape of an image or of an output"
    try:
        known = np.dtype(spec.dtype).kind in "biuf"
    except TypeError:
        known = False
    return None if known else f"{spec.dtype!r} is no type of numbers"


@dataclass(frozen=True)
class Artifact:
    """A file or folder together with its manifest."""

    path: Path
    manifest: Manifest

    @property
    def file_bytes(self) -> int:
        """Size on disk, without the manifest."""
        return content_bytes(self.path)

    @property
    def proven(self) -> bool:
        """Whether affnet exported it, and so compared it with its network."""
        return self.manifest.provenance.kind != UNPROVEN

    def pixel_contract(self) -> Preprocessing:
        """Return how pictures become the input.

        Raises:
            ArtifactError: it takes no pictures, or nobody knows.
        """
        if self.manifest.preprocessing is None:
            raise ArtifactError(
                f"{self.path} takes no pictures, or its manifest does not state how they become "
                "its input",
                "export it again from a network of images.",
            )
        return self.manifest.preprocessing

    def with_manifest(self, **changes: Any) -> Artifact:
        """Return the artifact with some fields of its manifest replaced."""
        return Artifact(self.path, dataclasses.replace(self.manifest, **changes))

    @classmethod
    def open(cls, path: Path) -> Artifact:
        """Read an artifact's manifest and check that it belongs to the file.

        Raises:
            ArtifactError: no such file, no manifest, an unreadable one, or one of another file.
        """
        if not exists(path):
            raise ArtifactError(f"{path} does not exist", "make it with: affnet export SOURCE")
        manifest_file = manifest_path(path)
        if not manifest_file.is_file():
            raise ArtifactError(
                f"{path} has no manifest ({manifest_file.name} should stand beside it)",
                "copy it along, or export again with: affnet export SOURCE (a file of another tool "
                "is compared by: affnet verify FILE --against SOURCE)",
            )
        try:
            manifest = Manifest.from_json(read_text(manifest_file))
        except (OSError, ValueError) as error:
            raise ArtifactError(
                f"{manifest_file} is not a manifest of affnet: {error}", "export the model again."
            ) from error
        if content_sha256(path) != manifest.sha256:
            raise ArtifactError(
                f"{manifest_file.name} does not match {path}: the file was changed or replaced "
                "after the export",
                "export it again.",
            )
        return cls(path, manifest)


def exists(path: Path) -> bool:
    """Return whether a file or folder is there that can be an artifact.

    Raises:
        ArtifactError: it can be none, or it cannot be determined.
    """
    if not path.name:
        raise ArtifactError(f"{path} is a folder, not an exported file.")
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:  # too long a name, a loop of links, a folder that cannot be searched
        raise ArtifactError(f"{path} cannot be read: {error.strerror}.") from error
    if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):  # a pipe would be waited for
        raise ArtifactError(f"{path} is a pipe or a device, not an exported file.")
    if not os.access(path, os.R_OK):
        raise ArtifactError(f"{path} may not be read by this user", "change its rights.")
    if (beside := companion(path)) is not None and not beside.is_file():
        raise ArtifactError(
            f"{path} lacks its weights: {beside.name} should stand beside it", "copy it along."
        )
    return True


def manifest_path(artifact: Path) -> Path:
    """Return where the manifest of ``artifact`` stands."""
    return artifact.with_name(artifact.name + _SUFFIX)
