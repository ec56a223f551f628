"""A grid of imagined results."""

from __future__ import annotations

from affnet.bench.mixers.grid import Cell, FormatSupport, Grid, MixerProperties, Setting
from affnet.bench.statistics.intervals import Interval
from tests.bench.fakes import MS, a_result

SIZES = (8, 16, 32)
EXPONENTS = {"aff": 1.0, "attention": 2.0, "luna": 0.5, "pool": 0.5}
REASON = "LiteRT has no operator SORT."


def a_grid() -> Grid:
    """AFF and others on three maps; `luna` fails at the largest, `pool` in TFLite."""
    properties = [
        MixerProperties("aff", "AFF, arXiv 1", "N log N C", is_global=True, adapts=True),
        MixerProperties("attention", "DeiT, arXiv 2", "N^2 C", is_global=True, adapts=True),
        MixerProperties("luna", "Luna, arXiv 3", "N C", is_global=True, adapts=True),
        MixerProperties("pool", "PoolFormer, arXiv 4", "N C", is_global=False, adapts=False),
    ]
    cells = [
        _cell(name, Setting("onnxruntime", 16, side, side)) for side in SIZES for name in EXPONENTS
    ]
    support = [FormatSupport(name, "onnx", "16x8x8", 1e-7) for name in EXPONENTS]
    support += [FormatSupport("aff", "tflite", "16x8x8", 3e-7)]
    support += [FormatSupport("pool", "tflite", "16x8x8", None, REASON)]
    return Grid(properties, cells, support)


def _cell(mixer: str, setting: Setting) -> Cell:
    if mixer == "luna" and setting.height == max(SIZES):
        return Cell(mixer, setting, None, "A measuring process ended.")
    scale = setting.tokens / 1024
    median = int(2 * MS * scale ** EXPONENTS[mixer])
    ratio = median / int(2 * MS * scale)
    width = 0.01 if mixer != "aff" else 0.0
    result = a_result(
        model=f"{mixer}-{setting.maps}",
        peer=f"aff-{setting.maps}",
        ratio_to_peer=Interval(ratio, ratio * (1 - width), ratio * (1 + width)),
        blocks_ns=((median, median, median),),
        macs=0 if mixer == "pool" else int(1e6 * scale ** EXPONENTS[mixer]),
        parameters=400,
        weights="random (seed 0)",
    )
    return Cell(mixer, setting, result)
