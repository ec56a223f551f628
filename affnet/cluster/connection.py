"""Reaching a Dask scheduler: only one that nobody else can reach, or one that proves who it is.

A scheduler runs the code of whoever reaches it, on all its workers, and what it sends is unpickled.
"""

from __future__ import annotations

import ipaddress
import logging
import os
import re
import socket
import ssl
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from affnet.errors import UnreachableError, UsageError, first_line, require

if TYPE_CHECKING:
    from distributed import Client, Security

#: Names the scheduler where no option does.
VARIABLE = "AFFNET_CLUSTER"
_ADDRESS = re.compile(r"(?:(?P<scheme>[a-z]+)://)?(?P<host>\[[^\]]+\]|[^:/\[\]@\s]+):(?P<port>\d+)")
_ANSWER_S = 10  # to a first knock
_TIMEOUT_S = 30  # for a scheduler that is started again
_TLS_KEYS = ("ca-file", "client.cert", "client.key")  # below distributed.comm.tls


def check_address(address: str, *, insecure: bool) -> str:
    """Return a scheduler's address with its scheme.

    Raises:
        UsageError: it is none, or anybody could reach it, and ``insecure`` is off.
        MissingError: Dask is not installed.
    """
    match = _ADDRESS.fullmatch(address)
    if match is None or match["scheme"] not in (None, "tcp", "tls"):
        raise UsageError(
            f"--cluster {address!r} is no address of a scheduler",
            "write it as tls://host:8786, or tcp://127.0.0.1:8786 on one machine.",
        )
    require("distributed", extra="cluster", purpose="Work on a cluster")
    if match["scheme"] == "tls":
        _check_certificates(address)
        return address
    if not (insecure or is_loopback(address)):
        raise UsageError(
            f"{address} is not encrypted: whoever reaches it runs code as you, on this machine and "
            "on all workers",
            "use tls:// with Dask's certificates; or add --insecure where everybody on that "
            "network may.",
        )
    return f"tcp://{match['host']}:{match['port']}"


def is_loopback(address: str) -> bool:
    """Return whether only this machine reaches an address."""
    match = _ADDRESS.fullmatch(address)
    host = match["host"].strip("[]") if match else ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def own_host(address: str) -> str:
    """Return the address of this machine by which a scheduler, and its workers, reach it.

    Dask itself takes the way to the internet for it, and 127.0.0.1 where there is none.
    """
    if is_loopback(address):
        return "127.0.0.1"
    from distributed.utils import get_ip

    match = _ADDRESS.fullmatch(address)
    assert match is not None
    found: str = get_ip(match["host"].strip("[]"), int(match["port"]))
    return found


def security() -> Security:
    """Return Dask's own settings of TLS."""
    from distributed import Security

    return Security()


@contextmanager
def connected(address: str) -> Iterator[Client]:
    """Yield a client of the scheduler at ``address``, as `check_address` returned it.

    Raises:
        UnreachableError: it does not answer, or refuses us.
    """
    silence()
    from distributed import Client
    from distributed.client import ClosedClientError

    match = _ADDRESS.fullmatch(address)
    assert match is not None
    with translating_errors(address), warnings.catch_warnings():
        where = (match["host"].strip("[]"), int(match["port"]))
        socket.create_connection(where, timeout=_ANSWER_S).close()
        warnings.simplefilter("ignore")  # versions are compared by `affnet.cluster.lab`
        client = Client(
            address, security=security(), timeout=_TIMEOUT_S, set_as_default=False, name="affnet"
        )
    try:
        yield client
    except ClosedClientError as error:  # it waited for the scheduler as long as it may
        raise UnreachableError(
            f"The scheduler {address} has gone, and with it the jobs that have not ended",
            "start it again, and run this again.",
        ) from error
    finally:
        client.close(timeout=_TIMEOUT_S)


@contextmanager
def translating_errors(address: str) -> Iterator[None]:
    """Turn what goes wrong on the way to a scheduler into one sentence.

    Raises:
        UnreachableError: with what fixes it.
    """
    try:
        yield
    except OSError as error:  # TimeoutError is one
        if (reason := _refusal(error)) is not None:
            raise UnreachableError(
                f"The scheduler {address} and this machine do not trust each other: {reason}",
                "check distributed.comm.tls in Dask's configuration on both.",
            ) from error
        raise UnreachableError(
            f"The scheduler {address} does not answer",
            "start one with: dask scheduler --host 127.0.0.1",
        ) from error


def silence() -> None:
    """Let Dask write nothing to stderr: what matters is said by sentences."""
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    import distributed  # noqa: F401  # it sets the level of what is not set

    dask = ("distributed", "distributed.client", "distributed.worker", "distributed.core")
    for name in (*dask, "asyncio"):  # which says what Dask's tasks were ended by
        logging.getLogger(name).setLevel(logging.CRITICAL)


def _check_certificates(address: str) -> None:
    import dask

    for key in _TLS_KEYS:
        path = dask.config.get(f"distributed.comm.tls.{key}", None)
        variable = "DASK_DISTRIBUTED__COMM__TLS__" + key.replace("-", "_").replace(".", "__")
        if path is None:
            raise UsageError(
                f"{address} needs certificates, and Dask's configuration has no "
                f"distributed.comm.tls.{key}",
                f"name the file there, or in {variable.upper()}.",
            )
        if not os.access(path, os.R_OK):
            raise UsageError(
                f"{path}, of distributed.comm.tls.{key} in Dask's configuration, cannot be read",
                "name a file that is there.",
            )


def _refusal(error: BaseException) -> str | None:
    """Return why TLS failed, if it did."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, ssl.SSLError):
            return first_line(seen)
        seen = seen.__cause__ or seen.__context__
    return None
