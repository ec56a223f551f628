"""The accuracy of a classifier on labelled images, of which each worker ranks a part.

Parts begin at whole batches, so that every image is computed in the same batch as on one machine;
what they give is put together in the order of the images.
"""

from __future__ import annotations

import dataclasses
import math
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from affnet.artifact import Artifact
from affnet.cluster.lab import Offer
from affnet.cluster.parcels import Parcel
from affnet.cluster.run import Job, Run
from affnet.devices.base import Progress
from affnet.errors import AffnetError, DatasetError
from affnet.evaluation.classification import BATCH, Accuracy, Ranking, accuracy_of, rank
from affnet.evaluation.classifiers import Classifier
from affnet.evaluation.datasets import Dataset, open_dataset
from affnet.model.bundled import DATASETS
from affnet.runtimes.foreign import open_file

if TYPE_CHECKING:
    from distributed import Client

_PARTS_PER_SLOT = 4  # so that a slow host does not have the others wait for long


def classify_on_cluster(
    client: Client,
    found: Sequence[Offer],
    artifact: Artifact,
    dataset: Dataset,
    data: str,
    limit: int | None,
    *,
    threads: int,
    about: Mapping[str, Any],
    progress: Progress,
) -> Accuracy:
    """Classify a data set that all workers read at the same place, or that is bundled.

    ``dataset`` is what ``limit`` leaves of ``data`` here; ``found`` is what the lab offers.

    Raises:
        DatasetError: as `classify`, or a worker has other images there.
        AffnetError: whatever ended a part; the others are dropped.
    """
    slots = sum(offer.slots for offer in found if offer.device is None)
    step = BATCH * math.ceil(len(dataset) / (slots * _PARTS_PER_SLOT * BATCH))
    parcel = Parcel.of_artifact(artifact)
    jobs = []
    for start in range(0, len(dataset), step):
        part = dataset.part(start, start + step)
        payload = {
            "parcel": parcel.key,
            "file": artifact.path.name,
            "data": data if data in DATASETS else str(Path(data).resolve()),
            "limit": limit,
            "start": start,
            "end": start + step,
            "fingerprint": part.fingerprint(),
            "threads": threads,
        }
        label = f"Images {start + 1} to {start + len(part)}"
        jobs.append(Job(label, "evaluate", payload, None, (parcel,)))
    from pydantic import TypeAdapter

    parts: dict[int, Ranking] = {}

    def done(number: int, value: Any, error: AffnetError | None) -> None:
        if error is not None:
            raise error
        parts[number] = TypeAdapter(Ranking).validate_python(value)
        images = sum(len(part.truth) + len(part.skipped) for part in parts.values())
        progress(f"Classified {images} of {len(dataset)} images")

    run = Run(client, jobs, about)
    try:
        run.finish(progress, done)
    except BaseException:
        run.forget()
        raise
    return accuracy_of(dataset, [parts[number] for number in range(len(jobs))])


def evaluate_task(payload: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Rank the classes of some images; see `affnet.cluster.tasks`."""
    artifact = open_file(folder / payload["parcel"] / payload["file"])
    dataset = open_dataset(payload["data"]).limited(payload["limit"])
    part = dataset.part(payload["start"], payload["end"])
    if part.fingerprint() != payload["fingerprint"]:
        raise DatasetError(
            f"{platform.node()} has other images in {payload['data']} than the client",
            "let all hosts read the same folder at the same place.",
        )
    subject = Classifier.of_artifact(artifact, payload["threads"])
    found = rank(subject.predict, part, subject.preprocessing, labels=subject.labels)
    return dataclasses.asdict(found)
