"""Writing files whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from affnet.errors import OutputError, UsageError

_DISK_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_NO_RIGHTS = {errno.EACCES, errno.EPERM, errno.EROFS}


@contextmanager
def translating_os_errors(target: Path) -> Iterator[None]:
    """Turn an `OSError` met while writing to ``target`` into one clear sentence."""
    try:
        yield
    except OSError as error:
        if error.errno in _DISK_FULL:
            raise OutputError(
                f"No space is left for {target}",
                "free some or choose another place. What stood there before is untouched.",
            ) from error
        if error.errno in _NO_RIGHTS:
            raise UsageError(
                f"{target} is not writable", "change its rights or choose another place."
            ) from error
        if error.errno in (errno.ENOTDIR, errno.EEXIST):
            raise UsageError(
                f"{target} cannot be a folder, because a file stands in its path",
                "choose another place.",
            ) from error
        raise OutputError(f"Writing to {target} failed: {error.strerror or error}.") from error


@contextmanager
def staging_folder(output: Path) -> Iterator[Path]:
    """Yield a new temporary folder inside ``output``, on its file system; remove it at the end.

    ``output`` is made if it does not exist, and removed again if it then stays empty.  Use it with
    `publish`.
    """
    with translating_os_errors(output):
        is_new = not output.exists()
        output.mkdir(parents=True, exist_ok=True)
        staging = Path(tempfile.mkdtemp(prefix=".affnet-", dir=output))
    try:
        yield staging
    finally:
        shutil.rmtree(staging, ignore_errors=True)
        if is_new:
            with contextlib.suppress(OSError):  # it is not empty: something was published
                output.rmdir()


def is_path(text: str) -> bool:
    """Tell a path from a source's name, ``module:function`` and a library's network."""
    return "/" in text or (":" not in text and Path(text).suffix != "")


def publish(staged: Sequence[Path], output: Path) -> list[Path]:
    """Move finished files and folders from a staging folder into ``output``.

    Each is renamed, which replaces an older one in one step (a folder: in two).  A lock keeps two
    runs of a user that publish into the same folder from mixing their files.
    """
    from filelock import FileLock

    # one lock file per user, as another user's could not be opened, and for all folders, as
    # renaming takes no time
    key = hashlib.sha256(str(Path.home()).encode()).hexdigest()[:16]
    with translating_os_errors(output), FileLock(Path(tempfile.gettempdir(), f"affnet-{key}.lock")):
        targets = []
        for path in staged:
            target = output / path.name
            if target.is_dir():
                target.rename(path.with_name(path.name + ".old"))
            path.replace(target)
            targets.append(target)
    return targets


def write_whole(path: Path, data: bytes | str) -> None:
    """Write ``path`` in one step: under a temporary name in the same folder, then renamed."""
    content = data.encode() if isinstance(data, str) else data
    with staging_folder(path.parent) as staging:
        staged = staging / path.name
        with translating_os_errors(path):
            write_and_sync(staged, content)
            staged.replace(path)


def write_and_sync(path: Path, content: bytes) -> None:
    """Write ``content`` and wait until the disk has it, so that a full disk shows here."""
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def content_sha256(path: Path) -> str:
    """Return the SHA-256 of a file, or of a folder's relative file names and contents."""
    digest = hashlib.sha256()
    files = [path] if path.is_file() else sorted(p for p in path.rglob("*") if p.is_file())
    for file in files:
        if file != path:
            digest.update(file.relative_to(path).as_posix().encode() + b"\0")
        with file.open("rb") as stream:
            for block in iter(lambda: stream.read(1 << 20), b""):
                digest.update(block)
    return digest.hexdigest()


def content_bytes(path: Path) -> int:
    """Return the size of a file, or of all files in a folder."""
    if path.is_file():
        return path.stat().st_size
    return sum(p.stat().st_size for p in path.rglob("*") if p.is_file())
