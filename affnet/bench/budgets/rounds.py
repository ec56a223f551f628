"""Measuring in rounds, each in fresh processes: as many as it takes."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from affnet.bench.budgets.budget_file import Place
from affnet.bench.budgets.estimates import Round
from affnet.bench.measurement.interleaved import Job, Progress, measure, preflight
from affnet.bench.measurement.pictures import picture_of
from affnet.bench.measurement.protocol import Protocol, from_picture, get_protocol
from affnet.bench.results.result import Result
from affnet.devices.base import Device
from affnet.devices.device_lock import measuring

#: What the labels of a baseline's jobs begin with.
BASELINE = "baseline of "


def protocol_of(place: Place) -> Protocol:
    """Return the protocol of one place's budgets."""
    protocol = dataclasses.replace(get_protocol("check"), energy=place.energy)
    return from_picture(protocol, picture_of(None)) if place.pipeline else protocol


@dataclass
class Rounds:
    """What was measured of one place."""

    new: list[Round] = field(default_factory=list)
    old: list[Round] = field(default_factory=list)  # the baseline's, where it is measured too

    def add(self, results: Sequence[Result]) -> None:
        """Add a round's results."""
        found = {result.model: result for result in results}
        self.new.append({n: r for n, r in found.items() if not n.startswith(BASELINE)})
        old = {n.removeprefix(BASELINE): r for n, r in found.items() if n.startswith(BASELINE)}
        if old:
            self.old.append(old)

    def each(self) -> list[list[Result]]:
        """Return the results of each round, as `add` takes them."""
        rounds = [list(found.values()) for found in self.new]
        for results, found in zip(rounds, self.old, strict=False):
            results += found.values()
        return rounds

    def results(self) -> list[Result]:
        """Return all results in the order they were measured in."""
        return [result for found in (*self.new, *self.old) for result in found.values()]


def measure_rounds(
    jobs: Sequence[Job],
    device: Device,
    protocol: Protocol,
    *,
    threads: int,
    max_rounds: int,
    enough: Callable[[Rounds], bool] = lambda _: False,
    memory_counts: bool = False,
    after: int = 0,
    progress: Progress = lambda _: None,
) -> Rounds:
    """Measure the jobs in turns, round after round, until it is ``enough``.

    ``after`` so many rounds that were measured before, it goes on counting; they are not returned.

    Memory and outputs are looked at once, before; if ``memory_counts``, in each round, because one
    value that is repeated would seem to be known without any error.  Every other round has the
    jobs the other way round, so that no model gains by being loaded first.

    Raises:
        MissingError: the device cannot be reached, or lacks what measuring needs.
        MeasurementError: a process failed, hung or returned nonsense.
    """
    rounds = Rounds()
    with measuring(device, jobs[0].runtime, progress):
        passes = preflight(jobs, device, threads, progress)
        for number in range(after + 1, max_rounds + 1):
            title = f"Round {number} of {max_rounds} at most"
            progress(title)
            if memory_counts and number > after + 1:
                passes = preflight(jobs, device, threads, progress)
            step = -1 if number % 2 == 0 else 1
            rounds.add(
                measure(
                    jobs[::step],
                    device,
                    protocol,
                    threads=threads,
                    progress=_within(title, progress),
                    passes=passes[::step],
                )
            )
            if enough(rounds):
                break
    return rounds


def _within(title: str, progress: Progress) -> Progress:
    return lambda step: progress(f"{title}: {step}")
