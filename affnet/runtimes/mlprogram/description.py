"""What a Core ML model says about itself: inputs, outputs, authorship, version."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from affnet.runtimes.mlprogram.types import TensorType

#: First system that takes each specification version of ML programs.
_SYSTEMS = {6: "iOS15", 7: "iOS16", 8: "iOS17", 9: "iOS18", 10: "iOS26"}

_COLOUR_LAYOUTS = {10: "GRAYSCALE", 20: "RGB", 30: "BGR", 40: "GRAYSCALE_FLOAT16"}

#: Lowest and highest size of an axis; None: no highest.
Range = tuple[int, int | None]


@dataclass(frozen=True)
class Feature:
    """One input or output.

    ``kind`` is ``tensor``, ``image``, ``label`` (the predicted class), ``probabilities`` (by
    class) or ``rows``, of which there may be fewer than the shape says.  ``shape`` is the default
    one, as the program sees it: an image's is 1 x C x H x W.  An input whose size may vary has
    either ``choices``, all its shapes, or ``ranges`` by axis.
    """

    name: str
    kind: str
    shape: tuple[int | None, ...] = ()
    dtype: str = ""
    color_layout: str | None = None
    choices: tuple[tuple[int, ...], ...] = ()
    ranges: tuple[Range, ...] = ()
    description: str = ""

    def admits(self, shape: tuple[int, ...]) -> bool:
        """Return whether an input may have ``shape``."""
        if self.choices:
            return shape in self.choices
        if self.ranges:
            return len(shape) == len(self.ranges) and all(
                low <= size and (high is None or size <= high)
                for size, (low, high) in zip(shape, self.ranges, strict=True)
            )
        return len(shape) == len(self.shape) and all(
            mine in (None, size) for mine, size in zip(self.shape, shape, strict=True)
        )

    def shapes(self) -> str:
        """Return the shapes it may have, for a message."""
        if self.choices:
            return " or ".join(" x ".join(map(str, choice)) for choice in self.choices)
        if self.ranges:
            return " x ".join(
                str(low) if low == high else f"{low}..{'' if high is None else high}"
                for low, high in self.ranges
            )
        return " x ".join("?" if size is None else str(size) for size in self.shape) or "a scalar"


@dataclass(frozen=True)
class Metadata:
    """Who made the model, and what for."""

    description: str = ""
    author: str = ""
    licence: str = ""
    version: str = ""
    user_defined: Mapping[str, str] = field(default_factory=dict)


def deployment_target(specification_version: int) -> str:
    """Return the first system that takes this specification version, such as ``iOS16``."""
    return _SYSTEMS.get(specification_version, f"specification {specification_version}")


def read_metadata(message: Any) -> Metadata:
    """Read a ``Metadata`` message."""
    return Metadata(
        description=message.shortDescription,
        author=message.author,
        licence=message.license,
        version=message.versionString,
        user_defined=dict(message.userDefined),
    )


def read_input(message: Any, kind: TensorType | None) -> Feature:
    """Read the ``FeatureDescription`` of an input of the program's type ``kind``."""
    declared = message.type
    dtype = kind.dtype if kind else ""
    if declared.WhichOneof("Type") == "imageType":
        return _image(message, kind)
    array = declared.multiArrayType
    return Feature(
        name=message.name,
        kind="tensor",
        shape=tuple(array.shape),
        dtype=dtype,
        choices=tuple(tuple(choice.shape) for choice in array.enumeratedShapes.shapes),
        ranges=tuple(_range(size) for size in array.shapeRange.sizeRanges),
        description=message.shortDescription,
    )


def read_output(message: Any, kind: TensorType | None) -> Feature:
    """Read the ``FeatureDescription`` of an output of the program's type ``kind``."""
    declared = message.type.WhichOneof("Type")
    if declared == "imageType":
        return _image(message, kind)
    if declared in ("stringType", "int64Type"):
        return Feature(message.name, "label", description=message.shortDescription)
    if declared == "dictionaryType":
        return Feature(message.name, "probabilities", description=message.shortDescription)
    return Feature(
        name=message.name,
        kind="tensor",
        # Core ML leaves the shapes of outputs to the program
        shape=(kind.shape or ()) if kind else (),
        dtype=kind.dtype if kind else "",
        description=message.shortDescription,
    )


def _image(message: Any, kind: TensorType | None) -> Feature:
    image = message.type.imageType
    layout = _COLOUR_LAYOUTS.get(image.colorSpace, "unknown")
    channels = 1 if layout.startswith("GRAYSCALE") else 3
    ranges: tuple[Range, ...] = ()
    if image.WhichOneof("SizeFlexibility") == "imageSizeRange":
        sizes = image.imageSizeRange
        ranges = ((1, 1), (channels, channels), _range(sizes.heightRange), _range(sizes.widthRange))
    return Feature(
        name=message.name,
        kind="image",
        shape=(1, channels, image.height, image.width),
        dtype=kind.dtype if kind else "",
        color_layout=layout,
        choices=tuple(
            (1, channels, size.height, size.width) for size in image.enumeratedSizes.sizes
        ),
        ranges=ranges,
        description=message.shortDescription,
    )


def _range(message: Any) -> Range:
    upper = message.upperBound
    return message.lowerBound, None if upper < 0 else upper
