"""Where LiteRT's ``benchmark_model`` for a phone comes from.

In this order: a folder the user names, the cache, LiteRT's publisher.  The publisher gives no
checksums; that of the first download is kept beside the file and compared before each use.
"""

from __future__ import annotations

import http.client
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from affnet.cache import KINDS
from affnet.errors import MeasurementError, MissingError, UsageError
from affnet.files import content_sha256, write_whole

PUBLISHER = "https://storage.googleapis.com/litert/binaries"
# LiteRT's releases put the tool there under their number: 2.2.0 is the newest of them that was seen
# to hold it, named by Google's litert-cli for its device cloud.  LiteRT's page "Benchmark" links to
# "latest" in its place, which changes, so that results of two days could be those of two tools.
VERSION = "2.2.0"
NAME = "benchmark_model"
#: How a user names the folder of a runner.
NAME_FOLDER = "as `runner` of the phone in the file of devices, or by affnet bench --runner-dir"
_TIMEOUT_S = 60.0
_LARGEST_BYTES = 256_000_000  # of a program; that of 2.2.0 has 8 MB
_ELF = b"\x7fELF"
#: An Android ABI as the publisher's folders call it.
_FOLDERS = {"arm64-v8a": "android_arm64", "x86_64": "android_x86_64"}


@dataclass(frozen=True)
class Runner:
    """A runner on this machine."""

    path: Path
    version: str  # the publisher's, or the beginning of the file's SHA-256


def find_runner(
    abi: str, folder: str | None, version: str, progress: Callable[[str], None] = lambda _: None
) -> Runner:
    """Return the runner for an ABI, fetched if it has to be.

    Raises:
        UsageError: ``folder`` holds none.
        MissingError: there is none, and it cannot be fetched; the message says where to put it.
        MeasurementError: the cached one is not what was fetched.
    """
    if folder is not None:
        return _named(folder, NAME, lambda: f"fetch {_url(abi, version)} into it")
    path = cached_path(abi, version)
    if not path.is_file():
        progress(f"Fetching {_url(abi, version)}")
        _fetch(_url(abi, version), path)
    _check(path)
    return Runner(path, version)


def find_built(name: str, folder: str | None, build: str) -> Runner:
    """Return a runner that nobody publishes for Android; ``build`` says how to come by it.

    Raises:
        MissingError: no folder is named.
        UsageError: it does not hold the runner.
    """
    if folder is None:
        raise MissingError(
            f"Nobody publishes {name} for Android",
            f"{build}, and name its folder: {NAME_FOLDER}.",
        )
    return _named(folder, name, lambda: build)


def _named(folder: str, name: str, remedy: Callable[[], str]) -> Runner:
    path = Path(folder).expanduser()
    path = path if path.is_file() else path / name
    if not path.is_file():
        raise UsageError(f"{folder} holds no {name}", f"{remedy()}.")
    return Runner(path, f"of sha256 {content_sha256(path)[:12]}")


def cached_path(abi: str, version: str) -> Path:
    """Return where the runner is kept."""
    return KINDS["runners"].location() / version / _folder(abi) / NAME


def _url(abi: str, version: str) -> str:
    return f"{PUBLISHER}/{version}/{_folder(abi)}/{NAME}"


def _folder(abi: str) -> str:
    if abi not in _FOLDERS:
        raise MissingError(
            f"LiteRT publishes no {NAME} for {abi} phones",
            f"build one, and name its folder: {NAME_FOLDER}.",
        )
    return _FOLDERS[abi]


def _fetch(url: str, path: Path) -> None:
    try:
        with urllib.request.urlopen(url, timeout=_TIMEOUT_S) as response:  # noqa: S310  # https
            content: bytes = response.read(_LARGEST_BYTES + 1)
    except (OSError, http.client.HTTPException) as error:
        if isinstance(error, urllib.error.HTTPError):
            error.close()  # it holds the connection
        reason = error.reason if isinstance(error, urllib.error.URLError) else error
        raise MissingError(
            f"{NAME} cannot be fetched ({reason or type(error).__name__})",
            f"fetch {url} and put it at {path}, or name its folder: {NAME_FOLDER}.",
        ) from error
    if not content.startswith(_ELF) or len(content) > _LARGEST_BYTES:  # a proxy's login page
        raise MissingError(
            f"{url} gave no program",
            f"fetch it and put it at {path}, or name its folder: {NAME_FOLDER}.",
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, content)


def _check(path: Path) -> None:
    """Compare the checksum with that of the first use, or keep it."""
    record = path.with_name(path.name + ".sha256")
    found = content_sha256(path)
    if not record.is_file():
        write_whole(record, found + "\n")
    elif (expected := record.read_text().strip()) != found:
        raise MeasurementError(
            f"{path} has the SHA-256 {found[:12]}.., but {expected[:12]}.. when it was first used",
            f"remove it and {record.name} to fetch it again.",
        )
