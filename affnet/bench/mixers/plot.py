"""The log-log plot of ``affnet bench mixers``."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from affnet.bench.mixers.grid import REFERENCE, Cell, Grid
from affnet.errors import require
from affnet.files import write_whole

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SUFFIXES = (".png", ".svg")
_STYLES = {(True, True): "-", (True, False): "--", (False, False): ":"}  # global, adaptive


def check_installed() -> None:
    """Raise `MissingError` unless matplotlib is installed."""
    require("matplotlib", extra="plot", purpose="Drawing a plot (--plot)")


def draw(grid: Grid, path: Path) -> None:
    """Write latency over tokens, one panel for each runtime and number of channels.

    Raises:
        MissingError: matplotlib is not installed.
        OutputError: the file cannot be written.
    """
    check_installed()
    import io

    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    panels: dict[tuple[str, int], list[Cell]] = {}
    for cell in grid.cells:
        if cell.result:
            panels.setdefault((cell.setting.runtime, cell.setting.channels), []).append(cell)
    figure = Figure(figsize=(2 + 7 * max(1, len(panels)), 6.5), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(1, max(1, len(panels)), squeeze=False)[0]
    for axis, ((runtime, channels), cells) in zip(axes, panels.items(), strict=False):
        _draw_panel(axis, grid, cells)
        axis.set_title(f"{runtime}, {channels} channels")
    figure.legend(
        *axes[0].get_legend_handles_labels(),
        loc="outside right upper",
        title="solid: global, adaptive\ndashed: global, fixed\ndotted: local",
    )
    content = io.BytesIO()
    figure.savefig(content, format=path.suffix[1:], dpi=144)
    write_whole(path, content.getvalue())


def _draw_panel(axis: Axes, grid: Grid, cells: list[Cell]) -> None:
    from matplotlib import colormaps

    style = {t.name: _STYLES.get((t.is_global, t.adapts), ":") for t in grid.mixers}
    sizes = {cell.setting.tokens: cell.setting.size for cell in cells}
    several = Counter(cell.mixer for cell in cells)
    for index, mixer in enumerate(several):
        points = [
            (c.setting.tokens, c.result.summary()) for c in cells if c.mixer == mixer and c.result
        ]
        axis.plot(
            [tokens for tokens, _ in points],
            [summary.median / 1e6 for _, summary in points],
            style[mixer],
            color="black" if mixer == REFERENCE else colormaps["tab20"](index % 20),
            linewidth=2.5 if mixer == REFERENCE else 1.2,
            marker="os^vD"[index % 5],
            markersize=4,
            label=mixer,
        )
    axis.set_xscale("log", base=2)
    axis.set_yscale("log")
    axis.set_xticks(sorted(sizes), [sizes[tokens] for tokens in sorted(sizes)])
    axis.set_xlabel("map (tokens, logarithmic)")
    axis.set_ylabel("median latency, ms")
    axis.grid(visible=True, which="both", alpha=0.2)
