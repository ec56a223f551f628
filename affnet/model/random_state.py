"""Random numbers, which belong to the program that calls this package."""

from __future__ import annotations

import functools
import random
from collections.abc import Callable
from typing import ParamSpec, TypeVar

_P = ParamSpec("_P")
_T = TypeVar("_T")


def leaving_random_state(function: Callable[_P, _T]) -> Callable[_P, _T]:
    """Have ``function`` draw random numbers, without changing those that its caller draws next.

    Networks are built with weights drawn, a function's network after a seed: a training that
    exports between two epochs would go on with other numbers, or with the same again.
    """

    @functools.wraps(function)
    def called(*args: _P.args, **kwargs: _P.kwargs) -> _T:
        import numpy as np
        import torch

        drawn = np.random.get_state()  # noqa: NPY002 - by coremltools
        python = random.getstate()  # by what the first export of a process imports
        try:
            with torch.random.fork_rng(devices=()):  # of a GPU no number is drawn
                return function(*args, **kwargs)
        finally:
            np.random.set_state(drawn)  # noqa: NPY002
            random.setstate(python)

    return called
