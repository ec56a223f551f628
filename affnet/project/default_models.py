"""What ``affnet bench`` and ``affnet check`` measure where no model is named.

It is the project's model, or this folder's checkpoint, beside its peers; else the three AFFNet
variants, each beside the MobileViT of its size.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from affnet.project.default_source import ModelChoice


@dataclass(frozen=True)
class Comparison:
    """Models to measure side by side."""

    names: list[str]  # in the order of measuring
    peers: dict[str, str]  # of each model that has any, the one that its ratio is to
    image_size: tuple[int, int] | None = None  # of all; None: each one's own
    #: Of a model: what `affnet.model.source.load_source` takes besides its name.
    settings: dict[str, dict[str, Any]] = field(default_factory=dict)
    sentence: str = ""  # what the user is told


def choose_comparison(
    choice: ModelChoice, peers: list[str], image_size: tuple[int, int] | None = None
) -> Comparison:
    """Return what is measured where no model is named and ``choice`` is taken.

    ``peers`` are compared with instead of the MobileViT of its size; ``image_size`` overrides the
    model's.

    Raises:
        AffnetError: as `affnet.model.source.load_source`.
    """
    from affnet.model.variants import VARIANTS

    if not choice.bundled:
        return _beside_peers(choice, peers, image_size)
    own = {name: peers[0] if peers else one.peer for name, one in VARIANTS.items()}
    pairs = [name for pair in own.items() for name in pair]
    beside = f"beside {', '.join(peers)}" if peers else "each beside the MobileViT of its size"
    return Comparison(
        list(dict.fromkeys([*pairs, *peers])),
        own,
        image_size,
        sentence=f"No MODELS given: measuring the AFFNet variants, {beside}.",
    )


def _beside_peers(
    choice: ModelChoice, peers: list[str], image_size: tuple[int, int] | None
) -> Comparison:
    from affnet.model.source import load_source
    from affnet.model.zoo import peer_of

    settings = dict(choice.settings)
    size = image_size or _sides(settings.pop("image_size", None))
    source = load_source(choice.source, image_size=size, **settings)
    settings.pop("labels", None)  # they do not change what is measured
    if size is None and source.input.is_image:
        size = source.input.image_size()
    network = source.provenance.settings.get("variant") or source.provenance.location
    own = peer_of(str(network))
    peers = peers or ([own] if own else [])
    beside = f", beside {', '.join(peers)}" if peers else ""
    return Comparison(
        list(dict.fromkeys([choice.source, *peers])),
        {choice.source: peers[0]} if peers else {},
        size if source.input.is_image else None,
        {choice.source: settings},
        f"No MODELS given: measuring {choice.source}, {choice.reason}{beside}.",
    )


def _sides(text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    height, _, width = text.lower().partition("x")
    return int(height), int(width or height)
