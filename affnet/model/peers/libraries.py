"""Classifiers of timm and torchvision, where these are installed: ``timm:NAME``."""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from affnet.errors import MissingError, UnknownNameError, UsageError, first_line, require
from affnet.model.published import Published
from affnet.silence import silenced
from affnet.units import image_size

_SIGN = ":"
_SIMILAR = 5  # of a thousand names, those that a message shows


@dataclass(frozen=True)
class LibraryNetwork:
    """A classifier of a library, with its random initial weights, in eval mode."""

    model: nn.Module
    size: tuple[int, int]  # height and width of the images it was trained for
    classes: int
    published: Published | None  # where the library says


def is_of_library(source: str) -> bool:
    """Return whether SOURCE names a network of a library, ``timm:NAME`` or ``torchvision:NAME``."""
    library, sign, name = source.partition(_SIGN)
    return library in _LIBRARIES and bool(sign and name)


def create_of_library(source: str) -> LibraryNetwork:
    """Build the network that ``is_of_library``; nothing is fetched.

    Raises:
        MissingError: the library is not installed, or does not fit this torch.
        UnknownNameError: it has no classifier of that name.
        UsageError: the network does not map one image to scores of classes.
    """
    library, _, name = source.partition(_SIGN)
    require(library, extra=library, purpose=f"Building {source}")
    try:
        with silenced():
            package = importlib.import_module(library)
    except Exception as error:  # one built for another torch raises nearly every kind
        raise MissingError(
            f"Building {source} needs the package {library!r}, which is installed but cannot be "
            f"imported: {first_line(error)}",
            f"install the one that belongs to torch {torch.__version__}.",
        ) from error
    with silenced():
        model, size, published = _LIBRARIES[library](package, name)
    return LibraryNetwork(model, size, _count_classes(source, model, size), published)


_Built = tuple[nn.Module, tuple[int, int], Published | None]


def _of_timm(timm: Any, name: str) -> _Built:
    # timm would fetch what has a colon, such as hf-hub:NAME
    if _SIGN in name or not timm.is_model(name):
        raise _unknown("timm", name, timm.list_models())
    model = timm.create_model(name, pretrained=False).eval()
    _, height, width = model.pretrained_cfg["input_size"]
    return model, (height, width), None


def _of_torchvision(_package: Any, name: str) -> _Built:
    models = importlib.import_module("torchvision.models")
    classifiers = models.list_models(module=models)
    if name not in classifiers:
        raise _unknown("torchvision", name, classifiers)
    weights = models.get_model_weights(name).DEFAULT  # described, not fetched
    (side,) = set(weights.transforms().crop_size)
    meta = weights.meta
    published = Published(
        meta.get("_metrics", {}).get("ImageNet-1K", {}).get("acc@1"),
        meta["num_params"] / 1e6,
        meta.get("_ops"),
        f"torchvision's table of weights, ImageNet-1K, {side} px",
    )
    return models.get_model(name, weights=None).eval(), (side, side), published


_LIBRARIES: dict[str, Callable[[Any, str], _Built]] = {
    "timm": _of_timm,
    "torchvision": _of_torchvision,
}


def _unknown(library: str, name: str, names: Sequence[str]) -> UnknownNameError:
    similar = difflib.get_close_matches(name, names, _SIMILAR, cutoff=0.4) or names[:_SIMILAR]
    return UnknownNameError(f"classifier of {library}", name, [*similar, f"{len(names)} in all"])


def _count_classes(source: str, model: nn.Module, size: tuple[int, int]) -> int:
    try:
        with torch.inference_mode():
            scores = model(torch.zeros(1, 3, *size))
    except Exception as error:  # of any kind: some are built for other images than they tell
        raise UsageError(
            f"{source} takes no images of {image_size(*size)}: {first_line(error)}."
        ) from error
    if not (isinstance(scores, Tensor) and scores.ndim == 2):
        raise UsageError(f"{source} does not map an image to one score for each class.")
    return scores.shape[1]
