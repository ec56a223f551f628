"""Which line of the user's made an operator, as ``torch.export`` notes it at each node.

torch keeps the frames of functions called ``forward`` only, so that an operator of a helper is
noted at the line that calls the helper::

    File "model.py", line 7, in forward        return spectrum(x).abs()
    File "helpers.py", line 4, in spectrum     return torch.tan(z)         <- left out by torch
"""

from __future__ import annotations

import re
import traceback
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from traceback import FrameSummary, StackSummary
from typing import Any

from torch.fx import Node
from torch.fx.proxy import TracerBase

_AFFNET = str(Path(__file__).parents[1])
_LIBRARY = str(Path(traceback.__file__).parent)  # Python's own, above the packages' folder
_TORCH = re.compile(r"-packages[/\\]torch[/\\]")
_FRAME = re.compile(r'File "(?P<file>[^"]+)", line (?P<line>\d+), in [^\n]*\n(?P<code>[^\n]*)')
_LONGEST_LINE = 160  # of the user's code, in a message
_FILTER = "_filter_traceback_frames"  # "can be overridden to customize the frame filtering logic"


def is_torchs(file: str) -> bool:
    """Return whether a source file is part of torch, here or where a program was saved."""
    return _TORCH.search(file) is not None


def users_frames(frames: Iterable[FrameSummary]) -> list[FrameSummary]:
    """Return the frames, oldest first, of the code that affnet called, without torch's own."""
    kept: list[FrameSummary] = []
    for frame in frames:
        file = frame.filename
        if file.startswith(_AFFNET):
            kept.clear()
        elif not (is_torchs(file) or file.startswith("<") or _is_pythons(file)):
            kept.append(frame)
    return kept


def place_of(frames: Sequence[FrameSummary]) -> str:
    """Return the line that frames, oldest first, lead to: 'model.py:10 `y = f(x)`', or ''.

    Where that is a package's, the user's own line that led there comes first.
    """
    if not frames:
        return ""
    line = _line(frames[-1])
    own = next((frame for frame in reversed(frames) if "-packages" not in frame.filename), None)
    return line if own in (None, frames[-1]) else f"{_line(own)}, in {line}"


def source_line(node: Node) -> str:
    """Return where the user's code made ``node``: 'model.py:10 `y = torch.tan(x)`', or ''.

    It is the innermost line noted that is not torch's own, torch's where there is no other; and
    where that is a package's, the user's own line that led there too.
    """
    frames = [
        FrameSummary(found["file"], int(found["line"]), "", lookup_line=False, line=found["code"])
        for found in _FRAME.finditer(node.meta.get("stack_trace") or "")
    ]
    return place_of([frame for frame in frames if not is_torchs(frame.filename)] or frames)


def _line(frame: FrameSummary) -> str:
    code = (frame.line or "").strip()
    if len(code) > _LONGEST_LINE:
        code = f"{code[:_LONGEST_LINE]}.."
    return f"{Path(frame.filename).name}:{frame.lineno} `{code}`"


def _is_pythons(file: str) -> bool:
    return file.startswith(_LIBRARY) and "-packages" not in file


@contextmanager
def helpers_noted() -> Iterator[None]:
    """Let ``torch.export`` note all frames of the user's code, where this torch can be asked to."""
    by_torch: Any = getattr(TracerBase, _FILTER, None)
    if by_torch is None:
        yield
        return

    def by_owner(tracer: TracerBase, frames: StackSummary) -> StackSummary:
        found = users_frames(frames)
        return StackSummary.from_list(found) if found else by_torch(tracer, frames)

    setattr(TracerBase, _FILTER, by_owner)
    try:
        yield
    finally:
        setattr(TracerBase, _FILTER, by_torch)
