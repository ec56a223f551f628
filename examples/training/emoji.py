"""The image set of emoji: five artists' drawings, in the ten categories that Unicode sorts them in.

Four artists are trained on.  The fifth, Twemoji, is held out whole, and so are all drawings of a
fifth of the emoji.  What would leak from one side to the other stays on one side: the genders,
skin tones and directions of an emoji are one *family*, and so are the subcategories whose members
differ in a colour or a digit.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from affnet.files import publish, staging_folder
from training.packages import Package, fetch, members


@dataclass(frozen=True)
class Artist:
    """One artist's drawings: where they lie, and under which licence."""

    name: str
    package: Package
    folder: str
    licence: str


GOOGLE = Package("emoji-datasource-google", "16.0.0")
TRAINED_ON = (
    Artist("noto", GOOGLE, "img/google/64", "Apache-2.0"),
    Artist("blob", Package("emoji-datasource-google", "3.0.0"), "img/google/64", "Apache-2.0"),
    Artist("emojione", Package("emojione", "2.2.7"), "assets/png", "CC-BY-4.0"),
    Artist("fluent", Package("@lobehub/fluent-emoji-3d", "1.1.0"), "assets", "MIT"),
)
HELD_OUT = Artist(
    "twemoji", Package("emoji-datasource-twitter", "16.0.0"), "img/twitter/64", "CC-BY-4.0"
)
CATEGORIES = {
    "Activities": "activities",
    "Animals & Nature": "animals_nature",
    "Flags": "flags",
    "Food & Drink": "food_drink",
    "Objects": "objects",
    "People & Body": "people",
    "Smileys & Emotion": "smileys",
    "Symbols": "symbols",
    "Travel & Places": "travel_places",
}
SIDE, MARGIN = 64, 4  # pixels; with the margin an image is 9/8 of its side, as 288 is of 256
CALIBRATION_PER_CLASS = 20
UNSEEN_PERCENT = 20
#: Drawings with a higher correlation than this are taken for the same.
DUPLICATE = 0.9
_LOOKALIKES = {"arrow", "family", "geometric", "heart", "keycap", "zodiac"}
_PERSONS = {"1f468", "1f469", "1f9d1"}  # man, woman, person
_VARIANTS = {"2640", "2642", "27a1"}  # female, male, facing right


@dataclass(frozen=True)
class Emoji:
    """One emoji: its code points, its class and its family."""

    code: str
    label: str
    family: str

    @property
    def is_unseen(self) -> bool:
        """Whether no artist's drawing of it, nor of its family, is trained on."""
        return _draw(self.family) % 100 < UNSEEN_PERCENT


@dataclass(frozen=True, eq=False)
class Drawing:
    """An artist's drawing of an emoji, RGB on white, with its margin."""

    artist: str
    emoji: Emoji
    pixels: NDArray[np.uint8]


def make_dataset(folder: Path, cache: Path) -> Path:
    """Write ``folder`` with the splits train, calibration and heldout, each of one folder a class.

    Nothing is done where the folder exists: it appears whole or not at all.
    """
    if folder.is_dir():
        return folder
    emoji = read_emoji(json.loads(next(members(fetch(GOOGLE, cache), "emoji_pretty.json"))[1]))
    train = [
        drawing
        for artist in TRAINED_ON
        for drawing in drawings(artist, emoji, cache)
        if not drawing.emoji.is_unseen
    ]
    held_out = without_duplicates(one_per_family(drawings(HELD_OUT, emoji, cache)), train)
    splits = {"train": train, "calibration": calibration(train), "heldout": held_out}
    with staging_folder(folder.parent) as staging:
        for split, images in splits.items():
            for drawing in images:
                _save(drawing, staging / folder.name / split)
        publish([staging / folder.name], folder.parent)
    return folder


