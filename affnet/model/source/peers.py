"""SOURCE that names a peer, with random weights or a user's own."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from affnet.artifact import Provenance, image_spec, logits_spec
from affnet.errors import UsageError
from affnet.files import portable
from affnet.model.peers import (
    DETECTION_PEERS,
    PEER_CLASSES,
    PEERS,
    SEGMENTATION_CLASSES,
    SEGMENTATION_PEERS,
    Pretrained,
    balance,
    create_detection_peer,
    create_peer,
    create_segmentation_peer,
    load_peer,
    load_segmentation_peer,
    read_pretrained,
)
from affnet.model.peers.libraries import create_of_library
from affnet.model.random_weights import randomise
from affnet.model.source import files
from affnet.model.source.base import OWN_WEIGHTS, SEED, Source, interface


def is_peer(name: str) -> bool:
    """Return whether SOURCE is a peer, whose weights may be the user's."""
    return name in PEERS or name in SEGMENTATION_PEERS or name in DETECTION_PEERS


def peer_source(name: str, weights: Path | None) -> Source:
    """Return a peer, filled from ``weights`` if given.

    Raises:
        MissingError: transformers is not installed.
        UsageError: as `affnet.model.peers.read_pretrained`, or this peer takes no weights.
        CheckpointError: the weights are not this peer's.
    """
    if name in DETECTION_PEERS:
        return _detection(name, weights)
    pretrained = read_pretrained(weights) if weights is not None else None
    make = _classifier if name in PEERS else _segmentation
    return make(name, pretrained)


def _classifier(name: str, pretrained: Pretrained | None) -> Source:
    peer, classes, labels = PEERS[name], PEER_CLASSES, None
    if pretrained is None:
        model = create_peer(name)
        randomise(model, SEED)
        balance(model, peer)
    else:
        model, classes, labels = load_peer(name, pretrained)
    return Source(
        model=model,
        name=name,
        inputs=(image_spec(*peer.size),),
        outputs=(logits_spec(classes),),
        labels=labels,
        published=peer.published if classes == PEER_CLASSES else None,
        size_rule=peer.rule,
        **_origin(name, pretrained, classes),
    )


def _segmentation(name: str, pretrained: Pretrained | None) -> Source:
    labels = None
    if pretrained is None:
        model = create_segmentation_peer(name)
        randomise(model, SEED)
    else:
        model, labels = load_segmentation_peer(name, pretrained)
    classes = model.num_classes
    return Source(
        model=model,
        name=name,
        labels=labels,
        published=SEGMENTATION_PEERS[name].published if classes == SEGMENTATION_CLASSES else None,
        **interface(model, None),
        **_origin(name, pretrained, classes),
    )


def _detection(name: str, weights: Path | None) -> Source:
    if weights is not None:
        raise UsageError(
            f"--weights does not fill {name!r}, which is put together from transformers' MobileViT "
            "and an SSDLite head: nothing writes files of it."
        )
    model = create_detection_peer(name)
    randomise(model, SEED)
    return Source(
        model=model,
        name=name,
        labels=None,
        published=DETECTION_PEERS[name].published,
        **interface(model, None),
        **_origin(name, None, model.num_classes),
    )


def library_source(name: str) -> Source:
    """Return a network of a library, ``timm:NAME`` or ``torchvision:NAME``.

    Raises:
        AffnetError: as `create_of_library`.
    """
    network = create_of_library(name)
    randomise(network.model, SEED)
    return Source(
        model=network.model,
        name=re.sub(r"\W", "_", name),
        inputs=(image_spec(*network.size),),
        outputs=(logits_spec(network.classes),),
        labels=None,
        published=network.published,
        **_origin(name, None, network.classes),
    )


def _origin(name: str, pretrained: Pretrained | None, classes: int) -> dict[str, Any]:
    """Return the fields of a source that say where its weights come from."""
    if pretrained is None:
        random = f"random (seed {SEED})"
        return {
            "provenance": Provenance("peer", name, random, None, {}),
            "notes": (
                f"{name} has random weights (seed {SEED}); latency does not depend on them.",
            ),
        }
    sha256, settings = pretrained.sha256(), {"weights": portable(pretrained.path)}
    files.remember(sha256, pretrained.path)
    return {
        "provenance": Provenance("peer", name, OWN_WEIGHTS, sha256, settings),
        "notes": pretrained.notes(name, classes),
    }
