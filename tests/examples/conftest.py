"""The modules of ``examples/`` can be imported, as from a script that stands there."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

EXAMPLES = Path(__file__).parents[2] / "examples"
sys.path.insert(0, str(EXAMPLES))


@pytest.fixture
def noisy_colours(tmp_path: Path) -> Callable[..., Path]:
    """Make a folder of two classes, reddish and bluish noise."""

    def make(count: int = 6, folder: Path = tmp_path / "images") -> Path:
        generator = np.random.default_rng(0)
        for label, channel in (("blue", 2), ("red", 0)):
            (folder / label).mkdir(parents=True)
            for index in range(count):
                pixels = generator.integers(0, 100, (40, 44, 3))
                pixels[..., channel] += 150
                image = Image.fromarray(pixels.astype(np.uint8))
                image.save(folder / label / f"{index}.png")
        return folder

    return make
