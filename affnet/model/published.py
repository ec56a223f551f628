"""Numbers that authors published about their networks: quoted, never measured here."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Published:
    """What a paper reports of one network."""

    top1_percent: float | None  # of classification
    parameters_millions: float
    macs_billions: float | None  # the papers call multiply-accumulates "FLOPs"
    source: str
    miou_percent: float | None = None  # of segmentation: mean intersection over union
    map_percent: float | None = None  # of detection: mean average precision, COCO's
