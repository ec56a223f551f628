"""``affnet run``: what is drawn, by its pixels, and what is said."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from affnet.artifact import Artifact, manifest_path
from affnet.detections import Detections
from affnet.evaluation.drawing import class_color, draw_detections
from tests.conftest import Finished
from tests.dense import BOXES, CAR, CAT, DOG, HORSE, Colours, FixedBoxes, exported

Run = Callable[..., Finished]


@pytest.fixture(scope="module")
def segmentation(tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    return exported(Colours(), tmp_path_factory.mktemp("segmentation"))


@pytest.fixture(scope="module")
def detection(tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    return exported(FixedBoxes(), tmp_path_factory.mktemp("detection"))


def picture(folder: Path, size: tuple[int, int] = (320, 200), name: str = "street.png") -> Path:
    """Write a picture whose left quarter is red and right quarter green, the rest black."""
    width, height = size
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[:, : width // 4, 0] = 255
    pixels[:, -(width // 4) :, 1] = 255
    Image.fromarray(pixels).save(folder / name)
    return folder / name


def pixels_of(path: str) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image)


def test_a_segmentation_is_laid_over_the_picture_above_a_legend(
    run: Run, segmentation: Artifact, tmp_path: Path
) -> None:
    image = picture(tmp_path)
    done = run("run", segmentation.path, image, "-o", tmp_path / "seen", "--json")
    assert done.code == 0, done.err
    (result,) = done.json["results"]
    assert [entry["label"] for entry in result["classes"]] == ["background", "cat", "dog"]
    assert [entry["share"] for entry in result["classes"]] == pytest.approx([0.5, 0.25, 0.25], 0.1)
    drawn = pixels_of(result["drawing"])
    assert drawn.shape[1] == 320
    assert drawn.shape[0] > 200  # the legend
    red = np.array((255, 0, 0)) * 0.4 + np.array(class_color(CAT)) * 0.6
    green = np.array((0, 255, 0)) * 0.4 + np.array(class_color(DOG)) * 0.6
    assert np.abs(drawn[100, 40] - red).max() <= 1
    assert np.abs(drawn[100, 280] - green).max() <= 1
    assert not drawn[100, 160].any()  # the background is not drawn
    legend = {tuple(colour) for colour in drawn[200:].reshape(-1, 3)}
    assert {class_color(CAT), class_color(DOG), (255, 255, 255)} <= legend


def test_boxes_are_drawn_and_told_in_the_pictures_own_pixels(
    run: Run, detection: Artifact, tmp_path: Path
) -> None:
    image = picture(tmp_path)
    done = run("run", detection.path, image, "-o", tmp_path, "--json")
    (result,) = done.json["results"]
    car, horse = result["objects"]  # the worse of two horses is suppressed
    assert (car["label"], horse["label"]) == ("car", "horse")
    assert car["box"] == pytest.approx((np.array(BOXES[2]) * (320, 200, 320, 200)).tolist())
    drawn = pixels_of(result["drawing"])
    assert drawn.shape == (200, 320, 3)
    assert tuple(drawn[100, 250]) == class_color(CAR)  # the upper edge
    assert tuple(drawn[60, 31]) == class_color(HORSE)  # the left edge
    assert tuple(drawn[60, 60]) == (255, 0, 0)  # the inside is as it was
    assert "horse" in run("run", detection.path, image, "-o", tmp_path).out


def test_a_name_at_the_edge_stays_inside_the_picture() -> None:
    box = np.array([[0.97, 0.5, 1.0, 0.9]], np.float32)
    found = Detections(box, np.ones(1, np.float32), np.array([CAR]))
    drawn = np.asarray(draw_detections(Image.new("RGB", (320, 200)), found, ["-"] * CAR + ["car"]))
    named = (drawn[:99] == class_color(CAR)).all(axis=-1)
    assert named[:, :300].any()  # the ground of a name whose box begins at 309


def test_boxes_below_the_threshold_are_left_out(
    run: Run, detection: Artifact, tmp_path: Path
) -> None:
    image = picture(tmp_path)
    arguments = ("run", detection.path, image, "-o", tmp_path, "--threshold", 1)
    assert run(*arguments, "--json").json["results"][0]["objects"] == []
    assert "none above the threshold" in run(*arguments).out


def test_a_classifier_tells_five_classes_and_draws_nothing(
    run: Run, digits_pt2: Artifact, tmp_path: Path
) -> None:
    done = run("run", digits_pt2.path, picture(tmp_path), "-o", tmp_path / "seen", "--json")
    (result,) = done.json["results"]
    scores = [entry["score"] for entry in result["classes"]]
    assert len(scores) == 5
    assert scores == sorted(scores, reverse=True)
    assert {entry["label"] for entry in result["classes"]} < set("0123456789")
    assert result["drawing"] is None
    assert not (tmp_path / "seen").exists()


@pytest.mark.parametrize("size", [(5, 3), (1, 1), (900, 40)])
def test_pictures_of_any_size_are_taken(
    size: tuple[int, int], run: Run, segmentation: Artifact, tmp_path: Path
) -> None:
    image = picture(tmp_path, size)
    (result,) = run("run", segmentation.path, image, "-o", tmp_path, "--json").json["results"]
    width = pixels_of(result["drawing"]).shape[1]
    assert width >= size[0]
    assert width % size[0] == 0  # small ones are enlarged


def test_pictures_of_the_same_name_do_not_overwrite_each_other(
    run: Run, segmentation: Artifact, tmp_path: Path
) -> None:
    (tmp_path / "other").mkdir()
    images = picture(tmp_path), picture(tmp_path / "other")
    results = run("run", segmentation.path, *images, "-o", tmp_path, "--json").json["results"]
    names = [Path(result["drawing"]).name for result in results]
    assert names == ["street.seen.png", "street-2.seen.png"]


def test_a_corrupt_picture_is_one_sentence_and_nothing_is_written(
    run: Run, segmentation: Artifact, tmp_path: Path
) -> None:
    image, corrupt = picture(tmp_path), tmp_path / "corrupt.png"
    corrupt.write_bytes(image.read_bytes()[:100])
    done = run("run", segmentation.path, image, corrupt, "-o", tmp_path / "seen")
    assert done.code == 2
    assert done.error.startswith(f"{corrupt} cannot be decoded: ")
    corrupt.write_text("no picture")
    assert run("run", segmentation.path, corrupt).error == f"{corrupt} is not an image."
    missing = run("run", segmentation.path, tmp_path / "none.png")
    assert missing.code == 2
    assert missing.error.endswith("none.png cannot be decoded: No such file or directory.")
    assert run("run", segmentation.path, tmp_path).error == f"{tmp_path} is no file."
    assert not (tmp_path / "seen").exists()


def test_a_program_of_ones_own_is_refused(run: Run, segmentation: Artifact, tmp_path: Path) -> None:
    other = segmentation.with_manifest(task="other")
    manifest = manifest_path(segmentation.path)
    before = manifest.read_text()
    try:
        manifest.write_text(other.manifest.to_json())
        done = run("run", segmentation.path, picture(tmp_path))
    finally:
        manifest.write_text(before)
    assert done.code == 2
    assert "was not exported from a network of affnet" in done.error
