"""What a model computes in one run, and whether the ratio of two latencies means anything."""

from __future__ import annotations

from dataclasses import dataclass

from affnet.artifact import Manifest, TensorSpec
from affnet.bench.results.result import Result, Workload


def workload_of(manifest: Manifest) -> Workload:
    """Return what a model computes in one run, of one image where its batch is dynamic."""
    return Workload(
        inputs=tuple(_text(spec) for spec in manifest.inputs),
        layout=manifest.inputs[0].layout or "",
        # the classes of a user's network are seldom those of its peer
        outputs=tuple(_text(spec, spec.class_axis) for spec in manifest.outputs),
        task=manifest.task,
    )


def _text(spec: TensorSpec, left_open: int | None = None) -> str:
    """Return shape and type, images in the order NCHW and the axis ``left_open`` without size."""
    axes: list[int | str] = list(spec.static_shape())
    if left_open is not None:
        axes[left_open] = "C"
    if spec.layout == "NHWC":
        axes = [axes[0], axes[3], axes[1], axes[2]]
    return f"{'x'.join(map(str, axes))} {spec.dtype}"


@dataclass(frozen=True)
class Difference:
    """In what two models that are compared differ."""

    what: str
    first: str
    second: str
    excluding: bool  # whether no ratio of the two says anything

    def sentence(self, first: str, second: str) -> str:
        """Name both values, of models of these names, in a clause."""
        return f"{self.what} of {first} is {self.first}, that of {second} {self.second}"


def differences(one: Workload | None, other: Workload | None) -> list[Difference]:
    """Return in what two models differ, the worst first; nothing where one is not known.

    Input, task and what a dense task puts out decide how much is computed: such a ratio compares
    different work.  A layout is a choice for the same work.
    """
    if one is None or other is None:
        return []
    pairs = [("the input", ", ".join(one.inputs), ", ".join(other.inputs), True)]
    if "other" not in (one.task, other.task):  # of a program or another tool's file it is unknown
        pairs.append(("the task", one.task, other.task, True))
    if one.task == other.task and one.task in ("segmentation", "detection"):
        pairs.append(("the output", ", ".join(one.outputs), ", ".join(other.outputs), True))
    pairs.append(("the layout", one.layout or "none", other.layout or "none", False))
    return [Difference(*pair) for pair in pairs if pair[1] != pair[2]]


def ratio_doubts(result: Result, peer: Result) -> tuple[str, ...]:
    """Return why a result's ratio to its peer says nothing, a clause each."""
    return tuple(
        found.sentence(result.model, peer.model)
        for found in differences(result.workload, peer.workload)
        if found.excluding
    )
