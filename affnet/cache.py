"""The user's cache: where it is, its JSON files that several processes change, and its folders.

All that affnet keeps between runs is here; `KINDS` lists it.  Nothing in it is needed: what is
missing or damaged is made anew.
"""

from __future__ import annotations

import ast
import contextlib
import functools
import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from affnet.errors import AffnetError, OutputError
from affnet.files import content_bytes, content_sha256, translating_os_errors, write_whole
from affnet.reading import parse_json, read_text

#: Names another folder than the system's for caches.
FOLDER_VARIABLE = "AFFNET_CACHE_DIR"
_ENTRY = "entry.json"
_STAGING = ".new-"
_ABANDONED_S = 3600.0  # after which a staging folder belongs to a process that was killed
_LOCK_S = 60.0


@dataclass(frozen=True)
class Kind:
    """One part of the cache."""

    name: str
    holds: str
    path: str  # below the cache's folder

    def location(self) -> Path:
        """Return the file or folder."""
        return cache_folder() / self.path

    def entries(self) -> int:
        """Count what it holds."""
        path = self.location()
        if path.suffix == ".json":
            content = _json(path)
            inner = [value for value in content.values() if isinstance(value, dict)]
            return len(inner[0] if len(inner) == 1 and "schema" in content else content)
        if not path.is_dir():
            return 0
        return sum(child.is_dir() and not child.name.startswith(".") for child in path.iterdir())

    def size(self) -> int:
        """Return what it takes on disk, in bytes."""
        path = self.location()
        return content_bytes(path) if path.exists() else 0

    def clear(self) -> None:
        """Remove it.

        Raises:
            UsageError, OutputError: it cannot be removed.
        """
        path = self.location()
        if not path.exists():
            return
        with translating_os_errors(path), locked(path):
            if path.is_dir():
                for child in path.iterdir():
                    shutil.rmtree(child) if child.is_dir() else child.unlink()
            else:
                path.unlink()


KINDS = {
    kind.name: kind
    for kind in (
        Kind("artifacts", "sources that bench, check and eval exported", "artifacts"),
        Kind("plans", "measured costs of DFT plans", "wisdom.json"),
        Kind(
            "noise-floor", "smallest detectable changes, of check --calibrate", "calibration.json"
        ),
        Kind("exports", "what export wrote last, by folder", "exports.json"),
        Kind("sources", "where the files of sources were seen, by hash", "sources.json"),
        Kind("code", "hashes of affnet's code without comments", "code.json"),
        Kind("browser", "runtimes for pages", "browser"),
        Kind("emulated", "arm64 systems to prove files on", "emulated"),
        Kind("runners", "benchmark tools for phones", "runners"),
        Kind("executorch", "libraries that run ExecuTorch on boards", "executorch"),
        Kind("aihub", "ids of models and jobs at Qualcomm AI Hub", "aihub.json"),
        Kind("cluster", "files that clients sent to this worker", "cluster"),
    )
}


def cache_folder() -> Path:
    """Return the folder of the cache, that of ``AFFNET_CACHE_DIR`` if it is set."""
    from platformdirs import user_cache_path

    named = os.environ.get(FOLDER_VARIABLE)
    return Path(named).expanduser().absolute() if named else user_cache_path("affnet")


@contextmanager
def locked(path: Path, timeout: float = _LOCK_S) -> Iterator[None]:
    """Keep other processes from changing ``path`` at the same time; its folder is made.

    The system takes the lock from a process that is killed.

    Raises:
        UsageError, OutputError: the folder cannot be written, or another process does not end.
    """
    from filelock import FileLock, Timeout

    with translating_os_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(f"{path}.lock", timeout=timeout)
        try:
            lock.acquire()
        except Timeout as error:  # which is an OSError too
            raise OutputError(
                f"Another process has kept {path} to itself for {timeout:.0f} s", "try again."
            ) from error
    try:
        yield
    finally:
        lock.release()


def read_entries(path: Path, schema: int, key: str) -> dict[str, Any]:
    """Return the entries of a JSON file, none where it is damaged or of another schema."""
    content = _json(path)
    entries = content.get(key) if content.get("schema") == schema else {}
    return entries if isinstance(entries, dict) else {}


def change_entries(
    path: Path, schema: int, key: str, changes: Mapping[str, Any], limit: int | None = None
) -> None:
    """Put ``changes`` into a JSON file as its newest entries, and keep the newest ``limit``.

    Raises:
        UsageError, OutputError: the file cannot be written.
    """
    with locked(path):
        entries = {k: v for k, v in read_entries(path, schema, key).items() if k not in changes}
        kept = list((entries | dict(changes)).items())
        kept = kept if limit is None else kept[-limit:]
        write_whole(path, json.dumps({"schema": schema, key: dict(kept)}, indent=1) + "\n")


