"""Logging in over ssh, and what is said when that fails.

Keys, the agent, ``~/.ssh/config`` and ``~/.ssh/known_hosts`` are asyncssh's business.  Here is made
sure that a host key is always verified, whatever the configuration says.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from affnet.errors import UnreachableError, first_line, require

if TYPE_CHECKING:
    import asyncssh

CONNECT_TIMEOUT_S = 10.0
# A connection that died silently is noticed after three of these.
_KEEPALIVE_S = 10
_USUAL_PORT = 22


@dataclass(frozen=True)
class Target:
    """Whom to log in as, and where; what is None comes from ``~/.ssh/config`` or ssh's defaults."""

    host: str
    user: str | None = None
    port: int | None = None
    identity_file: str | None = None

    def __str__(self) -> str:
        named = f"{self.user}@{self.host}" if self.user else self.host
        return f"{named}:{self.port}" if self.port else named

    def ssh_command(self) -> str:
        """Return the command that reaches it by hand."""
        port = f"-p {self.port} " if self.port else ""
        return f"{port}{self.user}@{self.host}" if self.user else f"{port}{self.host}"


@dataclass(frozen=True)
class _Known:
    """The hosts that are known, and as which of them this one counts: aliases are resolved."""

    hosts: asyncssh.SSHKnownHosts | None = None
    host: str = ""
    port: int = _USUAL_PORT
    jump: str = ""  # the hosts on the way to it, as ``ProxyJump`` names them

    def keys(self) -> Sequence[object]:
        """Return the keys that this host may show, none where it is not to be asked directly."""
        if self.hosts is None or self.jump:
            return ()
        return self.hosts.match(self.host, "", None if self.port == _USUAL_PORT else self.port)[0]


async def log_in(target: Target) -> asyncssh.SSHClientConnection:
    """Connect and authenticate.

    Raises:
        MissingError: asyncssh is not installed.
        UnreachableError: no answer, a host key that is unknown or another, or no key is accepted.
    """
    require("asyncssh", extra="ssh", purpose="Measuring over ssh")
    import asyncssh

    settings = {"username": target.user, "port": target.port, "client_keys": target.identity_file}
    given: dict[str, Any] = {name: value for name, value in settings.items() if value is not None}
    known = _Known()
    try:
        options = await asyncssh.SSHClientConnectionOptions.construct(
            config=(),  # the usual file
            host=target.host,
            **given,
        )
        hosts, jump = _known_hosts(options.known_hosts), str(options.tunnel or "")
        known = _Known(hosts, options.host, options.port, jump)
        return await asyncssh.connect(
            target.host,
            known_hosts=known.hosts,  # never None, which would verify nothing
            connect_timeout=CONNECT_TIMEOUT_S,
            login_timeout=CONNECT_TIMEOUT_S,
            keepalive_interval=_KEEPALIVE_S,
            **given,
        )
    except asyncssh.PermissionDenied:
        raise UnreachableError(
            f"{target} accepts none of your keys, of which one with a passphrase counts only in "
            f"the agent (ssh-add)",
            f"run: ssh-copy-id {target.ssh_command()}",
        ) from None
    except asyncssh.HostKeyNotVerifiable:
        raise _untrusted(target, known) from None
    except (asyncssh.KeyExchangeFailed, asyncssh.ConnectionLost, ConnectionResetError) as error:
        # a server without a key of a kind that is known hangs up, so that none is ever seen
        if await _shows_another_key(known):
            raise _untrusted(target, known) from None
        raise UnreachableError(
            f"{target} broke off the login: {first_line(error)}",
            f"run: ssh -v {target.ssh_command()}",
        ) from error
    except (TimeoutError, asyncssh.Error, ValueError, OSError) as error:
        raise _failed(target, error) from error


def _failed(target: Target, error: Exception) -> UnreachableError:
    """Return what is wrong with a key, the connection, the protocol or the configuration."""
    import asyncssh

    if isinstance(error, asyncssh.KeyImportError):
        return UnreachableError(
            f"The key for {target} cannot be used: {first_line(error)}",
            f"if it has a passphrase, run: ssh-add {target.identity_file or ''}".rstrip(),
        )
    if isinstance(error, asyncssh.Error | ValueError):
        return UnreachableError(
            f"{target} cannot be reached over ssh: {first_line(error)}",
            f"run: ssh -v {target.ssh_command()}",
        )
    return UnreachableError(
        f"{target} cannot be reached: {_reason(error)}",
        f"switch it on, check its name, or run: ssh {target.ssh_command()}",
    )


def _known_hosts(configured: object) -> asyncssh.SSHKnownHosts:
    """Read the files of known hosts that are configured, or the usual ones; none is an empty list.

    Without any entry no host is trusted.
    """
    import asyncssh

    files = configured if isinstance(configured, list | tuple) else ()
    usual = (str(Path("~/.ssh/known_hosts").expanduser()), "/etc/ssh/ssh_known_hosts")
    existing = [str(file) for file in files or usual if Path(str(file)).is_file()]
    return asyncssh.read_known_hosts(existing) if existing else asyncssh.import_known_hosts("")


async def _shows_another_key(known: _Known) -> bool:
    """Ask a listed host for its key, and return whether it is none of those that are known."""
    import asyncssh

    trusted = known.keys()
    if not trusted:
        return False
    try:
        shown = await asyncssh.get_server_host_key(known.host, known.port)
    except (asyncssh.Error, OSError):
        return False
    return shown is not None and shown not in trusted


def _untrusted(target: Target, known: _Known) -> UnreachableError:
    """Distinguish a host that was never seen from one whose key is not the known one."""
    if known.jump:
        return UnreachableError(
            f"The host key of {target}, or of {known.jump} on the way to it, is not a known one",
            f"compare both fingerprints once by hand, run: ssh {target.ssh_command()}",
        )
    if known.keys():
        name = known.host if known.port == _USUAL_PORT else f"[{known.host}]:{known.port}"
        return UnreachableError(
            f"The host key of {target} is not the one in known_hosts: it was installed anew, or "
            "another machine answers in its place",
            f"only if you know why, run: ssh-keygen -R '{name}'",
        )
    return UnreachableError(
        f"The host key of {target} is not known",
        f"compare its fingerprint once by hand, run: ssh {target.ssh_command()}",
    )


def _reason(error: Exception) -> str:
    if isinstance(error, TimeoutError | asyncio.TimeoutError):  # one type from Python 3.11 on
        return f"no answer within {CONNECT_TIMEOUT_S:.0f} s"
    if isinstance(error, socket.gaierror):
        return "its name is not known"
    number = getattr(error, "errno", None)
    return os.strerror(number).lower() if number else str(error)
