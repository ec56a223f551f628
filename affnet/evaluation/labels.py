"""Which class of a network each folder of a data set is."""

from __future__ import annotations

import re
from collections.abc import Sequence

from affnet.errors import DatasetError, suggestion
from affnet.evaluation.datasets import Dataset

_WORDNET = re.compile(r"n\d{8}")


def match_classes(dataset: Dataset, labels: Sequence[str] | None, classes: int) -> tuple[int, ...]:
    """Return the network's class of each of the data set's, by name.

    Without ``labels`` the folders are taken in their order; so are ImageNet's, whose names are
    WordNet's identifiers, in which order its classes are numbered.

    Raises:
        DatasetError: another number of classes, or names that are none of ``labels``.
    """
    found = dataset.classes
    if len(found) != classes:
        raise DatasetError(
            f"{dataset.folder} has {len(found)} class folders and the network {classes} classes"
            f"{_missing(found, labels)}",
            "give a folder of the network's classes.",
        )
    if labels is None or all(map(_WORDNET.fullmatch, found)):
        return tuple(range(classes))
    own = {_normalised(label): index for index, label in enumerate(labels)}
    if len(own) != len(labels) or len({_normalised(name) for name in found}) != len(found):
        raise DatasetError(
            f"Several classes of {dataset.folder} or of the network have the same name."
        )
    for name in found:
        if _normalised(name) not in own:
            raise DatasetError(
                f"{dataset.folder} has a folder {name!r}, which is no label of the network"
                f"{suggestion(name, labels)}."
            )
    return tuple(own[_normalised(name)] for name in found)


def _normalised(label: str) -> str:
    return re.sub(r"[\s_-]+", " ", label).strip().casefold()


def _missing(found: Sequence[str], labels: Sequence[str] | None) -> str:
    """Name the first classes that have no folder."""
    have = {_normalised(name) for name in found}
    names = [label for label in labels or () if _normalised(label) not in have]
    return f" ({', '.join(names[:3])} {'are' if len(names) > 1 else 'is'} missing)" if names else ""
