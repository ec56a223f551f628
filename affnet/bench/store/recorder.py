"""Keeping results in a store while measuring goes on."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from affnet import console
from affnet.bench.results.outcome import DeviceOutcome
from affnet.bench.results.ratios import relate_to_peer
from affnet.bench.results.result import Result
from affnet.errors import AffnetError, StoreLostError

if TYPE_CHECKING:
    from affnet.bench.store.database import Store

_PATIENCE_S = 30.0  # for a store that does not answer, once all is measured
_PAUSE_S = 1.0


class Recorder:
    """Adds results to a store, if there is one; an error of the store does not end measuring.

    What a store that does not answer has not taken is added with the next results, or at the end.
    """

    def __init__(self, store: Store | None) -> None:
        self._store = store
        self.peer: str | Mapping[str, str] | None = None  # the ratio to it is kept, too
        self.exit_code = 0
        self._waiting: list[Result] = []

    def keep(self, results: Sequence[Result]) -> None:
        """Add results that belong together, in one transaction."""
        if self._store is None or not results:
            return
        self._waiting += relate_to_peer(results, self.peer, partial=True) if self.peer else results
        if (error := self._add(self._store)) is not None:
            console.note(f"{error.problem}; these results are added as soon as it answers.")

    def finish(self, patience_s: float) -> None:
        """Add what the store has not taken yet."""
        if self._store is None:
            return
        deadline = time.monotonic() + patience_s
        while self._waiting and (error := self._add(self._store)) is not None:
            if time.monotonic() >= deadline:
                self._give_up(error)
            else:
                time.sleep(_PAUSE_S)

    def _add(self, store: Store) -> StoreLostError | None:
        """Add all that is waiting; return why it has to go on waiting."""
        try:
            store.add(self._waiting)
        except StoreLostError as error:
            return error
        except AffnetError as error:
            self._give_up(error)
        self._waiting = []
        return None

    def _give_up(self, error: AffnetError) -> None:
        console.error(f"These results are not in the store. {error}")
        self.exit_code = error.exit_code
        self._waiting = []

    def keep_failures(self, outcomes: Sequence[DeviceOutcome]) -> None:
        """Add the errors of devices that failed; they end with an exit code of their own."""
        if self._store is None:
            return
        from affnet.bench.store.failures import add_failures

        try:
            add_failures(self._store, outcomes)
        except AffnetError as error:
            console.error(f"What failed is not in the store. {error}")


@contextmanager
def open_recorder(store: str | None) -> Iterator[Recorder]:
    """Open a store, which is made if it does not exist: before minutes of measuring.

    Raises:
        StoreError, StoreLostError: it cannot be opened.
    """
    if store is None:
        yield Recorder(None)
        return
    from affnet.bench.store.database import Store

    with Store(store) as opened:
        recorder = Recorder(opened)
        try:
            yield recorder
        except BaseException:
            recorder.finish(0)
            raise
        recorder.finish(_PATIENCE_S)
