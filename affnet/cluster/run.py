"""A run: jobs that are sent to a cluster together, and what comes back of each.

The scheduler keeps a run until its client has taken all that came of it, so that another client can
take it up.  A client that stays sends the jobs again where the scheduler itself was lost.
"""

from __future__ import annotations

import queue
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from affnet.cluster import parcels
from affnet.cluster.lab import Offer, offers
from affnet.cluster.parcels import Parcel
from affnet.cluster.tasks import run_job
from affnet.cluster.worker import resource_of
from affnet.devices.base import Progress
from affnet.errors import (
    AffnetError,
    ConnectionLostError,
    MeasurementError,
    UnreachableError,
    from_wire,
)

if TYPE_CHECKING:
    from distributed import Client, Future

#: What the names of published runs begin with.
PREFIX = "affnet-run-"
_LOOK_S = 2.0  # between looks at which devices are there
_GONE_S = 60.0  # after which a device that is not there is given up
_RETURN_S = 30.0  # for a scheduler that is started again
_POLL_S = 0.2
_TAKE_S = 10.0  # for what came of a job to arrive


@dataclass(frozen=True)
class Job:
    """Work for one worker."""

    label: str  # what it is called where its progress is shown
    task: str  # of `affnet.cluster.tasks.TASKS`
    payload: Mapping[str, Any]  # plain values
    device: str | None = None  # None: a worker that computes
    parcels: tuple[Parcel, ...] = ()

    def to_wire(self, topic: str) -> dict[str, Any]:
        """Return what travels to a worker."""
        return {
            "label": self.label,
            "task": self.task,
            "payload": dict(self.payload),
            "device": self.device,
            "parcels": [parcel.key for parcel in self.parcels],
            "topic": topic,
        }

    @classmethod
    def from_wire(cls, content: Mapping[str, Any]) -> Job:
        """Return a job that is under way; its parcels are where it runs, and no longer here."""
        return cls(content["label"], content["task"], content["payload"], content["device"])


#: Takes the number of a job, and its value or the error that ended it.
Done = Callable[[int, Any, AffnetError | None], None]


