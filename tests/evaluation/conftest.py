"""Tiny image folders."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

#: The colour that tells the class.
COLOURS = {"blue": (0, 0, 255), "green": (0, 255, 0), "red": (255, 0, 0)}


@pytest.fixture
def colours(tmp_path: Path) -> Callable[..., Path]:
    """Make a folder of plain images: so many of each colour, in a folder of the colour's name."""

    def make(count: int = 3, size: tuple[int, int] = (40, 36), name: str = "colours") -> Path:
        for colour, value in COLOURS.items():
            folder = tmp_path / name / colour
            folder.mkdir(parents=True)
            for index in range(count):
                Image.new("RGB", size, value).save(folder / f"{index}.png")
        return tmp_path / name

    return make


def brightest_channel(images: np.ndarray) -> np.ndarray:
    """Classify by the strongest channel: red, green, blue are the classes 0, 1, 2."""
    return images.mean(axis=(2, 3))
