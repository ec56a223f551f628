"""Measuring many models on one device: in groups, each beside the same reference.

All at once would keep a process for each alive, dozens of networks in memory, and each turn would
take so long that a machine's drift no longer hits neighbours alike.  So groups of a few are
measured in turns, one after the other, with the reference in every group.  A model's ratio is that
to the reference of its own group; the reference's own row is that of the first group.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from affnet.bench.measurement.batches import Batch, MeasureBatches
from affnet.bench.measurement.interleaved import Job, Progress
from affnet.bench.results.outcome import DeviceOutcome
from affnet.bench.results.ratios import relate_to_peer
from affnet.bench.results.result import Result
from affnet.errors import UnreachableError

#: Models that are measured in turns beside the reference.
GROUP = 4


def measure_in_groups(
    jobs: Sequence[Job], measure: MeasureBatches, progress: Progress = lambda _: None
) -> list[DeviceOutcome]:
    """Measure ``jobs``, of which the first is the reference, and relate each to it in its group.

    An error costs the models of its group; a device that cannot be reached ends the run.
    """
    reference, *others = jobs
    groups = [others[start : start + GROUP] for start in range(0, len(others), GROUP)] or [[]]

    def batches() -> Iterator[Batch]:
        for number, group in enumerate(groups, start=1):
            label = f"Group {number} of {len(groups)}"
            progress(f"{label}: {', '.join(job.label for job in group)}")
            yield Batch(label, [reference, *group])

    results, failed, device = dict[str, Result](), dict[str, DeviceOutcome](), ""
    for outcome in measure(batches()):
        device = outcome.device
        if outcome.error:
            failed.setdefault(str(outcome.error), outcome)
            if isinstance(outcome.error, UnreachableError):
                break
        for result in relate_to_peer(outcome.results, reference.label):
            results.setdefault(result.model, result)
    done = [DeviceOutcome(device, list(results.values()))] if results else []
    return [*done, *failed.values()]
