"""The paths from a network to a file, in the order they are tried."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from affnet.errors import AffnetError
from affnet.export.converters import Converter

#: What a network that float16 cannot carry is exported in.
FULL = "fp32"


@dataclass(frozen=True)
class Attempt:
    """One path: how the Fourier transforms are written, and by which route it is converted."""

    fft: str  # auto or measure (the planner's choice for each map), native, or a plan for all maps
    route: str
    precision: str

    def __str__(self) -> str:
        return f"--fft {self.fft} by {self.route} in {self.precision}"


def plan_attempts(
    fft: str, converter: type[Converter], precision: str | None, *, with_plans: bool = True
) -> list[Attempt]:
    """Return the paths to try; the first that converts and agrees with PyTorch is taken.

    An explicit plan is tried as it is, by the first route.  ``auto`` and ``measure``
    fall back to each plan of the format for all maps, because a converter's defect mostly concerns
    one form of the product, then to the other routes.  ``with_plans`` is off for a network that the
    plans do not apply to.  Where the default ``precision``, None, computes in float16, float32 is
    the next thing to try.
    """
    first, *other_routes = converter.routes
    usual = precision or converter.precisions[0]
    wider = [FULL] if precision is None and usual in converter.computes_in_half else []
    if fft not in ("auto", "measure"):
        return [Attempt(fft, first, each) for each in (usual, *wider)]
    chosen = fft if converter.auto_fft == "auto" else converter.auto_fft
    plans = converter.plans if with_plans and converter.auto_fft == "auto" else ()
    if len(plans) == 1:  # it is what the planner chose
        plans = ()
    return [
        *(Attempt(chosen, first, each) for each in (usual, *wider)),
        *(Attempt(plan, first, usual) for plan in plans),
        *(Attempt(chosen, route, each) for route in other_routes for each in (usual, *wider)),
    ]


def failure_of(failures: Sequence[tuple[Attempt, AffnetError]]) -> AffnetError:
    """Return the error to raise where every attempt failed: each reason once, the first in front.

    It is of the first error's class.  The attempts are named by which a reason other than the first
    was found; what the first and a later reason begin with, up to the colon, is not repeated.
    """
    (first, error), *_ = failures
    grouped: dict[str, list[Attempt]] = {}
    for attempt, other in failures:
        grouped.setdefault(str(other).removesuffix("."), []).append(attempt)
    (message, _), *others = grouped.items()
    beginning = message.partition(": ")[0] + ": "
    tried = ", ".join(
        f"{', '.join(_name(attempt, first) for attempt in attempts)} "
        f"({reason.removeprefix(beginning)})"
        for reason, attempts in others
    )
    if first.fft == "native":
        message += "; omit --fft native to have the transforms replaced"
    elif tried:
        message += f"; also tried without success: {tried}"
    return type(error)(f"{message}.")


def _name(attempt: Attempt, first: Attempt) -> str:
    """Return what distinguishes an attempt from the first, its route always."""
    name = attempt.route if attempt.fft == first.fft else f"{attempt.fft} by {attempt.route}"
    return name if attempt.precision == first.precision else f"{name} in {attempt.precision}"
