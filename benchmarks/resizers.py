"""What other ways to resize would cost on large pictures, and whether they are what we say.

    pip install opencv-python-headless
    python benchmarks/resizers.py --images 300

The bundled held-out emoji are 72 pixels wide, so that hardly anything is resized.  Here each is
made what a camera gives: enlarged to fill a picture of 4:3 with borders, under a fine texture and
noise, and stored as JPEG.  The bundled network classifies it by the manifest's pixels and by those
of other resizers: those of `affnet.evaluation.resizers`, OpenCV itself where it is installed, and a
canvas in Chromium with --chromium.  A further table says how far the former are from the latter.
"""

from __future__ import annotations

import argparse
import base64
import io
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from affnet.evaluation.classifiers import Classifier
from affnet.evaluation.datasets import open_dataset
from affnet.evaluation.resizers import other_resizers
from affnet.model.source import load_source
from affnet.preprocessing import Preprocessing
from affnet.table import Table, numbers, texts

Pixels = NDArray[np.uint8]
Resize = Callable[[Image.Image, Preprocessing], Pixels]
HEIGHT, BORDER = 480, 80
TEXTURE, NOISE = 24.0, 8.0  # of 255
#: By the names that `affnet.evaluation.resizers` gives them.
OPENCV = ("INTER_AREA", "INTER_CUBIC", "INTER_LINEAR", "INTER_NEAREST")
CANVAS = ("low", "medium", "high")


def photograph(small: Image.Image, seed: int) -> Image.Image:
    """Return a picture of 640 x 480 that shows ``small`` in full height."""
    random = np.random.default_rng(seed)
    enlarged = small.convert("RGBA").resize((HEIGHT, HEIGHT), Image.Resampling.BICUBIC)
    canvas = Image.new("RGBA", (HEIGHT + 2 * BORDER, HEIGHT), "white")
    canvas.alpha_composite(enlarged, (BORDER, 0))
    values = np.asarray(canvas.convert("RGB"), np.float64)
    rows, columns = np.mgrid[: values.shape[0], : values.shape[1]]
    period, angle = random.uniform(2.5, 6), random.uniform(0, np.pi)
    wave = np.sin(2 * np.pi / period * (rows * np.sin(angle) + columns * np.cos(angle)))
    values += TEXTURE * wave[:, :, None] + random.normal(0, NOISE, values.shape)
    content = io.BytesIO()
    Image.fromarray(np.clip(values.round(), 0, 255).astype(np.uint8)).save(
        content, "JPEG", quality=90
    )
    content.seek(0)
    return Image.open(content)


