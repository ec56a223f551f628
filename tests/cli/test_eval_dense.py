"""``affnet eval`` of dense networks: mIoU on masks, COCO's mAP on boxes, and bad folders."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from affnet.artifact import Artifact
from tests.conftest import Finished
from tests.dense import BOXES, CAT, DOG, Colours, FixedBoxes, exported

Run = Callable[..., Finished]
WIDTH, HEIGHT = 160, 80


@pytest.fixture(scope="module")
def segmentation(tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    return exported(Colours(), tmp_path_factory.mktemp("segmentation"))


@pytest.fixture(scope="module")
def detection(tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    return exported(FixedBoxes(), tmp_path_factory.mktemp("detection"))


def save(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(exist_ok=True)
    Image.fromarray(pixels).save(path)


@pytest.fixture
def masks(tmp_path: Path) -> Path:
    """Two pictures, red on the left half; one mask says so, the other says dog for half of it."""
    pixels = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    pixels[:, : WIDTH // 2, 0] = 255
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    mask[:, : WIDTH // 2] = CAT
    save(tmp_path / "data/a.png", pixels)  # makes the folder
    (tmp_path / "data/a.png").unlink()
    for name in ("a", "b"):
        save(tmp_path / f"data/images/{name}.png", pixels)
    save(tmp_path / "data/masks/a.png", mask)
    mask[: HEIGHT // 2, : WIDTH // 2] = DOG
    mask[:, -WIDTH // 4 :] = 255
    save(tmp_path / "data/masks/b.png", mask)
    return tmp_path / "data"


def test_miou_is_that_of_the_confusion_over_all_pixels(
    run: Run, segmentation: Artifact, masks: Path
) -> None:
    done = run("eval", segmentation.path, "--data", masks, "--json")
    assert done.code == 0, done.err
    record = done.json
    assert (record["task"], record["images"]) == ("segmentation", 2)
    # halves of 80 columns: cat 80x80 + 40x80 right of 80x80 + 80x80 predicted; dog never
    assert record["iou"] == pytest.approx({"background": 1.0, "cat": 0.75, "dog": 0.0}, abs=0.02)
    assert record["miou"] == pytest.approx(1.75 / 3, abs=0.01)
    assert record["pixel_accuracy"] == pytest.approx(1 - 3200 / (12800 + 9600), abs=0.01)
    assert "mIoU" in run("eval", segmentation.path, "--data", masks).out
    assert (
        run("eval", segmentation.path, "--data", masks, "--limit", 1, "--json").json["images"] == 1
    )


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        ("missing mask", "1 of 2 files have no mask of the same name in masks/, b.png first."),
        ("stray mask", "1 of 3 files have no picture of the same name in images/, c.png first."),
        ("size", "masks/a.png has 10x10 pixels and its picture 160x80 (width first)."),
        (
            "colours",
            "masks/a.png is a color image (RGB); write masks in gray or with a palette",
        ),
        ("class", "masks/a.png has the class 21, but the network has 21 classes, 0 to 20;"),
        ("corrupt", "images/a.png cannot be decoded:"),
    ],
)
def test_masks_that_do_not_fit_are_one_sentence(
    damage: str, sentence: str, run: Run, segmentation: Artifact, masks: Path
) -> None:
    mask = masks / "masks/a.png"
    if damage == "missing mask":
        (masks / "masks/b.png").unlink()
    elif damage == "stray mask":
        save(masks / "masks/c.png", np.zeros((2, 2), np.uint8))
    elif damage == "corrupt":
        (masks / "images/a.png").write_bytes((masks / "images/a.png").read_bytes()[:60])
    else:
        shape = {"size": (10, 10), "colours": (HEIGHT, WIDTH, 3), "class": (HEIGHT, WIDTH)}
        save(mask, np.full(shape[damage], 21 if damage == "class" else 0, np.uint8))
    done = run("eval", segmentation.path, "--data", masks)
    assert done.code == 2
    assert sentence in done.error


@pytest.fixture
def coco(tmp_path: Path) -> Path:
    """A picture with the car and the better horse where the network finds them."""
    folder = tmp_path / "coco"
    folder.mkdir()
    save(folder / "images/a.png", np.zeros((HEIGHT, WIDTH, 3), np.uint8))
    write_annotations(folder, annotations())
    return folder


def annotations() -> dict[str, Any]:
    boxes = []
    for number, (box, category) in enumerate(((BOXES[2], 3), (BOXES[0], 19)), start=1):
        left, top, right, bottom = np.array(box) * (WIDTH, HEIGHT, WIDTH, HEIGHT)
        width, height = right - left, bottom - top
        boxes.append(
            {
                "id": number,
                "image_id": 7,
                "category_id": category,
                "bbox": [left, top, width, height],
                "area": width * height,
                "iscrowd": 0,
            }
        )
    return {
        "images": [{"id": 7, "file_name": "a.png", "width": WIDTH, "height": HEIGHT}],
        "categories": [{"id": 3, "name": "car"}, {"id": 19, "name": "horse"}],
        "annotations": boxes,
    }


def write_annotations(folder: Path, content: dict[str, Any]) -> None:
    (folder / "annotations.json").write_text(json.dumps(content))


def test_boxes_in_their_place_have_a_precision_of_one(
    run: Run, detection: Artifact, coco: Path
) -> None:
    pytest.importorskip("pycocotools")
    done = run("eval", detection.path, "--data", coco, "--json")
    assert done.code == 0, done.err
    record = done.json
    assert (record["task"], record["images"]) == ("detection", 1)
    assert [record["map"], record["map50"], record["map75"]] == pytest.approx([1, 1, 1])
    content = annotations()
    content["annotations"][0]["bbox"][0] -= 40  # the car is elsewhere
    write_annotations(coco, content)
    assert run("eval", detection.path, "--data", coco, "--json").json["map50"] == pytest.approx(0.5)
    assert "50.0 %" in run("eval", detection.path, "--data", coco).out


def test_annotations_that_do_not_fit_are_one_sentence(
    run: Run, detection: Artifact, segmentation: Artifact, coco: Path, masks: Path
) -> None:
    pytest.importorskip("pycocotools")

    def error_of(artifact: Artifact = detection, data: Path = coco) -> str:
        done = run("eval", artifact.path, "--data", data)
        assert done.code == 2
        return done.error

    assert "is a network for segmentation, and" in error_of(segmentation)
    assert "is a network for detection, and" in error_of(detection, masks)
    content = annotations()
    content["categories"][0]["name"] = "carr"
    write_annotations(coco, content)
    assert "has the category 'carr', which is no class of" in error_of()
    write_annotations(coco, {"images": []})
    assert "is not in COCO's form: 'categories' is missing." in error_of()
    (coco / "annotations.json").write_text("{")
    assert "is not in COCO's form: " in error_of()
    write_annotations(coco, annotations())
    (coco / "images/a.png").unlink()
    assert "is missing, which annotations.json names." in error_of()
