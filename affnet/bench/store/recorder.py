"""Keeping results in a store while measuring goes on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from affnet import console
from affnet.bench.results.outcome import DeviceOutcome
from affnet.bench.results.ratios import relate_to_peer
from affnet.bench.results.result import Result
from affnet.errors import AffnetError

if TYPE_CHECKING:
    from affnet.bench.store.database import Store


class Recorder:
    """Adds results to a store, if there is one; an error of the store does not end measuring."""

    def __init__(self, store: Store | None) -> None:
        self._store = store
        self.peer: str | Mapping[str, str] | None = None  # the ratio to it is kept, too
        self.exit_code = 0

    def keep(self, results: Sequence[Result]) -> None:
        """Add results that belong together, in one transaction."""
        if self._store is None or not results:
            return
        related = relate_to_peer(results, self.peer) if self.peer else results
        try:
            self._store.add(related)
        except AffnetError as error:
            console.error(f"These results are not in the store. {error}")
            self.exit_code = error.exit_code

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
        yield Recorder(opened)
