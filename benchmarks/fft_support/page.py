"""Writes the page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from benchmarks.fft_support.cells import WRONG, Cell, Result
from benchmarks.fft_support.columns import Column

_WIDTH = 4  # columns side by side
_HEAD = f"""# FFT support

Which converter and runtime computes which Fourier transform. Written by
`python -m benchmarks.fft_support`: every cell was converted, loaded and run, on one
thread of a CPU, and compared with PyTorch in float64.

- *right*: the largest error relative to the largest output.
- *WRONG*: no message at all, and an error above {WRONG:.0e} or another shape.
- *refused*: an error, where it came; the number is that of its message below.
- *no end*: not done when the time was over that the message gives.

WebGPU is that of Chromium on SwiftShader, a GPU in software; sines and cosines are a shader's
there, and another GPU's may be coarser or finer.

The folder `findings` has scripts that show the surprising ones without affnet.
"""
_REWRITTEN = """
## With affnet

`affnet export` writes the transforms of the same networks as matrix products, and verifies the
file before it appears. The columns OpenVINO, MNN and ncnn are made of the verified ONNX file,
without the verification that `affnet export` has for them too.
"""


def page(names: Sequence[str], columns: Mapping[str, Column], results: Mapping[str, Result]) -> str:
    """Return it, of the rows' names and the columns with their results."""
    notes: dict[str, int] = {}
    text = [_HEAD]
    for rewritten in (False, True):
        group = [name for name in results if columns[name].rewritten is rewritten]
        if rewritten and group:
            text.append(_REWRITTEN)
        for start in range(0, len(group), _WIDTH):
            text += [*_table(names, group[start : start + _WIDTH], results, notes), ""]
    text += ["## Versions", ""]
    for name, result in results.items():
        versions = sorted(result.versions.items(), key=lambda item: item[0].lower())
        text.append(f"- {name}: " + ", ".join(" ".join(item) for item in versions))
    text += ["", "## Messages", ""]
    text += [f"{number}. `{said.replace('`', chr(39))}`" for said, number in notes.items()]
    return "\n".join(text) + "\n"


def _table(
    names: Sequence[str],
    shown: Sequence[str],
    results: Mapping[str, Result],
    notes: dict[str, int],
) -> list[str]:
    from affnet.escaping import for_markdown

    lines = ["| network | " + " | ".join(shown) + " |", "| --- |" + " --- |" * len(shown)]
    for index, name in enumerate(names):
        texts = [_text(results[one].cells[index], notes) for one in shown]
        lines.append(f"| `{name}` | " + " | ".join(map(for_markdown, texts)) + " |")
    return lines


def _text(cell: Cell, notes: dict[str, int]) -> str:
    if not cell.said:
        return cell.verdict
    return f"{cell.verdict} [{notes.setdefault(cell.said, len(notes) + 1)}]"
