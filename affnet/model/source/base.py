"""What every SOURCE is turned into."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from torch import nn
from torch.export import ExportedProgram

from affnet.artifact import (
    Arrays,
    Provenance,
    TensorSpec,
    image_spec,
    logits_spec,
    usual_preprocessing,
)
from affnet.dynamic_axes import DynamicAxis
from affnet.errors import LabelsError
from affnet.model.create import Network
from affnet.model.dense.base import DenseNetwork
from affnet.model.dense.labels import labels_by_count
from affnet.model.published import Published
from affnet.model.sizes import SizeRule
from affnet.preprocessing import Preprocessing
from affnet.reading import existing_file, read_text

SEED = 0  # of random weights
#: What is said of weights that a user has: only of our own is it known that they are trained.
OWN_WEIGHTS = "from a file"
_DEFAULT_SIZE = (256, 256)


@dataclass(frozen=True)
class Source:
    """A network in eval mode, with all that an export records about it."""

    model: nn.Module
    name: str  # of files and table rows
    provenance: Provenance
    inputs: tuple[TensorSpec, ...]  # an image's size is what it was trained for, where known
    outputs: tuple[TensorSpec, ...]  # for inputs of that size
    labels: tuple[str, ...] | None
    published: Published | None  # only where the weights could be the published ones
    notes: tuple[str, ...]  # what the user should know, a sentence each
    program: ExportedProgram | None = None  # of a network that is not of this package
    example: Arrays | None = None  # of such a network's inputs
    captured: dict[str, Any] = field(default_factory=dict)  # how, if not by torch.export at once
    size_rule: SizeRule = field(default_factory=SizeRule)  # of images, where it takes them
    task: str = "classification"  # of `affnet.artifact.TASKS`
    dynamic: tuple[DynamicAxis, ...] = ()  # lengths of such a network's inputs that are open

    @property
    def input(self) -> TensorSpec:
        """The first input: the only one of networks that take images."""
        return self.inputs[0]

    def outputs_for(self, taken: TensorSpec) -> tuple[TensorSpec, ...]:
        """Return the outputs for an input of another size."""
        if not isinstance(self.model, DenseNetwork):
            return self.outputs
        return self.model.output_specs(*taken.image_size())

    def module_names(self) -> list[str]:
        """Return the paths of the network's modules, in the order in which they are called."""
        if self.program is None:
            return [name for name, _ in self.model.named_modules() if name]
        stacks = (node.meta.get("nn_module_stack") or {} for node in self.program.graph.nodes)
        called = dict.fromkeys(str(path) for stack in stacks for path, _ in stack.values() if path)
        parts = [path.split(".") for path in called]  # of which lists are not called
        return list(dict.fromkeys(".".join(p[: n + 1]) for p in parts for n in range(len(p))))

    def preprocessing_for(self, taken: TensorSpec) -> Preprocessing | None:
        """Return how pictures become an input of any size; None if it takes no pictures."""
        return usual_preprocessing(taken, self.task)


def with_labels(source: Source, path: Path) -> Source:
    """Return ``source`` with the class names of a text file, one a line.

    Raises:
        UsageError: there is no such file.
        LabelsError: it has not one line for each class.
    """
    existing_file(path, "a file of class names")
    labels = read_labels(path)
    counts = [spec.shape[spec.class_axis] for spec in source.outputs if spec.class_axis is not None]
    if not counts:
        raise LabelsError(f"{source.name} has no scores of classes that {path} could name.")
    if len(labels) != counts[0]:
        raise LabelsError(
            f"{path} has {len(labels)} lines for the {counts[0]} classes of {source.name}; write "
            "one class name a line."
        )
    return replace(source, labels=labels)


def read_labels(path: Path) -> tuple[str, ...]:
    """Return the lines of a text file, which are class names.

    Raises:
        LabelsError: it cannot be read.
    """
    try:
        return tuple(read_text(path, errors="replace").splitlines())
    except (OSError, ValueError) as error:
        raise LabelsError(f"{path} holds no class names: {error}.") from error


def known_labels(
    model: Network | DenseNetwork, checkpoint: Path | None = None
) -> tuple[tuple[str, ...] | None, tuple[str, ...]]:
    """Return the class names, and what should be said of them.

    They are those of ``labels.txt`` beside the checkpoint if it has one line per class, else for
    dense tasks those of the data set with that many classes.
    """
    classes, notes = model.num_classes, []
    path = checkpoint.with_name("labels.txt") if checkpoint else None
    if path and path.is_file():
        labels = read_labels(path)
        if len(labels) == classes:
            return labels, ()
        notes.append(f"{path} has {len(labels)} lines for {classes} classes: ignored.")
    usual = labels_by_count(model.task, classes) if isinstance(model, DenseNetwork) else None
    if usual is None:
        return None, tuple(notes)
    notes.append(f"Its {classes} classes are taken for those of {usual[0]}, by their number.")
    return usual[1], tuple(notes)


def interface(model: Network | DenseNetwork, size: tuple[int, int] | None) -> dict[str, Any]:
    """Return the fields of a source that follow from its network and the size of its images."""
    if not isinstance(model, DenseNetwork):
        taken = image_spec(*(size or _DEFAULT_SIZE))
        return {"inputs": (taken,), "outputs": (logits_spec(model.num_classes),)}
    size = size or model.DEFAULT_SIZE
    outputs = model.output_specs(*size)
    return {"inputs": (image_spec(*size),), "outputs": outputs, "task": model.task}
