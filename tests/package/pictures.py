"""Pictures as phones, scanners and programs write them, made without any photo of anybody."""

from __future__ import annotations

import io
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

ORIENTATION = 0x0112
_SIZES = [
    (1, 37),
    (37, 1),
    (1, 200),
    (2, 3),
    (63, 65),
    (71, 97),
    (199, 151),
    (320, 243),
    (641, 480),
]


def scene(width: int, height: int, seed: int) -> Image.Image:
    """Return a smooth picture with edges and grain, which JPEG keeps in part, as of a photo."""
    random = np.random.default_rng(seed)
    rows, columns = np.mgrid[0:height, 0:width] / max(width, height)
    layers = []
    for _ in range(3):
        angle, frequency, phase = random.uniform(0, 6, 3)
        wave = np.sin(8 * frequency * (rows * np.sin(angle) + columns * np.cos(angle)) + phase)
        edge = (rows - random.random()) * np.cos(angle) > (columns - random.random()) * np.sin(
            angle
        )
        layers.append(128 + 70 * wave + 60 * (edge - 0.5) + random.normal(0, 6, rows.shape))
    return Image.fromarray(np.clip(np.stack(layers, -1), 0, 255).astype(np.uint8))


def synthetic(folder: Path, count: int = 200) -> list[Path]:
    """Write pictures of all kinds and return their files."""
    folder.mkdir(parents=True, exist_ok=True)
    kinds = list(_kinds())
    paths = []
    for index in range(count):
        width, height = _SIZES[index // len(kinds) % len(_SIZES)]
        name, kind, suffix, options = kinds[index % len(kinds)]
        picture = _of_kind(scene(width, height, index), kind)
        path = folder / f"{index:03}-{name}-{width}x{height}{suffix}"
        picture.save(path, **options)
        paths.append(path)
    return paths


def _kinds() -> Iterator[tuple[str, str, str, dict[str, Any]]]:
    """Yield a name, what is done to the scene, the file's suffix and how it is saved."""
    for orientation in (1, 3, 6, 8):
        exif = Image.Exif()
        exif[ORIENTATION] = orientation
        yield f"exif{orientation}", "RGB", ".jpg", {"exif": exif, "quality": 90}
    for subsampling in ("4:4:4", "4:2:2", "4:2:0"):
        name = subsampling.replace(":", "")
        yield name, "RGB", ".jpg", {"subsampling": subsampling, "quality": 80}
    yield "progressive", "RGB", ".jpg", {"progressive": True, "quality": 60}
    yield "gray", "L", ".jpg", {"quality": 85}
    yield "cmyk", "CMYK", ".jpg", {"quality": 90}
    yield "plain", "RGB", ".png", {}
    yield "gray", "L", ".png", {}
    yield "gray16", "I;16", ".png", {}
    yield "alpha", "RGBA", ".png", {}
    yield "grayalpha", "LA", ".png", {}
    yield "palette", "P", ".png", {}
    yield "bits", "1", ".png", {}
    yield "clear", "RGB", ".png", {"transparency": (128, 128, 128)}
    yield "lossy", "RGB", ".webp", {"quality": 80}
    yield "exact", "RGB", ".webp", {"lossless": True}
    yield "alpha", "RGBA", ".webp", {"lossless": True, "exact": True}
    yield "wrong", "RGB", ".jpg", {"format": "PNG"}


def _of_kind(picture: Image.Image, kind: str) -> Image.Image:
    if kind == "I;16":
        deep = np.asarray(picture.convert("L")).astype(np.uint16) * 257
        return Image.fromarray(deep)
    if kind in ("RGBA", "LA"):
        fade = np.linspace(0, 255, picture.width * picture.height).astype(np.uint8)
        clear = Image.fromarray(fade.reshape(picture.height, picture.width))
        picture = picture.convert(kind)
        picture.putalpha(clear)
        return picture
    return picture.convert(kind)


def bad(folder: Path) -> dict[str, Path]:
    """Write files that are no pictures to use, each with what its message must say."""
    folder.mkdir(parents=True, exist_ok=True)
    jpeg, png = io.BytesIO(), io.BytesIO()
    scene(200, 150, 1).save(jpeg, "JPEG")
    scene(200, 150, 1).save(png, "PNG")
    huge = bytearray(png.getvalue())
    huge[16:24] = (12_000).to_bytes(4, "big") * 2
    huge[29:33] = zlib.crc32(huge[12:29]).to_bytes(4, "big")
    frames = [scene(40, 30, seed) for seed in range(3)]
    moving = {}
    for form in ("GIF", "PNG", "WEBP"):
        content = io.BytesIO()
        frames[0].save(content, form, save_all=True, append_images=frames[1:])
        moving[form] = content.getvalue()
    strip = io.BytesIO()
    scene(1, 600, 1).save(strip, "PNG")
    files = {
        "cut.jpg": jpeg.getvalue()[:3000],
        "cut.png": png.getvalue()[: len(png.getvalue()) // 2],
        "text.jpg": b"this is a letter, not a picture",
        "empty.jpg": b"",
        "huge.png": bytes(huge),
        "moving.gif": moving["GIF"],
        "moving.png": moving["PNG"],
        "moving.webp": moving["WEBP"],
        "strip.png": strip.getvalue(),
    }
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return {name: folder / name for name in files}
