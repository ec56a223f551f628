"""COCO's mean average precision of a detection network, by pycocotools.

A data set is a folder with ``images/`` and ``annotations.json`` in COCO's form, whose categories
are found among the network's classes by their names.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from affnet.errors import DatasetError, require, suggestion
from affnet.evaluation.datasets import LabelledImage
from affnet.evaluation.dense import DenseSubject
from affnet.reading import LARGEST_RESULTS, parse_json, read_text
from affnet.silence import silenced

ANNOTATIONS, IMAGES = "annotations.json", "images"


@dataclass(frozen=True)
class DetectionAccuracy:
    """COCO's summary."""

    images: int
    map: float  # 0..1, of overlaps from 0.50 to 0.95
    map50: float  # of an overlap of 0.50
    map75: float


@dataclass(frozen=True)
class CocoFolder:
    """Pictures with boxes."""

    folder: Path
    content: dict[str, Any]  # of the annotations' file
    images: tuple[dict[str, Any], ...]


def open_coco(folder: Path, limit: int | None = None) -> CocoFolder:
    """Read the annotations.

    Raises:
        DatasetError: they are damaged, not in COCO's form, or name a picture that is missing.
    """
    path = folder / ANNOTATIONS
    try:
        content = parse_json(read_text(path, LARGEST_RESULTS))
        images = [{"id": i["id"], "file_name": str(i["file_name"])} for i in content["images"]]
        known = {image["id"] for image in images}
        categories = {category["id"]: str(category["name"]) for category in content["categories"]}
        for box in content["annotations"]:
            _, _, _, _ = map(float, box["bbox"])
            if box["image_id"] not in known or box["category_id"] not in categories:
                raise ValueError(f"the annotation {box['id']} belongs to no image or category")
            float(box["area"])
    except (ValueError, KeyError, TypeError, OSError) as error:
        reason = f"{error.args[0]!r} is missing" if isinstance(error, KeyError) else error
        raise DatasetError(f"{path} is not in COCO's form: {reason}.") from error
    if not images:
        raise DatasetError(f"{path} names no pictures.")
    for image in images:
        if not (folder / IMAGES / image["file_name"]).is_file():
            raise DatasetError(
                f"{folder / IMAGES / image['file_name']} is missing, which {ANNOTATIONS} names."
            )
    if limit is not None and limit < len(images):
        chosen = np.random.default_rng(0).permutation(len(images))[:limit]
        images = [images[index] for index in sorted(chosen)]
    return CocoFolder(folder, content, tuple(images))


def detect(
    subject: DenseSubject, data: CocoFolder, show: Callable[[str], None] = lambda _: None
) -> DetectionAccuracy:
    """Find objects in each picture and judge them as COCO does.

    Raises:
        MissingError: pycocotools is not installed.
        CorruptImageError: a picture that cannot be decoded.
        DatasetError: a category that is no class of the network.
    """
    require("pycocotools", extra="coco", purpose="COCO's mean average precision")
    category_of = _match_categories(subject, data)
    found: list[dict[str, Any]] = []
    for number, image in enumerate(data.images, start=1):
        stored = LabelledImage(data.folder / IMAGES / image["file_name"], 0).open()
        picture = subject.preprocessing.upright(stored)
        objects = subject.objects(picture)
        corners = np.clip(objects.boxes, 0, 1) * np.tile(picture.size, 2)
        for box, score, label in zip(corners, objects.scores, objects.classes, strict=True):
            if int(label) in category_of:
                left, top, right, bottom = map(float, box)
                found.append(
                    {
                        "image_id": image["id"],
                        "category_id": category_of[int(label)],
                        "bbox": [left, top, right - left, bottom - top],
                        "score": float(score),
                    }
                )
        show(f"Looked at {number} of {len(data.images)} pictures")
    values = _coco_summary(data, found) if found else (0.0, 0.0, 0.0)
    return DetectionAccuracy(len(data.images), *(max(0.0, float(value)) for value in values))


def _match_categories(subject: DenseSubject, data: CocoFolder) -> dict[int, int]:
    """Return the category's number by the network's class."""
    if subject.labels is None:
        raise DatasetError(
            f"{subject.name} does not name its classes, by which categories are found",
            "put a labels.txt beside its checkpoint and export it again.",
        )
    classes = {name: index for index, name in enumerate(subject.labels)}
    matched = {}
    for category in data.content["categories"]:
        if category["name"] not in classes:
            raise DatasetError(
                f"{data.folder / ANNOTATIONS} has the category {category['name']!r}, which is no "
                f"class of {subject.name}{suggestion(category['name'], subject.labels)}."
            )
        matched[classes[category["name"]]] = category["id"]
    return matched


def _coco_summary(data: CocoFolder, found: list[dict[str, Any]]) -> tuple[float, float, float]:
    with silenced():  # it prints its progress and a table
        from pycocotools.coco import COCO
        from pycocotools.cocoeval import COCOeval

        truth = COCO()
        truth.dataset = {
            **data.content,
            "annotations": [{"iscrowd": 0, **box} for box in data.content["annotations"]],
        }
        truth.createIndex()
        evaluation = COCOeval(truth, truth.loadRes(found), "bbox")
        evaluation.params.imgIds = [image["id"] for image in data.images]
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
        return tuple(evaluation.stats[:3])