def _json(path: Path) -> dict[str, Any]:
    try:
        content = parse_json(read_text(path))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


class FolderCache:
    """Folders of finished files under keys, the least recently used of which are dropped.

    Several processes may use it at once.  A folder is written aside and renamed, so that one that
    is killed leaves no half of it; what was damaged since shows by the hash of each file.
    """

    def __init__(self, path: Path, limit_bytes: float) -> None:
        self.path, self._limit = path, limit_bytes

    def take(self, key: str, target: Path) -> bool:
        """Copy what is kept under ``key`` into the folder ``target``; return whether it is whole.

        A copy stays whatever other processes drop meanwhile.
        """
        entry = self.path / key
        if not self.path.is_dir():
            return False
        # Without the lock first, for which many would wait: the hashes tell whether it is whole.
        if self._copied(entry, target):
            return True
        with locked(self.path):  # it was replaced or dropped meanwhile, or it is damaged
            if not entry.is_dir():
                return False
            if self._copied(entry, target):
                return True
            shutil.rmtree(entry, ignore_errors=True)
        return False

    def _copied(self, entry: Path, target: Path) -> bool:
        """Copy an entry into ``target``, whole or not at all; return whether it is whole."""
        hashes = read_entries(entry / _ENTRY, 1, "files")
        try:
            for name in hashes:
                copy = shutil.copytree if (entry / name).is_dir() else shutil.copy2
                copy(entry / name, target / name)
            os.utime(entry / _ENTRY)  # now it is the most recently used
            whole = all(content_sha256(target / n) == found for n, found in hashes.items())
        except OSError:
            whole = False
        if hashes and whole:
            return True
        for name in hashes:
            shutil.rmtree(target / name, ignore_errors=True)
            (target / name).unlink(missing_ok=True)
        return False

    def has(self, key: str) -> bool:
        """Return whether something is kept under ``key``."""
        return (self.path / key / _ENTRY).is_file()

    def keep(self, key: str, paths: Iterable[Path]) -> None:
        """Copy files and folders under ``key``, and drop what exceeds the limit.

        Raises:
            UsageError, OutputError: they cannot be written.
        """
        with translating_os_errors(self.path):
            self.path.mkdir(parents=True, exist_ok=True)
            staging = Path(tempfile.mkdtemp(prefix=_STAGING, dir=self.path))
            try:
                hashes = {}
                for path in paths:
                    copy = shutil.copytree if path.is_dir() else shutil.copy2
                    copy(path, staging / path.name)
                    hashes[path.name] = content_sha256(staging / path.name)
                content = {"schema": 1, "files": hashes, "bytes": content_bytes(staging)}
                write_whole(staging / _ENTRY, json.dumps(content) + "\n")
                with locked(self.path):
                    shutil.rmtree(self.path / key, ignore_errors=True)
                    staging.rename(self.path / key)
                    self._drop()
            finally:
                shutil.rmtree(staging, ignore_errors=True)

    def _drop(self) -> None:
        """Remove what killed processes left, and the least recently used beyond the limit."""
        for left in self.path.glob(f"{_STAGING}*"):
            if time.time() - left.stat().st_mtime > _ABANDONED_S:
                shutil.rmtree(left, ignore_errors=True)
        entries = sorted(self.path.glob(f"[!.]*/{_ENTRY}"), key=lambda e: -e.stat().st_mtime_ns)
        total = 0
        for entry in entries:
            size = _json(entry).get("bytes")
            total += size if isinstance(size, int) else content_bytes(entry.parent)
            if total > self._limit:
                shutil.rmtree(entry.parent, ignore_errors=True)


@functools.cache
def code_hash(*roots: Path) -> str:
    """Return what changes with the Python code in ``roots``, but not with comments or docstrings.

    Parsing takes longer than hashing, so that what it gave is kept in the cache by content.
    """
    files = [
        f for root in roots for f in ([root] if root.is_file() else sorted(root.rglob("*.py")))
    ]
    record = KINDS["code"].location()
    known, new, digest = read_entries(record, 1, "code"), {}, hashlib.sha256()
    for file in files:
        content = file.read_bytes()
        key = hashlib.sha256(content).hexdigest()
        if key not in known:
            new[key] = _hash_of_code(content)
        digest.update(f"{file.name} {known.get(key) or new[key]}\n".encode())
    if new:
        with contextlib.suppress(AffnetError):
            change_entries(record, 1, "code", new, limit=4 * len(files))
    return digest.hexdigest()[:16]


def _hash_of_code(content: bytes) -> str:
    tree = ast.parse(content)
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list):
            node.body = [  # type: ignore[attr-defined]
                one
                for one in body
                if not (isinstance(one, ast.Expr) and isinstance(one.value, ast.Constant))
            ]
    return hashlib.sha256(ast.dump(tree).encode()).hexdigest()
