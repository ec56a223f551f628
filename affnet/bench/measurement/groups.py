"""Measuring many models on one device: in groups, each beside the same reference.

All at once would keep a process for each alive, dozens of networks in memory, and each turn would
take so long that a machine's drift no longer hits neighbours alike.  So groups of a few are
measured in turns, one after the other, with the reference in every group.  A model's ratio is that
to the reference of its own group; the reference's own row is that of the first group.
"""

from __future__ import annotations

from collections.abc import Sequence

from affnet.bench.measurement.interleaved import Job, Progress
from affnet.bench.measurement.protocol import Protocol
from affnet.bench.measurement.sweep import Keep, sweep
from affnet.bench.results.outcome import DeviceOutcome
from affnet.bench.results.ratios import relate_to_peer
from affnet.bench.results.result import Result
from affnet.devices.base import Device

#: Models that are measured in turns beside the reference.
GROUP = 4


def measure_in_groups(
    jobs: Sequence[Job],
    device: Device,
    protocol: Protocol,
    *,
    threads: int,
    progress: Progress = lambda _: None,
    keep: Keep = lambda _: None,
) -> list[DeviceOutcome]:
    """Measure ``jobs``, of which the first is the reference, and relate each to it in its group.

    A group's results go to ``keep`` as soon as they are there.  An error ends the run: its outcome
    stands behind that of the groups before.
    """
    reference, *others = jobs
    results: dict[str, Result] = {}
    groups = [others[start : start + GROUP] for start in range(0, len(others), GROUP)] or [[]]
    for number, group in enumerate(groups, start=1):
        progress(f"Group {number} of {len(groups)}: {', '.join(job.label for job in group)}")
        (outcome,) = sweep(
            [reference, *group], [device], protocol, threads=threads, progress=progress, keep=keep
        )
        if outcome.error:
            done = [DeviceOutcome(device.name, list(results.values()))] if results else []
            return [*done, outcome]
        for result in relate_to_peer(outcome.results, reference.label):
            results.setdefault(result.model, result)
    return [DeviceOutcome(device.name, list(results.values()))]
