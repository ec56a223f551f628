"""Whether a file gives each image the class that PyTorch gives it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from affnet.errors import UsageError
from affnet.evaluation.classification import Accuracy, classify
from affnet.evaluation.classifiers import Classifier
from affnet.evaluation.datasets import Dataset
from affnet.model.source import Source


@dataclass(frozen=True)
class Agreement:
    """How many images get the same class."""

    against: str
    images: int
    agreeing: int
    top1: float  # of PyTorch, 0..1


def agree(
    accuracy: Accuracy,
    classifier: Classifier,
    source: Source,
    dataset: Dataset,
    show: Callable[[str], None] = lambda _: None,
) -> Agreement:
    """Classify ``dataset`` with ``source`` in PyTorch, and compare image by image.

    Raises:
        UsageError: the source has other classes than what was classified.
        DatasetError: as `classify`.
    """
    reference = Classifier.of_source(source, classifier.preprocessing)
    if classifier.labels and reference.labels and classifier.labels != reference.labels:
        raise UsageError(
            f"{source.name} has other labels than {classifier.name}",
            "compare it with the source it was exported from.",
        )
    labels = reference.labels or classifier.labels
    expected = classify(
        reference.predict, dataset, classifier.preprocessing, labels=labels, show=show
    )
    return Agreement(source.name, expected.images, accuracy.agreement(expected), expected.top1)
