"""Keeping an accuracy in the manifest of the file it was measured on."""

from __future__ import annotations

from affnet.artifact import Artifact, manifest_path
from affnet.evaluation.classification import Accuracy
from affnet.evidence import MeasuredAccuracy
from affnet.files import write_whole


def keep(artifact: Artifact, accuracy: Accuracy, runtime: str) -> MeasuredAccuracy:
    """Write an accuracy into the artifact's manifest, in place of an older one on the data set.

    The manifest names the file's hash, so that a figure never outlives the file it belongs to.
    """
    measured = MeasuredAccuracy(
        dataset=accuracy.dataset,
        fingerprint=accuracy.fingerprint,
        images=accuracy.images,
        top1=accuracy.top1,
        top1_interval=accuracy.top1_interval,
        top5=accuracy.top5,
        runtime=runtime,
    )
    others = [kept for kept in artifact.manifest.accuracy if kept.dataset != measured.dataset]
    changed = artifact.with_manifest(accuracy=(*others, measured))
    write_whole(manifest_path(artifact.path), changed.manifest.to_json())
    return measured
