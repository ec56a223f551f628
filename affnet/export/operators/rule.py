"""The form of a rule."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

#: Takes an operator's own arguments and computes the same with other operators, as torch's
#: decompositions do; returns NotImplemented where the operator is to stay.
Rule = Callable[..., Any]
