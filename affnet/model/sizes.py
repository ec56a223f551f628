"""Which image sizes a network can take, and takes well."""

from __future__ import annotations

from dataclasses import dataclass

from affnet.errors import ImageSizeError
from affnet.units import image_size


@dataclass(frozen=True)
class SizeRule:
    """The sizes of images: both sides a ``multiple``, none below ``least``; or ``only`` one size.

    PyTorch would mostly take other sizes too.  Each stride then rounds the map up, so that cells at
    the border see mostly padding, and an export with such a size is nearly always a mistyped one.
    """

    multiple: int = 32
    least: int = 32
    only: tuple[int, int] | None = None  # height and width that position embeddings are bound to

    def check(self, name: str, height: int, width: int) -> None:
        """Raise `ImageSizeError` if the network called ``name`` cannot take such images."""
        given = f"{name} cannot take {image_size(height, width)} images: "
        if self.only is not None:
            if (height, width) != self.only:
                raise ImageSizeError(
                    f"{given}its position embeddings are bound to {image_size(*self.only)}."
                )
        elif min(height, width) < self.least or height % self.multiple or width % self.multiple:
            raise ImageSizeError(
                f"{given}each side must be a multiple of {self.multiple}, "
                f"the smallest is {image_size(self.least, self.least)}."
            )
