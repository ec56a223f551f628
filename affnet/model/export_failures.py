"""What to say where ``torch.export`` fails: the user's own line, the reason, and what to write."""

from __future__ import annotations

import re
import traceback
from pathlib import Path

from affnet.errors import ConversionError, UsageError, reason_of
from affnet.model.stack_traces import users_frames

# By what torch says: what to write instead, a sentence of its own.
_REMEDIES = {
    r"data-dependent|data is not allocated": (
        "It depends on the values of a tensor, and a file holds one fixed sequence of operators: "
        "choose between values with torch.where, or move the branch, the loop or .item() out of "
        "forward into __init__ and keep what it finds as a number or a buffer."
    ),
    r"\.numpy\(\)": "Use torch's functions in forward, or compute it once in __init__.",
    r"missing a required|takes \d+ positional|unexpected keyword": (
        "Return one example input for each argument of forward."
    ),
}
_OTHERWISE = (
    "Write that line otherwise; torch.export.draft_export(network, (example,)) lists all that fail."
)
_DEBUGGING = re.compile(r" \(unhinted: .*")  # of torch's own developers


def own_failure(function: str, error: Exception) -> UsageError:
    """Return the error to raise where the network of ``function`` fails on its own example."""
    return UsageError(
        f"The network of {function} fails on its own example input{_where(error)}: "
        f"{reason_of(error)}."
    )


def export_failure(function: str, error: Exception) -> ConversionError:
    """Return the error to raise where ``torch.export`` failed on what ``function`` returned."""
    reason = _DEBUGGING.sub("", reason_of(error))
    remedy = next(
        (remedy for sign, remedy in _REMEDIES.items() if re.search(sign, str(error))), _OTHERWISE
    )
    return ConversionError(f"torch.export fails on {function}{_where(error)}: {reason}. {remedy}")


def _where(error: Exception) -> str:
    """Return the user's innermost line, such as `` at model.py:10 `if x.sum() > 0:` ``, or ""."""
    frames = users_frames(traceback.extract_tb(error.__traceback__))
    if not frames:
        return ""
    return f" at {Path(frames[-1].filename).name}:{frames[-1].lineno} `{frames[-1].line}`"