def read_emoji(records: Iterable[dict[str, str]]) -> dict[str, Emoji]:
    """Return the emoji of ``emoji_pretty.json`` by their `code`."""
    emoji = {}
    for record in sorted(records, key=lambda record: record["sort_order"]):
        if (category := CATEGORIES.get(record["category"])) is None:
            continue  # skin tones by themselves
        code, kind = normalised(record["unified"]), record["subcategory"]
        if category == "people" and kind.startswith(("hand", "body")):
            category = "hands_body"
        emoji[code] = Emoji(code, category, family(code, kind))
    return emoji


def normalised(code: str) -> str:
    """Return code points in lower case, without the selector of the colourful form."""
    return "-".join(part for part in code.lower().split("-") if part != "fe0f")


def family(code: str, kind: str) -> str:
    """Name the family of an emoji of the subcategory ``kind``."""
    if kind in _LOOKALIKES:
        return kind
    if "1f550" <= code <= "1f567" and len(code) == 5:
        return "clock"
    parts = [part for part in code.split("-") if part != "200d" and part not in _VARIANTS]
    return "-".join("person" if part in _PERSONS else part for part in parts)


def drawings(artist: Artist, emoji: dict[str, Emoji], cache: Path) -> Iterator[Drawing]:
    """Yield what ``artist`` drew of ``emoji``, in their order: no skin tones, no inventions."""
    archive = fetch(artist.package, cache)
    files = {
        normalised(name.rsplit(".")[0]): data for name, data in members(archive, artist.folder)
    }
    for code, one in emoji.items():
        if code in files:
            yield Drawing(artist.name, one, _on_white(files[code]))


def one_per_family(images: Iterable[Drawing]) -> list[Drawing]:
    """Keep the first drawing of each family, so that test images are independent of each other."""
    first: dict[str, Drawing] = {}
    for drawing in images:
        first.setdefault(drawing.emoji.family, drawing)
    return list(first.values())


def without_duplicates(images: list[Drawing], others: list[Drawing]) -> list[Drawing]:
    """Drop each image that resembles one of ``others`` pixel by pixel."""
    likeness = _signatures(images) @ _signatures(others).T
    return [image for image, row in zip(images, likeness, strict=True) if row.max() <= DUPLICATE]


def calibration(train: list[Drawing]) -> list[Drawing]:
    """Draw training images of the artist whose licence is the least demanding, alike per class."""
    by_class: dict[str, list[Drawing]] = {}
    for drawing in train:
        if drawing.artist == TRAINED_ON[0].name:
            by_class.setdefault(drawing.emoji.label, []).append(drawing)
    return [
        drawing
        for images in by_class.values()
        for drawing in sorted(images, key=lambda d: _draw(d.emoji.code))[:CALIBRATION_PER_CLASS]
    ]


def _draw(name: str) -> int:
    """Draw a number by name: the same for everybody, and for other versions of the packages."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big")


def _on_white(data: bytes) -> NDArray[np.uint8]:
    """Decode a drawing, fit it into the side, and lay it on a white square with the margin."""
    with Image.open(io.BytesIO(data)) as opened:
        image = opened.convert("RGBA")
    image.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
    square = Image.new("RGB", (SIDE + 2 * MARGIN, SIDE + 2 * MARGIN), "white")
    corner = ((square.width - image.width) // 2, (square.height - image.height) // 2)
    square.paste(image, corner, image)
    return np.asarray(square)


def _signatures(images: list[Drawing]) -> NDArray[np.float32]:
    """Return one row per image: 18 x 18 pixels, centred and scaled to length one."""
    rows = np.stack([image.pixels for image in images]).astype(np.float32)
    rows = rows.reshape(len(rows), 18, 4, 18, 4, 3).mean((2, 4)).reshape(len(rows), -1)
    rows -= rows.mean(1, keepdims=True)
    scaled: NDArray[np.float32] = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1)
    return scaled


def _save(drawing: Drawing, split: Path) -> None:
    target = split / drawing.emoji.label / f"{drawing.artist}-{drawing.emoji.code}.webp"
    target.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(drawing.pixels).save(target, lossless=True)
