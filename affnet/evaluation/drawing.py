"""Pictures of what a network sees: classes laid over an image with a legend, boxes with names."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from affnet.detections import Detections
from affnet.units import PERCENT

_OPACITY = 0.6  # of a class over the image
_MARGIN = 8
_SMALLEST_TEXT = 12  # pixels
_SMALLEST_SIDE = 128  # pixels of the longer side of what is drawn
_BACKGROUND = "background"
Color = tuple[int, int, int]


def class_color(index: int) -> Color:
    """Return the colour of a class in the palette of Pascal VOC's masks: 0 is black.

    Bits 0, 1 and 2 of the index become the highest bits of red, green and blue, and so on.
    """
    color = [0, 0, 0]
    for bit in range(8):
        for channel in range(3):
            color[channel] |= (index >> channel & 1) << (7 - bit)
        index >>= 3
    return color[0], color[1], color[2]


def class_name(index: int, labels: Sequence[str] | None) -> str:
    """Return the name of a class."""
    return labels[index] if labels else f"class {index}"


def class_shares(classes: NDArray[np.integer]) -> list[tuple[int, float]]:
    """Return the classes that occur in a map, each with its share of it, the largest first."""
    found, counts = np.unique(classes, return_counts=True)
    order = np.argsort(-counts, kind="stable")
    return [(int(found[i]), float(counts[i] / classes.size)) for i in order]


def overlay_classes(
    image: Image.Image, classes: NDArray[np.integer], labels: Sequence[str] | None
) -> Image.Image:
    """Return an RGB image with each pixel's class laid over it, above a legend of what occurs.

    ``classes`` is of any size and is scaled to the image's.  A class called background is not
    drawn over the image.
    """
    class_map = Image.fromarray(np.asarray(classes, np.int32))
    scaled = np.asarray(class_map.resize(image.size, Image.Resampling.NEAREST))
    pixels = np.asarray(image, np.float32)
    shares = class_shares(classes)
    drawn = pixels.copy()
    for index, _ in shares:
        if class_name(index, labels) != _BACKGROUND:
            where = scaled == index
            color = np.array(class_color(index), np.float32)
            drawn[where] = (1 - _OPACITY) * pixels[where] + _OPACITY * color
    picture = Image.fromarray(np.round(drawn).astype(np.uint8))
    entries = [
        (class_color(index), f"{class_name(index, labels)} {PERCENT.text(share)}")
        for index, share in shares
    ]
    return _with_legend(picture, entries)


def _with_legend(picture: Image.Image, entries: Sequence[tuple[Color, str]]) -> Image.Image:
    """Put rows of colours with names under a picture."""
    font = _font(picture)
    height = _text_height(font)
    rows: list[list[tuple[int, Color, str]]] = [[]]
    x = _MARGIN
    for color, text in entries:
        width = height + _MARGIN // 2 + int(font.getlength(text)) + 2 * _MARGIN
        if rows[-1] and x + width > picture.width:
            rows.append([])
            x = _MARGIN
        rows[-1].append((x, color, text))
        x += width
    row_height = height + _MARGIN
    whole = Image.new(
        "RGB", (picture.width, picture.height + _MARGIN + len(rows) * row_height), "white"
    )
    whole.paste(picture)
    draw = ImageDraw.Draw(whole)
    for number, row in enumerate(rows):
        y = picture.height + _MARGIN + number * row_height
        for x, color, text in row:
            draw.rectangle((x, y, x + height - 1, y + height - 1), color, "black")
            draw.text((x + height + _MARGIN // 2, y), text, "black", font)
    return whole


def draw_detections(
    image: Image.Image, detections: Detections, labels: Sequence[str] | None
) -> Image.Image:
    """Return an RGB image with a frame around each object, its class and its score above it."""
    picture = image.copy()
    draw, font = ImageDraw.Draw(picture), _font(picture)
    thickness = max(2, round(min(picture.size) / 200))
    limits = np.array((*picture.size, *picture.size)) - 1
    corners = (np.clip(detections.boxes, 0, 1) * limits).astype(int).tolist()
    labels_of = detections.classes.tolist()
    worst_first = range(len(detections) - 1, -1, -1)  # so that the best is on top
    for i in worst_first:
        left, top, right, bottom = corners[i]
        frame = (left, top, max(left, right), max(top, bottom))
        draw.rectangle(frame, None, class_color(labels_of[i]), thickness)
    for i in worst_first:  # no frame crosses a name
        text = f"{class_name(labels_of[i], labels)} {detections.scores[i]:.2f}"
        _write_name(draw, font, corners[i][:2], class_color(labels_of[i]), text)
    return picture


def _write_name(
    draw: ImageDraw.ImageDraw,
    font: ImageFont.FreeTypeFont,
    corner: tuple[int, int],
    color: Color,
    text: str,
) -> None:
    """Write ``text`` above the corner of a box, inside the picture."""
    left, top = corner
    width, height = int(font.getlength(text)) + 4, _text_height(font)
    x = max(0, min(left, draw.im.size[0] - 1 - width))
    y = top - height if top >= height else top
    draw.rectangle((x, y, x + width, y + height), color)
    ink = "black" if sum(color) > 3 * 128 else "white"
    draw.text((x + 2, y), text, ink, font)


def legible(image: Image.Image) -> Image.Image:
    """Return an image large enough for a legend: a small one enlarged by a whole factor."""
    factor = -(-_SMALLEST_SIDE // max(image.size))
    if factor == 1:
        return image
    size = (image.width * factor, image.height * factor)
    return image.resize(size, Image.Resampling.NEAREST)


def _font(picture: Image.Image) -> ImageFont.FreeTypeFont:
    font = ImageFont.load_default(max(_SMALLEST_TEXT, round(min(picture.size) / 36)))
    assert isinstance(font, ImageFont.FreeTypeFont)  # for a size is given
    return font


def _text_height(font: ImageFont.FreeTypeFont) -> int:
    ascent, descent = font.getmetrics()
    return ascent + descent
