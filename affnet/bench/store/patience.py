"""An end to waiting for a database's server that has stopped answering."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
from typing import Any

import sqlalchemy as sql
from sqlalchemy.engine import ExceptionContext

from affnet.errors import StoreLostError

CONNECT_TIMEOUT_S = 10
ANSWER_TIMEOUT_S = 60.0  # for one statement; the longest, a history's, takes a second
_WATCH, _EXPIRED = "affnet_watch", "affnet_expired"


def connect_options(url: sql.URL) -> dict[str, Any]:
    """Return how long connecting may take, unless the URL or libpq's environment says."""
    given = "connect_timeout" in url.query or os.environ.get("PGCONNECT_TIMEOUT")
    return {} if given else {"connect_timeout": CONNECT_TIMEOUT_S}


def limit_answers(engine: sql.Engine, name: str) -> None:
    """Hang up on a server that does not answer a statement, or a commit, in time.

    The driver would wait for ever.  A time limit of the server's own ends nothing where the server
    itself is stuck, and those between that pool connections refuse it.
    """

    def start(connection: sql.Connection, *_: object) -> None:
        _stop(connection)
        timer = threading.Timer(
            ANSWER_TIMEOUT_S, _hang_up, [connection.connection, connection.info]
        )
        timer.daemon = True
        connection.info[_WATCH] = timer
        timer.start()

    def explain(context: ExceptionContext) -> None:
        connection = context.connection
        if connection is None:
            return
        _stop(connection)
        if connection.info.get(_EXPIRED):
            raise StoreLostError(
                f"The store {name} gave no answer for {ANSWER_TIMEOUT_S:.0f} s", "try again."
            ) from context.original_exception

    sql.event.listen(engine, "before_cursor_execute", start)
    sql.event.listen(engine, "commit", start)
    sql.event.listen(engine, "after_cursor_execute", lambda connection, *_: _stop(connection))
    sql.event.listen(engine, "handle_error", explain)
    # a commit has no event after it; the connection is given back next
    sql.event.listen(engine, "checkin", lambda _, record: _stop_timer(record.info))


def _stop(connection: sql.Connection) -> None:
    with contextlib.suppress(sql.exc.SQLAlchemyError):  # it is closed already
        _stop_timer(connection.info)


def _stop_timer(info: dict[str, Any]) -> None:
    if (timer := info.pop(_WATCH, None)) is not None:
        timer.cancel()


def _hang_up(connection: Any, info: dict[str, Any]) -> None:
    info[_EXPIRED] = True
    with (
        contextlib.suppress(Exception),  # it has just ended
        socket.socket(fileno=os.dup(connection.fileno())) as own,
    ):
        own.shutdown(socket.SHUT_RDWR)
