"""Measuring for budgets on the devices of a cluster: the rounds of each analysis are one job."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from affnet.bench.budgets.attribution import Profile, take_profiles
from affnet.bench.budgets.budget_file import Budget, Place
from affnet.bench.budgets.comparable import check_comparable
from affnet.bench.budgets.rounds import Rounds, measure_rounds
from affnet.bench.budgets.verdicts import ANALYSES
from affnet.bench.measurement.interleaved import Job, Progress
from affnet.bench.measurement.on_cluster import cluster_job, described_results, opened_jobs
from affnet.bench.measurement.protocol import Protocol
from affnet.bench.measurement.sweep import Keep
from affnet.bench.results.result import Result
from affnet.cluster.lab import LabDevice
from affnet.cluster.run import Job as ClusterJob
from affnet.cluster.run import only_value
from affnet.cluster.tasks import Surroundings
from affnet.devices.base import OperatorTime

if TYPE_CHECKING:
    from distributed import Client


class LabBudgetDevice:
    """A device of a cluster; see `affnet.bench.budgets.devices.BudgetDevice`."""

    def __init__(self, client: Client, device: LabDevice, about: Mapping[str, Any]) -> None:
        self._client, self._device, self._about = client, device, about

    def check_sensitivity(self, budgets: Sequence[Budget], place: Place) -> None:
        """Refuse nothing: the noise floors that are known are of this machine's devices."""

    def measure_rounds(
        self,
        jobs: Sequence[Job],
        protocol: Protocol,
        *,
        threads: int,
        max_rounds: int,
        enough: Callable[[Rounds], bool],
        memory_counts: bool,
        progress: Progress,
        keep: Keep,
    ) -> Rounds:
        """Measure up to one analysis after the other; those of each are kept at once."""
        rounds = Rounds()
        for end in (*(count for count in ANALYSES if count < max_rounds), max_rounds):
            how = {
                "protocol": dataclasses.asdict(protocol),
                "threads": threads,
                "after": len(rounds.new),
                "end": end,
                "max_rounds": max_rounds,
                "memory_counts": memory_counts,
            }
            for records in self._ask("rounds", jobs, how, progress):
                results = [Result.from_json(record) for record in records]
                keep(results)
                rounds.add(results)
                if enough(rounds):
                    return rounds
            check_comparable(rounds.new, [])  # another host may have a device of that name
        return rounds

    def take_profiles(self, jobs: Sequence[Job], threads: int) -> Sequence[Profile]:
        """See `affnet.bench.budgets.attribution.TakeProfiles`."""
        found = self._ask("profiles", jobs, {"threads": threads}, lambda _: None)
        return [
            one if isinstance(one, str) else tuple(OperatorTime(**time) for time in one)
            for one in found
        ]

    def _ask(
        self, task: str, jobs: Sequence[Job], how: Mapping[str, Any], progress: Progress
    ) -> Any:
        job: ClusterJob = cluster_job(task, self._device, jobs, how)
        return only_value(self._client, job, self._about, progress)


def rounds_task(payload: Mapping[str, Any], around: Surroundings) -> list[list[dict[str, Any]]]:
    """Measure some rounds on a device of this worker; see `affnet.cluster.tasks`."""
    count = payload["end"] - payload["after"]
    with around.site.device(payload["device"], {}) as device:
        rounds = measure_rounds(
            opened_jobs(payload, around),
            device,
            Protocol(**payload["protocol"]),
            threads=payload["threads"],
            max_rounds=payload["max_rounds"],
            enough=lambda rounds: len(rounds.new) == count,
            memory_counts=payload["memory_counts"],
            after=payload["after"],
            progress=around.show,
        )
    return [described_results(results, payload) for results in rounds.each()]


def profiles_task(payload: Mapping[str, Any], around: Surroundings) -> list[Any]:
    """Profile models on a device of this worker; see `affnet.cluster.tasks`."""
    with around.site.device(payload["device"], {}) as device:
        found = take_profiles(opened_jobs(payload, around), device, payload["threads"])
    return [
        one if isinstance(one, str) else [dataclasses.asdict(time) for time in one] for one in found
    ]
