"""The pictures of `benchmarks.resizers`: large, and what other resizers make another of."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from affnet.evaluation.resizers import other_resizers
from affnet.preprocessing import published
from benchmarks.resizers import BORDER, HEIGHT, OPENCV, opencv_resizers, ours_of, photograph

CONTRACT = published("classification", (64, 64))


def test_pictures_are_large_and_textured() -> None:
    picture = photograph(Image.new("RGBA", (72, 72), "red"), 0)
    assert picture.size == (HEIGHT + 2 * BORDER, HEIGHT)
    stated = CONTRACT.pixels(picture).astype(int)
    costs = {
        one.name: np.abs(one.pixels(picture, CONTRACT) - stated).mean()
        for one in other_resizers(CONTRACT)
    }
    aliased = [cost for name, cost in costs.items() if "INTER_CUBIC" in name or "LINEAR" in name]
    assert min(aliased) > 3 > max(cost for name, cost in costs.items() if "PyTorch" in name)


def test_ours_are_opencvs() -> None:
    pytest.importorskip("cv2", reason="not installed: pip install opencv-python-headless")
    picture = photograph(Image.effect_noise((72, 72), 90), 1)
    ours = {one.name: one.pixels for one in other_resizers(CONTRACT)}
    real = opencv_resizers()
    assert len(real) == len(OPENCV)
    for name, resize in real.items():
        found = ours[ours_of(name, list(ours))](picture, CONTRACT).astype(int)
        assert np.abs(found - resize(picture, CONTRACT)).max() <= 1, name