class Run:
    """Jobs on their way."""

    def __init__(self, client: Client, jobs: Sequence[Job], about: Mapping[str, Any]) -> None:
        """Prepare a run; ``about`` are plain values for whoever takes it up."""
        self._client, self._about = client, dict(about)
        self.jobs = list(jobs)
        self.name = f"{PREFIX}{uuid.uuid4().hex[:8]}"
        self._futures: dict[int, Future[dict[str, Any]]] = {}
        self._ready: queue.SimpleQueue[int] = queue.SimpleQueue()
        self._delivered: set[tuple[str, str]] = set()  # parcels, by host and key

    @classmethod
    def taken_up(cls, client: Client, name: str) -> Run:
        """Return a run that another client sent, or this one before it left."""
        kept = client.get_dataset(name)
        run = cls(client, [Job.from_wire(job) for job in kept["jobs"]], kept["about"])
        run.name, run._futures = name, kept["futures"]
        return run

    @property
    def about(self) -> Mapping[str, Any]:
        """What its client said of it."""
        return self._about

    def ended(self) -> int:
        """Count the jobs that have ended, well or not."""
        return sum(future.done() for future in self._futures.values())

    def finish(self, show: Progress, done: Done) -> None:
        """Send what is not on its way, and hand each job to ``done`` as it ends.

        Then nothing is kept of the run.  An exception here, such as that of Ctrl-C, leaves the run
        to the cluster.
        """
        self._client.subscribe_topic(self.name, lambda event: show(str(event[1])))
        left, gone_since = set(range(len(self.jobs))), dict[str, float]()
        for number in self._futures:
            self._listen(number)
        self._send(sorted(left - self._futures.keys()))
        looked = time.monotonic()
        while left:
            again = []
            for number in set(self._ended()) & left:
                answer = self._take(number)
                if isinstance(answer, _Again):
                    again.append(number)
                elif answer is not None:
                    left.discard(number)
                    done(number, *answer)
            self._send(again)
            if time.monotonic() - looked >= _LOOK_S:
                looked = time.monotonic()
                for number, error in self._given_up(left, gone_since):
                    left.discard(number)
                    done(number, None, error)
        self.forget()

    def forget(self) -> None:
        """Drop the run, and with it what has not begun."""
        self._client.cancel(list(self._futures.values()))
        self._client.unpublish_dataset(self.name)

    def _send(self, numbers: Sequence[int]) -> None:
        """Send parcels to the hosts that lack them, then jobs."""
        if not numbers:
            return
        self._await_scheduler()
        found = offers(self._client)
        for number in numbers:
            self._deliver(self.jobs[number], found)
        for number in numbers:
            job = self.jobs[number]
            self._futures[number] = self._client.submit(
                run_job,
                job.to_wire(self.name),
                key=f"{self.name}-{number}-{uuid.uuid4().hex[:6]}",
                resources={resource_of(job.device): 1},
                pure=False,
            )
            self._listen(number)
        kept = {
            "about": self._about,
            "jobs": [job.to_wire(self.name) for job in self.jobs],
            "futures": dict(self._futures),
        }
        self._client.publish_dataset(kept, name=self.name, override=True)

    def _deliver(self, job: Job, found: Sequence[Offer]) -> None:
        """Bring a job's parcels to each host that may run it, once."""
        for offer in (offer for offer in found if offer.device == job.device):
            for parcel in job.parcels:
                if (offer.site, parcel.key) in self._delivered:
                    continue
                at = [offer.worker]
                if self._client.run(parcels.missing, [parcel.key], workers=at)[offer.worker]:
                    self._client.run(parcels.keep, parcel.key, parcel.contents(), workers=at)
                self._delivered.add((offer.site, parcel.key))

    def _listen(self, number: int) -> None:
        self._futures[number].add_done_callback(lambda _: self._ready.put(number))

    def _ended(self) -> list[int]:
        """Wait a little, and return the jobs that have ended, well or not."""
        try:
            found = [self._ready.get(timeout=_LOOK_S)]
        except queue.Empty:
            return []
        while not self._ready.empty():
            found.append(self._ready.get())
        return found

    def _take(self, number: int) -> tuple[Any, AffnetError | None] | _Again | None:
        """Return what came of a job; None where it is under way still."""
        from distributed import CancelledError, KilledWorker

        future, job = self._futures[number], self.jobs[number]
        try:
            if not future.done():
                raise TimeoutError
            answer = future.result(timeout=_TAKE_S)
        except TimeoutError:  # its worker went before the answer came, and another does it again
            self._listen(number)
            return None
        except KilledWorker:
            return None, ConnectionLostError(
                f"{job.label}: every worker that tried it ended",
                "see the log of its host, and whether its memory suffices.",
            )
        except CancelledError:  # the scheduler has gone, and all it knew
            return _Again()
        if "missing" in answer:  # the worker came after the parcels
            if not job.parcels:
                return None, MeasurementError(f"{job.label}: its files are gone; run it again.")
            return _Again()
        if "error" in answer:
            return None, from_wire(answer["error"])
        return answer["value"], None

    def _await_scheduler(self) -> None:
        """Wait until there is a scheduler, which may be another than before.

        Raises:
            UnreachableError: there is none.
        """
        deadline = time.monotonic() + _RETURN_S
        while self._client.status != "running":
            if time.monotonic() > deadline or self._client.status == "closed":
                raise UnreachableError(
                    "The scheduler has gone, and with it the jobs that have not ended",
                    "start it again, and run this again.",
                )
            time.sleep(_POLL_S)
            self._delivered.clear()

    def _given_up(
        self, left: set[int], gone_since: dict[str, float]
    ) -> list[tuple[int, AffnetError]]:
        """Return the jobs whose device nobody has any more."""
        there = {resource_of(offer.device) for offer in offers(self._client)}
        wanted = {resource_of(self.jobs[number].device) for number in left}
        now = time.monotonic()
        for name in wanted - there:
            gone_since.setdefault(name, now)
        for name in gone_since.keys() - (wanted - there):
            del gone_since[name]
        return [
            (number, _lost(device))
            for number in sorted(left)
            if now - gone_since.get(resource_of(device := self.jobs[number].device), now) >= _GONE_S
        ]


class _Again:
    """A job that is to be sent once more."""


def _lost(device: str | None) -> AffnetError:
    what = "All workers that compute have gone"
    if device is not None:
        what = f"The worker of {device} has gone, and no other has a device of that name"
    return ConnectionLostError(what, "start it again: affnet worker --cluster ADDRESS")


def only_value(client: Client, job: Job, about: Mapping[str, Any], show: Progress) -> Any:
    """Send one job, and return what came of it.

    Whoever waits for it needs it to go on: where the waiting ends, the job is dropped.

    Raises:
        AffnetError: what ended the job.
    """
    run, found = Run(client, [job], about), list[Any]()

    def done(_: int, value: Any, error: AffnetError | None) -> None:
        if error is not None:
            raise error
        found.append(value)

    try:
        run.finish(show, done)
    except BaseException:
        run.forget()
        raise
    return found[0]


def runs(client: Client) -> list[str]:
    """Return the names of the runs that the scheduler keeps."""
    return sorted(str(n) for n in client.list_datasets() if str(n).startswith(PREFIX))
