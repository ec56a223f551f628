"""``contract.json`` as constants of a language that apps are compiled in."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any


def constants(
    record: dict[str, Any], string: Callable[[str], str], number: Callable[[float], str]
) -> dict[str, str]:
    """Return what templates fill in that is written alike in C++, Kotlin and Swift.

    Args:
        record: `affnet.templates.contract.Contract.to_record`.
        string: writes a text as a literal.
        number: writes a float32 as a literal.
    """
    steps, taken, rule = record["preprocessing"], record["input"], record["suppression"]
    return {
        "name": record["name"],
        "task": record["task"],
        "threads": str(record["threads"]),
        "runtime_package": record["runtime"]["package"],
        "runtime_version": record["runtime"]["version"],
        "exif_orientation": truth(steps["exif_orientation"]),
        "cover": truth(steps["resize"] == "cover"),
        "resize_height": str(steps["resize_to"][0]),
        "resize_width": str(steps["resize_to"][1]),
        "bicubic": truth(steps["interpolation"] == "bicubic"),
        "crop_height": str(steps["crop"][0]),
        "crop_width": str(steps["crop"][1]),
        "mean": listed(map(number, steps["mean"])),
        "std": listed(map(number, steps["std"])),
        "low": number(taken["range"][0]),
        "high": number(taken["range"][1]),
        "input_name": string(taken["name"]),
        "input_shape": listed(map(str, taken["shape"])),
        "channels_last": truth(taken["layout"] == "NHWC"),
        "logits": truth(record["scores"] == "logits"),
        "classes_last": truth(record["outputs"][0]["layout"] == "NHWC"),
        "score_threshold": number(rule["score_threshold"]),
        "iou_threshold": number(rule["iou_threshold"]),
        "candidates": str(rule["candidates"]),
        "detections": str(rule["detections"]),
    }


def truth(value: bool) -> str:
    """Return a truth value as all three languages write it."""
    return "true" if value else "false"


def listed(values: Iterable[str]) -> str:
    """Return literals in a row."""
    return ", ".join(values)