def _cut(resized: Pixels, contract: Preprocessing) -> Pixels:
    top, left = ((a - c) // 2 for a, c in zip(resized.shape[:2], contract.crop, strict=True))
    return resized[top : top + contract.crop[0], left : left + contract.crop[1]]


def opencv_resizers() -> dict[str, Resize]:
    """Return OpenCV's own, by our names of them; none where it is not installed."""
    try:
        import cv2
    except ImportError:
        print("OpenCV is not installed, and not run: pip install opencv-python-headless")
        return {}

    def using(flag: int) -> Resize:
        def resize(picture: Image.Image, contract: Preprocessing) -> Pixels:
            height, width = contract.resized((picture.height, picture.width))
            resized = cv2.resize(np.asarray(picture), (width, height), interpolation=flag)
            return _cut(np.asarray(resized), contract)

        return resize

    print(f"OpenCV {cv2.__version__}")
    return {f"OpenCV itself, {name}": using(getattr(cv2, name)) for name in OPENCV}


def canvas_resizers(page: object) -> dict[str, Resize]:
    """Return a canvas's own in a page of Chromium, for each quality of its smoothing."""

    def using(quality: str) -> Resize:
        def resize(picture: Image.Image, contract: Preprocessing) -> Pixels:
            height, width = contract.resized((picture.height, picture.width))
            content = io.BytesIO()
            picture.save(content, "PNG", compress_level=1)
            values = page.evaluate(  # type: ignore[attr-defined]
                """async ([data, width, height, quality]) => {
                  const bytes = Uint8Array.from(atob(data), (one) => one.charCodeAt(0));
                  const options = {colorSpaceConversion: "none", premultiplyAlpha: "none"};
                  const image = await createImageBitmap(new Blob([bytes]), options);
                  const canvas = new OffscreenCanvas(width, height);
                  const context = canvas.getContext("2d", {willReadFrequently: true});
                  context.imageSmoothingQuality = quality;
                  context.drawImage(image, 0, 0, width, height);
                  return Array.from(context.getImageData(0, 0, width, height).data);
                }""",
                [base64.b64encode(content.getvalue()).decode(), width, height, quality],
            )
            return _cut(np.array(values, np.uint8).reshape(height, width, 4)[:, :, :3], contract)

        return resize

    return {f"canvas of Chromium, {quality} quality": using(quality) for quality in CANVAS}


def ours_of(name: str, ours: Sequence[str]) -> str:
    """Return which of our resizers is meant to be that of a library."""
    quality = "low quality" if "low" in name else "medium and high quality"
    wanted = quality if "canvas" in name else name.rpartition(" ")[2]
    return next(one for one in ours if wanted in one)


def run(images: int, real: dict[str, Resize]) -> tuple[Table, Table]:
    """Return what each resizer costs, and how far ours are from those of the libraries."""
    source = load_source("emoji")
    classifier = Classifier.of_source(source)
    contract = source.preprocessing_for(source.input)
    assert contract is not None
    ours = {one.name: one.pixels for one in other_resizers(contract)}
    chosen = [*open_dataset("emoji").images]
    chosen = chosen[:: max(1, len(chosen) // images)][:images]
    every: dict[str, Resize] = {"as the manifest states": _stated} | ours | real
    pixels: dict[str, list[Pixels]] = {name: [] for name in every}
    for number, one in enumerate(chosen):
        picture = photograph(one.open(), number)
        picture.load()
        for name, resize in every.items():
            pixels[name].append(resize(picture, contract))
    truth = np.array([one.label for one in chosen])
    classes = {}
    for name, found in pixels.items():
        values = np.stack([contract.values(one) for one in found])
        classes[name] = classifier.predict(values).argmax(axis=1)
    own, stated = classes["as the manifest states"], pixels["as the manifest states"]
    rows = [
        [
            name,
            f"{_mean(found, stated):.2f}",
            f"{100 * (classes[name] != own).mean():.1f} %",
            f"{100 * (classes[name] == truth).mean():.1f} %",
        ]
        for name, found in pixels.items()
    ]
    head = [*texts("resized by"), *numbers("mean difference", "other class", "top-1")]
    near = []
    for name in real:
        mine = ours_of(name, list(ours))
        apart = np.abs(np.stack(pixels[name]).astype(int) - np.stack(pixels[mine]))
        near.append([name, mine, f"{apart.mean():.3f}", f"{apart.max()}"])
    compared = [*texts("library", "ours"), *numbers("mean difference", "largest")]
    return Table(head, rows), Table(compared, near)


def _stated(picture: Image.Image, contract: Preprocessing) -> Pixels:
    return contract.pixels(picture)


def _mean(found: Sequence[Pixels], stated: Sequence[Pixels]) -> float:
    return float(np.abs(np.stack(found).astype(int) - np.stack(stated)).mean())


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--images", type=int, default=300)
    arguments.add_argument("--chromium", help="the browser's program, for its canvas")
    given = arguments.parse_args()
    real = opencv_resizers()
    if given.chromium is None:
        tables = run(given.images, real)
    else:
        from playwright.sync_api import sync_playwright

        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path=given.chromium, args=["--no-sandbox"]
            )
            print(f"Chromium {browser.version}")
            page = browser.new_page()
            tables = run(given.images, real | canvas_resizers(page))
            browser.close()
    for table in tables:
        print(table.markdown())


if __name__ == "__main__":
    main()
