"""The picture that a pipeline begins with: a user's own, or always the same one."""

from __future__ import annotations

import io
from pathlib import Path

from affnet.reading import existing_file

#: Width and height of the bundled one: what cameras give apps for previews.
SIZE = (1280, 960)
_QUALITY = 90


def picture_of(path: Path | None) -> bytes:
    """Return the file of a picture: the one at ``path``, else a bundled photograph, enlarged.

    Raises:
        UsageError: it cannot be read.
        CorruptImageError: it is no picture, or one that networks here do not take.
    """
    from PIL import Image

    from affnet.evaluation.datasets import LabelledImage
    from affnet.model.bundled import photographs

    if path is not None:
        LabelledImage(existing_file(path, "a picture"), 0).open()
        return path.read_bytes()
    with Image.open(photographs()[0]) as opened:
        enlarged = opened.convert("RGB").resize(SIZE, Image.Resampling.BICUBIC)
    content = io.BytesIO()
    enlarged.save(content, "JPEG", quality=_QUALITY)
    return content.getvalue()
