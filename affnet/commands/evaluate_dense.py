"""``affnet eval`` on folders of masks or boxes."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from affnet import console
from affnet.errors import UsageError

if TYPE_CHECKING:
    from affnet.artifact import Artifact
    from affnet.evaluation.dense import DenseSubject
    from affnet.model.source import Source


def task_of_data(data: str) -> str | None:
    """Return the task that a folder's layout is for; None if it is not one of these."""
    folder = Path(data)
    if not (folder / "images").is_dir():
        return None
    if (folder / "masks").is_dir():
        return "segmentation"
    return "detection" if (folder / "annotations.json").is_file() else None


def evaluate_dense(
    task: str,
    data: str,
    limit: int | None,
    open_subject: Callable[[], DenseSubject],
    show: Callable[[str], None],
) -> dict[str, Any]:
    """Return the record of an evaluation; the data are read before the network is loaded."""
    from affnet.evaluation.detection import detect, open_coco
    from affnet.evaluation.segmentation import open_masks, segment

    folder = Path(data)
    pairs = open_masks(folder, limit) if task == "segmentation" else []
    coco = open_coco(folder, limit) if task == "detection" else None
    subject = open_subject()
    if subject.task != task:
        raise UsageError(
            f"{subject.name} is a network for {subject.task}, and {data} a folder for {task}."
        )
    accuracy = segment(subject, pairs, show) if coco is None else detect(subject, coco, show)
    return {
        "artifact": subject.name,
        "task": task,
        "runtime": subject.runtime,
        "precision": subject.precision,
        "dataset": folder.resolve().name,
        **dataclasses.asdict(accuracy),
    }


def print_dense(record: dict[str, Any], json: bool) -> None:
    """Print the record for a program or a person."""
    if json:
        console.print_json(record)
        return
    fields = {
        "artifact": record["artifact"],
        "runtime": f"{record['runtime']}, {record['precision']}",
        "data": f"{record['dataset']}, {record['images']} images",
    }
    if record["task"] == "segmentation":
        fields["mIoU"] = f"{100 * record['miou']:.1f} %"
        fields["pixel accuracy"] = f"{100 * record['pixel_accuracy']:.1f} %"
        worst = sorted(record["iou"].items(), key=lambda item: item[1])
        fields["IoU, worst first"] = ", ".join(f"{n} {100 * v:.1f} %" for n, v in worst)
    else:
        for name, key in (("mAP", "map"), ("mAP at 0.50", "map50"), ("mAP at 0.75", "map75")):
            fields[name] = f"{100 * record[key]:.1f} %"
    console.print_fields(fields)


def dense_subject(
    opened: tuple[Artifact | None, Source | None], threads: int, runtime: str | None
) -> DenseSubject:
    """Return an artifact in its runtime, or a source in PyTorch, whichever was opened."""
    from affnet.evaluation.dense import DenseSubject

    artifact, source = opened
    if artifact:
        return DenseSubject.of_artifact(artifact, threads, runtime)
    import torch

    assert source is not None
    torch.set_num_threads(threads)
    return DenseSubject.of_source(source)
