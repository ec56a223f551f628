"""What ``affnet bench`` and ``affnet check`` measure where no model is named.

It is the project's model, or this folder's checkpoint, beside its peers; else the three AFFNet
variants, each beside the MobileViT of its size.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from affnet.errors import UsageError
from affnet.names import split_names
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
    #: Of each peer, the model at whose image size it is exported.
    sized_like: dict[str, str] = field(default_factory=dict)


def pair_with_peers(models: Sequence[str], against: Sequence[str]) -> Comparison:
    """Return models beside the peers that ``--against`` names.

    An entry is a peer, several with commas between them, or ``MODEL:PEER``.  A model's ratio is to
    the peer of its own pair, else to its published rival if that is among the peers, else to the
    first of them.  Of a single reference other peers have a ratio, too.

    Raises:
        UsageError: a pair of a model that is not among ``models``, or two of one model.
    """
    from affnet.model.variants import rival_of

    pairs: dict[str, str] = {}
    common: list[str] = []
    for entry in (name for text in against for name in _entries(text)):
        model = next(
            (m for m in models if entry.startswith(f"{m}:") and len(entry) > len(m) + 1), ""
        )
        if not model:
            common.append(entry)
        elif pairs.setdefault(model, entry[len(model) + 1 :]) != entry[len(model) + 1 :]:
            raise UsageError(f"--against gives {model} two peers; name one.")
    own = {}
    for model in models:
        rival = rival_of(model)
        if peer := pairs.get(model) or (rival if rival in common else next(iter(common), None)):
            own[model] = peer
    names = list(dict.fromkeys([*models, *common, *pairs.values()]))
    like = {peer: model for model, peer in reversed(own.items())}
    like |= {peer: models[0] for peer in common if peer not in like}
    if common and set(own.values()) == {common[0]}:
        own = dict.fromkeys(names, common[0])
    return Comparison(names, own, sized_like={p: m for p, m in like.items() if p not in models})


def _entries(text: str) -> list[str]:
    """Split at commas, but not the name of a file."""
    if Path(text).exists():
        return [text]
    return split_names(text)


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
    said = "No MODELS given: measuring the AFFNet variants, "
    if peers:
        chosen = pair_with_peers(list(VARIANTS), peers)
        beside = ", ".join(name for name in chosen.names if name not in VARIANTS)
        return replace(chosen, image_size=image_size, sentence=f"{said}beside {beside}.")
    own = {name: one.peer for name, one in VARIANTS.items()}
    names = [name for pair in own.items() for name in pair]
    beside = "each beside the MobileViT of its size"
    like = {peer: name for name, peer in own.items()}
    return Comparison(names, own, image_size, sentence=f"{said}{beside}.", sized_like=like)


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
    chosen = pair_with_peers([choice.source], peers or ([own] if own else []))
    beside = f", beside {', '.join(chosen.names[1:])}" if chosen.names[1:] else ""
    return replace(
        chosen,
        image_size=size if source.input.is_image else None,
        settings={choice.source: settings},
        sentence=f"No MODELS given: measuring {choice.source}, {choice.reason}{beside}.",
    )


def _sides(text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    height, _, width = text.lower().partition("x")
    return int(height), int(width or height)
