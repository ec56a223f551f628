"""Writing files whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import os
import re
import shutil
import tempfile
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from affnet.errors import OutputError, UsageError

if TYPE_CHECKING:
    from numpy.typing import NDArray

_DISK_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
#: The suffixes of files whose weights stand in another beside them, and that one's.
COMPANIONS = {".param": ".bin", ".xml": ".bin"}
_UNLOCKED = "new-"
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
        staging = _OwnedFolder(output, ".affnet-")
    try:
        yield staging.path
    finally:
        staging.remove()
        if is_new:
            with contextlib.suppress(OSError):  # it is not empty: something was published
                output.rmdir()


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """Yield a new folder among the system's temporary files; remove it at the end."""
    scratch = _OwnedFolder(Path(tempfile.gettempdir()), "affnet-scratch-")
    try:
        yield scratch.path
    finally:
        scratch.remove()


class _OwnedFolder:
    """A temporary folder that is locked for as long as this process lives, however it ends.

    Those that nobody holds are of processes that were killed; they are removed when the next one is
    made.  The folder itself is locked, so that no file is left behind for it; where a file system
    knows no such locks, nothing is swept.  What is used is a folder in it, into which files can be
    published: that takes a lock of its own.
    """

    def __init__(self, parent: Path, prefix: str) -> None:
        _sweep(parent, prefix)
        # under a name that is not swept until it is locked
        made = Path(tempfile.mkdtemp(prefix=prefix + _UNLOCKED, dir=parent))
        self._held = _lock(made, wait=False)
        self._root = made.rename(parent / (prefix + made.name.removeprefix(prefix + _UNLOCKED)))
        self.path = self._root / "files"
        self.path.mkdir()

    def remove(self) -> None:
        """Remove the folder with all that is in it."""
        shutil.rmtree(self._root, ignore_errors=True)
        if self._held is not None:
            os.close(self._held)


def _sweep(parent: Path, prefix: str) -> None:
    """Remove the folders of processes that are gone."""
    name = re.compile(re.escape(prefix) + "[a-z0-9_]{8}")  # as `tempfile` makes them
    for path in parent.glob(f"{prefix}*"):
        if name.fullmatch(path.name) and (held := _lock(path, wait=False)) is not None:
            shutil.rmtree(path, ignore_errors=True)
            os.close(held)


def _lock(folder: Path, *, wait: bool) -> int | None:
    """Lock a folder of this user's until what is returned is closed; None if that cannot be."""
    try:
        opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError:
        return None
    try:
        if wait or os.fstat(opened).st_uid == os.geteuid():
            fcntl.flock(opened, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
            return opened
    except OSError:  # another holds it, or the file system knows no locks
        pass
    os.close(opened)
    return None


def is_path(text: str) -> bool:
    """Tell a path from a source's name, ``module:function`` and a library's network."""
    return "/" in text or (":" not in text and Path(text).suffix != "")


def portable(path: Path) -> str:
    """Return how a file is named on another machine: from the working directory, or by its name."""
    whole, here = path.resolve(), Path.cwd().resolve()
    return whole.relative_to(here).as_posix() if whole.is_relative_to(here) else whole.name


def publish(staged: Sequence[Path], output: Path) -> list[Path]:
    """Move finished files and folders from a staging folder into ``output``.

    Each is renamed, which replaces an older one in one step (a folder: in two).  A lock on the
    folder keeps two runs that publish into it from mixing their files.
    """
    with translating_os_errors(output), _locked(output):
        targets = []
        for path in staged:
            target = output / path.name
            if target.is_dir():
                target.rename(path.with_name(path.name + ".old"))
            path.replace(target)
            targets.append(target)
    return targets


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Wait for others that publish into a folder, and keep them waiting."""
    held = _lock(folder.resolve(), wait=True)
    try:
        yield
    finally:
        if held is not None:
            os.close(held)


def write_whole(path: Path, data: bytes | str) -> None:
    """Write ``path`` in one step: under a temporary name in the same folder, then renamed."""
    content = data.encode() if isinstance(data, str) else data
    with staging_folder(path.parent) as staging:
        staged = staging / path.name
        with translating_os_errors(path):
            write_and_sync(staged, content)
            staged.replace(path)


def write_arrays(path: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write arrays as ``numpy.savez`` does, but whatever they are called, and never pickled.

    That takes an array called ``file`` for its own argument, and before numpy 2.1 stores its
    argument ``allow_pickle`` as one more array.

    Raises:
        ValueError: an array is of objects.
    """
    from numpy.lib import format as npy

    with zipfile.ZipFile(path, "w") as archive:
        for name, array in arrays.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as stream:
                npy.write_array(stream, array, allow_pickle=False)


def write_and_sync(path: Path, content: bytes) -> None:
    """Write ``content`` and wait until the disk has it, so that a full disk shows here."""
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def sync(path: Path) -> None:
    """Wait until the disk has a file that a library has written, so that a full disk shows here."""
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def companion(path: Path) -> Path | None:
    """Return the file that holds the weights of ``path``, None where it holds them itself."""
    suffix = COMPANIONS.get(path.suffix)
    return path.with_suffix(suffix) if suffix else None


def all_files(path: Path) -> list[Path]:
    """Return ``path``, and the file that belongs to it if it stands there."""
    beside = companion(path)
    return [path, beside] if beside and beside.exists() else [path]


def content_sha256(path: Path) -> str:
    """Return the SHA-256 of a file, or of a folder's relative file names and contents.

    What belongs to a file is hashed after it.
    """
    digest = hashlib.sha256()
    for part in all_files(path):
        _add_content(digest, part)
    return digest.hexdigest()


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file alone."""
    digest = hashlib.sha256()
    _add_content(digest, path)
    return digest.hexdigest()


def _add_content(digest: hashlib._Hash, path: Path) -> None:
    files = [path] if path.is_file() else sorted(p for p in path.rglob("*") if p.is_file())
    for file in files:
        if file != path:
            digest.update(file.relative_to(path).as_posix().encode() + b"\0")
        with file.open("rb") as stream:
            for block in iter(lambda: stream.read(1 << 20), b""):
                digest.update(block)


def content_bytes(path: Path) -> int:
    """Return the size of a file and what belongs to it, or of all files in a folder."""
    if path.is_file():
        return sum(part.stat().st_size for part in all_files(path))
    return sum(p.stat().st_size for p in path.rglob("*") if p.is_file())
