"""Keeps a place of labgrid for the process that started this one.

One JSON line on stdin says which place; JSON lines on stdout say what becomes of it.  The place is
given back when stdin ends: on request, and also when whoever waits there is killed.  labgrid runs
here and nowhere else, because its client takes over a process: its hooks, its log, its loop.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
import time
from collections.abc import Callable
from datetime import datetime
from typing import Any

import grpc
from labgrid.config import Config
from labgrid.remote.client import ClientSession, Error
from labgrid.remote.common import Place, Reservation, ReservationState
from labgrid.remote.generated import labgrid_coordinator_pb2 as messages
from labgrid.util.proxy import proxymanager

from affnet.errors import AffnetError, MissingError, UnreachableError, UsageError, to_wire

_CONNECT_TIMEOUT_S = 15.0
_POLL_S = 0.5
_PORT = 20408


class _Session(ClientSession):  # type: ignore[misc]  # labgrid has no types
    """A client of the coordinator that reports each change of a place."""

    on_change: Callable[[str], None] = staticmethod(lambda _: None)

    async def on_place_changed(self, place_pb2: Any) -> None:
        await super().on_place_changed(place_pb2)
        self.on_change(place_pb2.name)

    async def on_place_deleted(self, name: str) -> None:
        await super().on_place_deleted(name)
        self.on_change(name)

    @property
    def own_name(self) -> str:
        """What the coordinator knows this user on this host as."""
        return f"{self.gethostname()}/{self.getuser()}"


class Holder:
    """Waits for one place, acquires it, watches over it and releases it."""

    def __init__(self, session: _Session, name: str) -> None:
        self._session = session
        self._name = name
        self.ended = asyncio.Event()  # by whoever started this, or by the loss of the place
        self._held = False
        self._lost: str | None = None
        if name not in session.places:
            known = ", ".join(sorted(session.places)) or "none"
            raise UsageError(f"labgrid's coordinator has no place {name!r}; it has: {known}.")

    @property
    def _place(self) -> Place:
        return self._session.places[self._name]

    def state(self) -> str:
        """Say whether the place is free, and if not, whose it is."""
        if not self._place.acquired:
            return "reserved" if self._place.reservation else "free"
        since = datetime.fromtimestamp(self._place.changed).strftime("%Y-%m-%d %H:%M")
        return f"acquired by {self._place.acquired} since {since}"

    async def hold(self, wait_s: float) -> None:
        """Acquire the place, say what it has, and keep it until `ended`.

        Raises:
            UnreachableError: it is another's for longer than ``wait_s``.
        """
        filters = {"main": messages.Reservation.Filter(filter={"name": self._name})}
        request = messages.CreateReservationRequest(filters=filters, prio=0.0)
        made = (await self._session.stub.CreateReservation(request)).reservation
        try:
            if await self._acquire(Reservation.from_pb2(made), wait_s):
                await self._session.sync_with_coordinator()  # the place says now whose it is
                self._session.on_change = self._watch
                self._watch(self._name)
                say({"held": self._resources()})
                await self._until_ended()
        finally:
            await self._give_back(made.token)
        if self._lost:
            say({"lost": self._lost})

    async def _acquire(self, reservation: Reservation, wait_s: float) -> bool:
        """Wait for the place and take it; False where nobody wants it any more."""
        start, refused = time.monotonic(), ""
        while not self.ended.is_set():
            if reservation.state in (ReservationState.allocated, ReservationState.acquired):
                refused = await self._try()
                if self._held:
                    return True
            waited = time.monotonic() - start
            if waited >= wait_s:
                raise UnreachableError(
                    f"Place {self._name} is {refused or self.state()}"
                    + (f", still after {waited:.0f} s" if wait_s else ""),
                    f"raise wait_s in devices.toml, or, if nobody works there, run: "
                    f"labgrid-client -p {self._name} release -k",
                )
            say({"waiting": await self._queue(reservation, refused, waited)})
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.ended.wait(), _POLL_S)
            request = messages.PollReservationRequest(token=reservation.token)
            answer = await self._session.stub.PollReservation(request)
            reservation = Reservation.from_pb2(answer.reservation)
        return False

    async def _try(self) -> str:
        """Acquire the place unless somebody has it; return why the coordinator refuses."""
        if self._place.acquired:
            return ""
        try:
            await self._session.stub.AcquirePlace(
                messages.AcquirePlaceRequest(placename=self._name)
            )
        except grpc.aio.AioRpcError as error:
            if error.code() not in (
                grpc.StatusCode.FAILED_PRECONDITION,  # somebody was faster, or has a part of it
                grpc.StatusCode.PERMISSION_DENIED,  # a reservation that is new
            ):
                raise
            return f"not to be had: {error.details()}"
        self._held = True
        return ""

    async def _queue(self, own: Reservation, refused: str, waited: float) -> str:
        """Say whose the place is, and how many come before this process."""
        answer = await self._session.stub.GetReservations(messages.GetReservationsRequest())
        tags = {**self._place.tags, "name": self._name}
        before = sum(
            (-other.prio, other.created) < (-own.prio, own.created)
            and other.state is ReservationState.waiting
            and other.filters["main"].items() <= tags.items()
            for other in map(Reservation.from_pb2, answer.reservations)
            if other.token != own.token
        )
        place = f"Waiting for place {self._name}, which is {refused or self.state()}"
        return f"{place}: number {before + 1} in the queue, {waited:.0f} s so far"

    def _watch(self, name: str) -> None:
        """Notice that the place is somebody else's, or nobody's."""
        if name != self._name or self._lost:
            return
        if (place := self._session.places.get(name)) is None:
            self._lost = f"Place {name} was deleted while it was measured on."
        elif place.acquired != self._session.own_name:
            now = f"{place.acquired} has it now" if place.acquired else "it was released"
            self._lost = f"Place {name} was taken away while it was measured on: {now}."
        else:
            return
        self.ended.set()

    async def _until_ended(self) -> None:
        """Wait for the end of the measurement, or of the connection to the coordinator."""
        ends = [asyncio.ensure_future(w.wait()) for w in (self.ended, self._session.stopping)]
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        for end in ends:
            end.cancel()
        if self._session.stopping.is_set():  # a coordinator that starts again forgets who has what
            self._lost = (
                f"labgrid's coordinator was lost while place {self._name} was measured on, so that "
                "others may have it now."
            )

    def _resources(self) -> list[dict[str, Any]]:
        """Return what of the place is exported: each resource's name, class and parameters."""
        found = []
        for path in self._place.acquired_resources:
            exporter, group, cls, name = path
            entry = self._session.resources.get(exporter, {}).get(group, {}).get(name)
            match = self._place.getmatch(path)
            if entry is not None and "cls" in entry.data:
                shown = (match and match.rename) or name
                found.append({"name": shown, "cls": cls, **entry.args, "extra": entry.extra})
        return found

    async def _give_back(self, token: str) -> None:
        """Release what is held still, and leave the queue."""
        stub = self._session.stub
        self._session.on_change = lambda _: None  # from here on it is meant to change
        with contextlib.suppress(grpc.aio.AioRpcError):  # it went away, and with it all of this
            if self._held and not self._lost:  # never another's
                await stub.ReleasePlace(
                    messages.ReleasePlaceRequest(
                        placename=self._name, fromuser=self._session.own_name
                    )
                )
        with contextlib.suppress(grpc.aio.AioRpcError):
            await stub.CancelReservation(messages.CancelReservationRequest(token=token))


