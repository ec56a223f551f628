"""What to say where a network fails or cannot be captured: the user's line, reason and remedy."""

from __future__ import annotations

import re
import traceback
from collections.abc import Sequence

from affnet.errors import ConversionError, UsageError, reason_of
from affnet.model.stack_traces import place_of, users_frames

#: What to do where values of the input decide what is computed.
OF_VALUES = (
    "choose between values with torch.where, take a part by a tensor of places "
    "(x[start + torch.arange(8)]), or move the branch, the loop or .item() out of forward into "
    "__init__ and keep what it finds as a number or a buffer."
)
# By what torch says: what to write instead, a sentence of its own.
_REMEDIES = {
    r"linalg_lstsq|linalg\.lstsq": (
        "No format has least squares: solve the normal equations with torch.linalg.solve, of up to "
        "64 unknowns, or move it out of forward."
    ),
    r"data-dependent|data is not allocated": (
        "It depends on the values of a tensor, and a file holds one fixed sequence of operators: "
        + OF_VALUES
    ),
    r"Constraints violated|Specializations unexpectedly": (
        "Compute sizes from x.shape by +, -, * and // alone, without int() and conditions, or omit "
        "that axis from --dynamic."
    ),
    r"\.numpy\(\)": "Use torch's functions in forward, or compute it once in __init__.",
    r"missing a required|takes \d+ positional|unexpected keyword": (
        "Return one example input for each argument of forward."
    ),
}
_OTHERWISE = (
    "Write that line otherwise; torch.export.draft_export(network, (example,)) lists all that fail."
)
# How torch.export names an axis that dynamic_shapes leave open and forward does not.
_FIXED_AXIS = re.compile(
    r"(?:Constraints violated|Specializations unexpectedly required) "
    r"\(L\[.*?'?(\w+)'?\]\.size\(\)\[(\d+)\]"
)
_DEBUGGING = re.compile(r" \(unhinted: .*")  # of torch's own developers
# By what torch says where a network fails to run: the remedy.
_OWN_REMEDIES = {
    r"linalg_lstsq|linalg\.lstsq": (
        "No format has least squares: solve the normal equations with torch.linalg.solve, of up to "
        "64 unknowns, or move it out of forward."
    ),
    r"CUDA|cuda|NVIDIA|HIP|not linked with support for \w+ devices|MPS": (
        "files are made on the CPU: build the network without .cuda() or .to('cuda'), and take the "
        "device of new tensors from the input, device=x.device."
    ),
}


class DependsOnValuesError(Exception):
    """A recorded network computes otherwise on other inputs; ``places`` took values from them."""

    def __init__(self, places: Sequence[str], reason: str) -> None:
        super().__init__(reason)
        self.places = tuple(places)


def own_failure(function: str, error: Exception) -> UsageError:
    """Return the error to raise where the network of ``function`` fails on its own example."""
    return UsageError(
        f"The network of {function} fails on its own example input{_where(error)}: "
        f"{reason_of(error)}.",
        remedy_for(error),
    )


def remedy_for(error: BaseException) -> str | None:
    """Return what to do about an error of the user's own code, None where that is not known."""
    reason = reason_of(error)
    fitting = (remedy for sign, remedy in _OWN_REMEDIES.items() if re.search(sign, reason))
    return next(fitting, None)


def export_failure(function: str, error: Exception) -> ConversionError:
    """Return the error to raise where ``torch.export`` failed on what ``function`` returned."""
    remedy = next(
        (remedy for sign, remedy in _REMEDIES.items() if re.search(sign, str(error))), _OTHERWISE
    )
    return ConversionError(
        f"torch.export fails on {function}{_where(error)}: {_plain(error)}. {remedy}"
    )


def capture_failure(function: str, failures: Sequence[tuple[str, Exception]]) -> ConversionError:
    """Return the error to raise where every attempt at capturing a network failed."""
    (_, first), *_ = failures
    last = failures[-1][1]
    if not isinstance(last, DependsOnValuesError):
        return export_failure(function, first)
    places = [place for place in last.places if place] or [_where(first).removeprefix(" at ")]
    more = f" and {len(places) - 1} more lines" if len(places) > 1 else ""
    tried = "; ".join(f"{by}: {_plain(error)}" for by, error in failures)
    return ConversionError(
        f"What {function} computes depends on the values of its input at {places[0]}{more}, and a "
        f"file holds one fixed sequence of operators (tried: {tried})",
        OF_VALUES,
    )


def described_failure(error: Exception) -> str:
    """Return one line about why an attempt failed, with the user's line where it is known."""
    return f"{_plain(error)}{_where(error)}"


def _plain(error: Exception) -> str:
    if fixed := _FIXED_AXIS.search(str(error)):
        return f"forward needs axis {fixed[2]} of {fixed[1]} to have the length of its example"
    return _DEBUGGING.sub("", reason_of(error))


def _where(error: Exception) -> str:
    """Return the user's line, such as `` at model.py:10 `if x.sum() > 0:` ``, or ""."""
    place = place_of(users_frames(traceback.extract_tb(error.__traceback__)))
    return f" at {place}" if place else ""
