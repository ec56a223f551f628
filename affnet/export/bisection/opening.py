"""Which files can be cut into parts, and on what they are run."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from affnet.artifact import Arrays, Artifact
from affnet.devices.base import Device, Progress
from affnet.errors import UsageError
from affnet.evidence import DeviceProof
from affnet.export.bisection.graph import CutGraph
from affnet.export.bisection.on_device import bisect
from affnet.export.bisection.record import Bisection
from affnet.export.verification.inputs import VerificationInput
from affnet.layouts import as_input
from affnet.model.source import Source

#: By format: what reads its files as a `CutGraph`, from an artifact and what feeds it.
FROM_FILE: dict[str, str] = {
    "coreml": "affnet.export.bisection.coreml:CoremlGraph",
    "onnx": "affnet.export.bisection.onnx:OnnxGraph",
    "openvino": "affnet.export.bisection.openvino:OpenVinoGraph",
    "tflite": "affnet.export.bisection.tflite:TfliteGraph",
}
#: Formats whose files are sealed: parts are compiled anew, from the file's source.
FROM_SOURCE = ("coreai", "executorch")


def bisect_each(
    artifact: Artifact,
    source: Source,
    inputs: Sequence[VerificationInput],
    proofs: Sequence[tuple[Device, DeviceProof]],
    runtime: str | None,
    reproducers: Path | None,
    progress: Progress = lambda _: None,
) -> list[Bisection]:
    """Find each device's wrong operators, on the one of ``inputs`` that it is the most wrong on.

    ``reproducers`` is as in `bisect`; without it they are written beside the file.

    Raises:
        AffnetError: as `open_graph` and `bisect`.
    """
    by_name = {one.name: one for one in inputs}
    folder = reproducers or artifact.path.with_name(artifact.path.name + ".bisect")
    found = []
    for device, proof in proofs:
        worst = proof.parity.worst
        given = by_name[worst.name] if worst else inputs[0]
        graph = open_graph(artifact, given, source)
        into = folder / device.name.replace(":", "-") if len(proofs) > 1 else folder
        found.append(bisect(graph, artifact, device, given.name, runtime, into, progress=progress))
    return found


def check_cuttable(artifact_format: str) -> None:
    """Raise `UsageError` where files of a format cannot be cut into parts."""
    known = sorted((*FROM_FILE, *FROM_SOURCE))
    if artifact_format not in known:
        raise UsageError(
            f"Files of the format {artifact_format} cannot be cut into parts here",
            f"bisect the network's file of another format: {', '.join(known)}.",
        )


def open_graph(artifact: Artifact, given: VerificationInput, source: Source) -> CutGraph:
    """Return the operators of a file of ``source``, to be run on ``given``.

    Raises:
        UsageError: as `check_cuttable`; a file that cannot be compiled anew.
        ArtifactError: the reference rejects the file.
        ConversionError: the network cannot be traced as it was for the file.
    """
    check_cuttable(artifact.manifest.format)
    if artifact.manifest.format in FROM_FILE:
        return read_graph(artifact, given)
    from affnet.export.bisection.program import ProgramGraph

    return ProgramGraph(artifact, _feed(artifact, given), source)


def read_graph(artifact: Artifact, given: VerificationInput) -> CutGraph:
    """Do the same with a file of a format in `FROM_FILE`."""
    module, _, name = FROM_FILE[artifact.manifest.format].partition(":")
    graph: CutGraph = getattr(importlib.import_module(module), name)(
        artifact, _feed(artifact, given)
    )
    return graph


def _feed(artifact: Artifact, given: VerificationInput) -> Arrays:
    """Return what a file takes of an input; of several images as many as it takes at once."""
    specs = artifact.manifest.inputs
    arrays = tuple(map(as_input, given.arrays, specs))
    if not specs[0].is_image:
        return arrays
    (images,), batch = arrays, specs[0].static_shape()[0]
    return (np.resize(images[:batch], (batch, *images.shape[1:])),)
