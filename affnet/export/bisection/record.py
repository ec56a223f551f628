"""What a search for wrong operators found."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from affnet.parity import InputParity


@dataclass(frozen=True)
class ValueRange:
    """A value that an operator reads, in the reference."""

    name: str
    shape: tuple[int, ...]
    dtype: str  # as the file stores it
    minimum: float | None  # None: no finite number
    maximum: float | None


@dataclass(frozen=True)
class WrongPart:
    """An operator that is wrong on right values, or the fewest that are wrong together."""

    operators: tuple[str, ...]  # their names
    kinds: tuple[str, ...]  # their types
    module: str | None  # of the PyTorch network, the last of those that the file names
    together: bool  # each is right by itself
    value: str  # that is the most wrong of those it gives
    error: InputParity
    reads: tuple[ValueRange, ...]
    gives: ValueRange  # the reference of ``value``
    reason: str | None  # where the numbers show it
    advice: str | None
    runs: int  # files that had run on the device when it was found
    reproducer: str | None = None  # a file of it alone; its inputs stand beside it


@dataclass(frozen=True)
class Bisection:
    """The wrong operators of a file on one device, for one input."""

    device: str
    runtime: str
    reference: str
    input: str
    operators: int
    tolerance: float  # of the largest error over the largest value of each tensor
    error: InputParity  # of the whole file
    wrong: tuple[WrongPart, ...]
    runs: int
    repeat_error: float  # largest difference of two runs over the largest value; 0: not tried
    refused: int  # cut files that the device did not run
    unseen: int  # operators that are neither named nor in a part that is right
    ended: str | None = None  # why the search ended before its time

    @property
    def clean(self) -> bool:
        """Whether all operators were run, and none was wrong."""
        return not self.wrong and self.ended is None

    def described(self) -> dict[str, Any]:
        """Return it as JSON holds it."""
        return dataclasses.asdict(self)
