"""The accuracy of a classifier on labelled images."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from affnet.errors import DatasetError
from affnet.evaluation.datasets import CorruptImageError, Dataset, LabelledImage
from affnet.evaluation.intervals import wilson_interval
from affnet.evaluation.labels import match_classes
from affnet.evaluation.predictors import Images, Predict
from affnet.preprocessing import Preprocessing

#: Images that are classified together.
BATCH = 16


@dataclass(frozen=True)
class Accuracy:
    """What a classifier made of a data set."""

    dataset: str
    fingerprint: str  # of the data set: results of another one cannot be compared with these
    images: int  # without those that were skipped
    top1: float  # 0..1
    top1_interval: tuple[float, float]  # of 95 %
    top5: float | None  # None where five classes or fewer make it meaningless
    top5_interval: tuple[float, float] | None
    images_per_second: float  # of the network alone: decoding is not counted
    predicted: tuple[int, ...]  # the network's class of each image
    skipped: tuple[str, ...]  # what could not be decoded, a sentence each

    def agreement(self, other: Accuracy) -> int:
        """Count the images that get the same class from both."""
        if (self.fingerprint, self.images) != (other.fingerprint, other.images):
            raise ValueError("accuracies on other images cannot be compared")
        return sum(a == b for a, b in zip(self.predicted, other.predicted, strict=True))


@dataclass(frozen=True)
class Ranking:
    """What a classifier made of some images of a data set, in their order."""

    truth: tuple[int, ...]  # the network's class of each image
    top: tuple[tuple[int, ...], ...]  # the classes that it ranks highest, five at most
    classes: int  # of the network, 0 where there is no image
    seconds: float  # of the network alone
    skipped: tuple[str, ...]  # what could not be decoded, a sentence each


def classify(
    predict: Predict,
    dataset: Dataset,
    preprocessing: Preprocessing,
    *,
    labels: Sequence[str] | None,
    show: Callable[[str], None] = lambda _: None,
) -> Accuracy:
    """Classify every image of ``dataset``; see `rank`."""
    return accuracy_of(dataset, [rank(predict, dataset, preprocessing, labels=labels, show=show)])


def rank(
    predict: Predict,
    dataset: Dataset,
    preprocessing: Preprocessing,
    *,
    labels: Sequence[str] | None,
    show: Callable[[str], None] = lambda _: None,
) -> Ranking:
    """Rank the classes of every image of ``dataset``.

    Args:
        predict: maps N x 3 x H x W images to N x classes logits.
        dataset: what to classify.
        preprocessing: what makes its pictures the network's input.
        labels: the names of the network's classes, None where they are in the folders' order.
        show: called with the progress.

    Raises:
        DatasetError: the folders' names are not the network's labels, or their count is not that
            of its classes.
    """
    skipped: list[str] = []
    truth: list[int] = []
    ranked: list[NDArray[np.int64]] = []
    seconds, classes, own_class = 0.0, 0, None
    for images, own_labels in batches(dataset, preprocessing, skipped):
        started = time.perf_counter()
        logits = predict(images)
        seconds += time.perf_counter() - started
        if own_class is None:
            classes = logits.shape[1]
            own_class = match_classes(dataset, labels, classes)
        ranked.append(np.argsort(-logits, axis=1, kind="stable")[:, :5])
        truth += [own_class[label] for label in own_labels]
        show(f"Classified {len(truth)} of {len(dataset)} images")
    top = tuple(tuple(row.tolist()) for part in ranked for row in part)
    return Ranking(tuple(truth), top, classes, seconds, tuple(skipped))


def accuracy_of(dataset: Dataset, parts: Sequence[Ranking]) -> Accuracy:
    """Return the accuracy on a data set whose images were ranked part by part, in their order.

    Raises:
        DatasetError: no image can be decoded.
    """
    truth = [label for part in parts for label in part.truth]
    if not truth:
        raise DatasetError(f"{dataset.folder} holds no image that can be decoded.")
    classes = max(part.classes for part in parts)
    top = np.asarray([row for part in parts for row in part.top])
    hits = top == np.asarray(truth)[:, None]
    top1, top5 = int(hits[:, 0].sum()), int(hits.any(axis=1).sum())
    return Accuracy(
        dataset=dataset.name,
        fingerprint=dataset.fingerprint(),
        images=len(truth),
        top1=top1 / len(truth),
        top1_interval=wilson_interval(top1, len(truth)),
        top5=top5 / len(truth) if classes > 5 else None,
        top5_interval=wilson_interval(top5, len(truth)) if classes > 5 else None,
        images_per_second=len(truth) / sum(part.seconds for part in parts),
        predicted=tuple(top[:, 0].tolist()),
        skipped=tuple(sentence for part in parts for sentence in part.skipped),
    )


def batches(
    dataset: Dataset, preprocessing: Preprocessing, skipped: list[str], size: int = BATCH
) -> Iterator[tuple[Images, list[int]]]:
    """Yield images, N x 3 x H x W, with the indices of their classes in the data set.

    What cannot be decoded is left out, and the sentence that says so appended to ``skipped``.
    Which images go together depends on their places alone, so that parts that begin at a multiple
    of ``size`` have the same batches as the whole.
    """
    for start in range(0, len(dataset), size):
        images: list[NDArray[np.float32]] = []
        labels: list[int] = []
        for image in dataset.images[start : start + size]:
            if (pixels := _decoded(image, preprocessing, skipped)) is not None:
                images.append(pixels)
                labels.append(image.label)
        if images:
            yield np.stack(images), labels


def _decoded(
    image: LabelledImage, preprocessing: Preprocessing, skipped: list[str]
) -> NDArray[np.float32] | None:
    try:
        return preprocessing(image.open())
    except CorruptImageError as error:
        skipped.append(str(error))
        return None