def say(event: dict[str, Any]) -> None:
    """Write one line for whoever started this."""
    with contextlib.suppress(BrokenPipeError):
        print(json.dumps(event), flush=True)


def coordinator_address(named: str | None) -> str:
    """Return the address as labgrid-client finds it."""
    if named is None and (config := os.environ.get("LG_ENV")):
        with contextlib.suppress(KeyError):
            named = Config(config).get_option("coordinator_address")
    named = named or os.environ.get("LG_COORDINATOR") or f"127.0.0.1:{_PORT}"
    return str(proxymanager.get_grpc_address(named, default_port=_PORT))


async def run(request: dict[str, Any]) -> None:
    """Do what a request says; without ``wait_s`` only look whose the place is."""
    address = coordinator_address(request["coordinator"])
    session = _Session(address, asyncio.get_running_loop())
    try:
        try:
            await asyncio.wait_for(session.start(), _CONNECT_TIMEOUT_S)
        except (Error, TimeoutError) as error:
            raise UnreachableError(
                f"labgrid's coordinator at {address} does not answer",
                "set LG_COORDINATOR or coordinator in devices.toml to where it runs.",
            ) from error
        holder = Holder(session, request["place"])
        if request["wait_s"] is None:
            say({"state": f"place {request['place']} of {address}, {holder.state()}"})
            return
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, holder.ended.set)
        ending = asyncio.ensure_future(_end_with_stdin(holder.ended))
        try:
            await holder.hold(request["wait_s"])
        except grpc.aio.AioRpcError as error:
            raise MissingError(
                f"labgrid's coordinator at {address} refused place {request['place']}: "
                f"{error.details()}"
            ) from error
        finally:
            ending.cancel()
    finally:
        session.stopping.set()
        await session.stop()
        await session.close()


async def _end_with_stdin(ended: asyncio.Event) -> None:
    reader = asyncio.StreamReader()
    protocol = asyncio.StreamReaderProtocol(reader)
    await asyncio.get_running_loop().connect_read_pipe(lambda: protocol, sys.stdin)
    await reader.read()
    ended.set()


def main() -> None:
    """Answer the one request on stdin."""
    request = json.loads(sys.stdin.readline())
    try:
        asyncio.run(run(request))
    except AffnetError as error:
        say({"error": to_wire(error)})


if __name__ == "__main__":
    main()
