"""A run on a device whose latencies are scripted."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any, cast

from affnet.artifact import Artifact
from affnet.bench.measurement.batches import measure_batches
from affnet.bench.measurement.protocol import get_protocol
from affnet.bench.mixers.grid import MixerProperties, Setting
from affnet.bench.mixers.run import Run
from affnet.parity import Parity
from tests.bench.fakes import MS, FakeDevice, an_artifact

PARITY = Parity(1e-6, 2e-7, 130.0, 1.0, 4, True, 1e-4)
SETTINGS = [Setting("onnxruntime", 16, side, side) for side in (8, 16)]


class Device(FakeDevice):
    """With what a sweep asks of a device besides."""

    def address(self) -> str:
        return "doubles"

    def session(self, runtime: str, progress: object) -> object:
        from contextlib import nullcontext

        return nullcontext()


def export(
    name: str, channels: int, size: tuple[int, int], format_: str, folder: Path
) -> Artifact | str:
    if name == "reformer" or (name == "pool" and format_ == "tflite"):
        return f"{format_} has no sort."
    label = f"{name}-{channels}x{size[0]}x{size[1]}"
    return an_artifact(label, folder, parity=PARITY)


def test_mixers_are_measured_in_turns_and_formats_tried_at_the_first_size() -> None:
    scripts = {
        f"{name}-16x{side}x{side}": (lambda _, ns=ns * side * MS: ns)
        for name, ns in (("aff", 1), ("pool", 2))
        for side in (8, 16)
    }
    device = Device(scripts)
    properties = [MixerProperties(n, "paper", "N", True, True) for n in ("aff", "pool", "reformer")]
    measure = functools.partial(
        measure_batches, device=cast(Any, device), protocol=get_protocol("check"), threads=1
    )
    run = Run(properties, export, measure)
    grid = run.measure(SETTINGS, ["onnx", "tflite"])
    assert [(cell.mixer, cell.setting.height, cell.reason) for cell in grid.cells] == [
        ("aff", 8, None), ("pool", 8, None), ("reformer", 8, "onnx has no sort."),
        ("aff", 16, None), ("pool", 16, None), ("reformer", 16, "onnx has no sort."),
    ]  # fmt: skip
    ratios = [
        c.result.ratio_to_peer.value for c in grid.cells if c.result and c.result.ratio_to_peer
    ]
    assert ratios == [1, 2, 1, 2]
    assert device.most_running == 2
    tried = [(h.mixer, h.format, h.maps, h.error) for h in grid.support if h.format == "tflite"]
    assert tried == [
        ("aff", "tflite", "16x8x8", 2e-7),
        ("pool", "tflite", "16x8x8", None),
        ("reformer", "tflite", "16x8x8", None),
    ]
