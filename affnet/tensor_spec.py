"""What a tensor that a file takes or gives is like."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class TensorSpec:
    """One input or output of an artifact."""

    name: str
    shape: tuple[int | str, ...]  # a string names a dynamic axis
    dtype: str
    layout: str | None = None  # NCHW or NHWC for images, and NHWC for maps of a file like that
    # what 0 and 1 of an image become in the file, or between what an integer is drawn
    range: tuple[float, float] | None = None
    class_axis: int | None = None  # of an output: where one score of each class stands
    example_shape: tuple[int, ...] | None = None  # the network's example's, of dynamic axes too

    @property
    def is_image(self) -> bool:
        """Whether it holds images, whose size and layout an export may choose."""
        return self.layout is not None

    @property
    def dynamic_batch(self) -> bool:
        """Whether the first axis is left open."""
        return isinstance(self.shape[0], str)

    def static_shape(self, batch: int = 1) -> tuple[int, ...]:
        """Return the shape of the example, or that with ``batch`` in place of dynamic axes."""
        if self.example_shape is not None:
            return self.example_shape
        return tuple(batch if isinstance(axis, str) else axis for axis in self.shape)

    def sized(self, lengths: Mapping[str, int]) -> TensorSpec:
        """Return the spec of an input with ``lengths`` in place of the axes that they name."""
        shape = tuple(lengths[axis] if isinstance(axis, str) else axis for axis in self.shape)
        return dataclasses.replace(self, shape=shape, example_shape=None)

    def fits(self, shape: tuple[int, ...]) -> bool:
        """Return whether a tensor of ``shape`` can be it."""
        return len(shape) == len(self.shape) and all(
            isinstance(axis, str) or axis == length
            for axis, length in zip(self.shape, shape, strict=True)
        )

    def channels_last(self) -> TensorSpec:
        """Return the spec of B x C x H x W with the channels last; of other shapes itself."""
        if len(self.shape) != 4:
            return self
        batch, channels, *sides = self.shape
        axis = None if self.class_axis is None else 3
        shape = (batch, *sides, channels)
        return dataclasses.replace(self, shape=shape, layout="NHWC", class_axis=axis)

    def network_shape(self) -> tuple[int | str, ...]:
        """Return the shape as the network has it, channels first."""
        if self.layout != "NHWC":
            return self.shape
        batch, *sides, channels = self.shape
        return (batch, channels, *sides)

    def image_size(self) -> tuple[int, int]:
        """Return height and width of the images."""
        _, *sides = self.static_shape()
        height, width = sides[:2] if self.layout == "NHWC" else sides[1:]
        return height, width


def image_spec(height: int, width: int) -> TensorSpec:
    """Return the spec of one image as every image network here takes it."""
    return TensorSpec("image", (1, 3, height, width), "float32", "NCHW", (0.0, 1.0))


def logits_spec(classes: int) -> TensorSpec:
    """Return the spec of one image's logits."""
    return TensorSpec("logits", (1, classes), "float32", class_axis=1)
