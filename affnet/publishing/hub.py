"""Uploading to a repository of the Hugging Face hub: all files in one commit, or none.

The library's own reports of a run, and its other protocol for large files, are off: nothing is sent
but what publishing needs, in requests that end when the command does.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from affnet.errors import (
    AffnetError,
    OutputError,
    UnreachableError,
    UsageError,
    reason_of,
    require,
)

_SCHEME = "hf://"
_NAME = re.compile(r"(?!.*(?:--|\.\.))[A-Za-z0-9_][A-Za-z0-9._-]{0,95}(?<![.-])(?<!\.git)")
_TOKENS = "https://huggingface.co/settings/tokens"


@dataclass(frozen=True)
class Repository:
    """A repository of models on the hub."""

    user: str  # or organization
    name: str

    @property
    def id(self) -> str:
        """Its name there: ``user/name``."""
        return f"{self.user}/{self.name}"

    def __str__(self) -> str:
        return f"{_SCHEME}{self.id}"

    @classmethod
    def parse(cls, text: str) -> Repository:
        """Return the repository that ``hf://user/name`` names.

        Raises:
            UsageError: it is not of that form, or the hub allows no such name.
        """
        parts = text.removeprefix(_SCHEME).split("/")
        if not text.startswith(_SCHEME) or len(parts) != 2 or not all(map(_NAME.fullmatch, parts)):
            raise UsageError(
                f"--to {text!r} names no repository",
                "name it as hf://USER/NAME, of letters, digits, '-', '_' and '.'.",
            )
        return cls(*parts)


def upload(
    repository: Repository,
    files: Mapping[str, Path | bytes],
    message: str,
    *,
    private: bool,
    update: bool,
    show: Callable[[str], None],
) -> str:
    """Commit files to a repository, which is created first, and return its address.

    Args:
        repository: where to.
        files: by their names there.
        message: of the commit.
        private: whether a repository that is created is seen by its owner only.
        update: whether it may exist, and its files of these names be replaced.
        show: takes the step under way.

    Raises:
        MissingError: the library is not installed.
        UsageError: there is no token, or the repository exists or is another's.
        UnreachableError: the hub does not answer, or refuses the token.
        OutputError: the upload failed; nothing was published.
    """
    require("huggingface_hub", extra="hub", purpose="Publishing to the hub")
    with _as_asked():
        from huggingface_hub import CommitOperationAdd, HfApi

        token = _token()
        api = HfApi(token=token, library_name="affnet")
        with _explaining(repository, api.endpoint, token, begun=False):
            show(f"Creating {repository}")
            api.create_repo(repository.id, private=private or None, exist_ok=update)
        with _explaining(repository, api.endpoint, token, begun=True):
            show(f"Uploading {len(files)} files to {repository}")
            operations = [
                CommitOperationAdd(name, content if isinstance(content, bytes) else str(content))
                for name, content in files.items()
            ]
            api.create_commit(repository.id, operations, commit_message=message)
    return f"{api.endpoint}/{repository.id}"


@contextmanager
def _as_asked() -> Iterator[None]:
    """Let the library send no reports, show no bars, and log no addresses, which hold signatures.

    Its settings are restored, as it may be in use by others.
    """
    from huggingface_hub import constants
    from huggingface_hub.utils import logging
    from huggingface_hub.utils.tqdm import disable_progress_bars

    ours = {"HF_HUB_DISABLE_TELEMETRY": True, "HF_HUB_DISABLE_XET": True}
    before = {name: getattr(constants, name) for name in ours}
    level = logging.get_verbosity()
    with warnings.catch_warnings(action="ignore"), disable_progress_bars():
        for name, value in ours.items():
            setattr(constants, name, value)
        logging.set_verbosity_error()  # type: ignore[no-untyped-call]
        try:
            yield
        finally:
            for name, value in before.items():
                setattr(constants, name, value)
            logging.set_verbosity(level)


def _token() -> str:
    from huggingface_hub import get_token

    try:
        found = get_token()
    except Exception as error:  # it may be renewed over the network
        raise UnreachableError(f"The hub's token cannot be had: {reason_of(error)}.") from error
    if not found:
        raise UsageError(
            "No token of the hub is stored on this machine",
            f"make one that may write at {_TOKENS}, then run: hf auth login",
        )
    return found


@contextmanager
def _explaining(
    repository: Repository, endpoint: str, token: str, *, begun: bool
) -> Iterator[None]:
    """Turn what the library raises into one sentence, which never holds the token."""
    try:
        yield
    except AffnetError:
        raise
    except Exception as error:
        found = _explained(error, repository, endpoint, begun=begun)
        if token in str(found):
            found = type(found)(found.problem.replace(token, "..."), found.remedy)
        raise found from error


def _explained(
    error: Exception, repository: Repository, endpoint: str, *, begun: bool
) -> AffnetError:
    causes = list(_chain(error))
    response = next((one.response for one in causes if hasattr(one, "response")), None)
    status = getattr(response, "status_code", None)
    if status == 401:
        return UnreachableError(
            f"{endpoint} refuses the token",
            f"make one that may write at {_TOKENS}, then run: hf auth login",
        )
    if status == 403:
        return UsageError(
            f"The token may not write to {repository}",
            f"name a repository of yours, or make a token that may at {_TOKENS}.",
        )
    if status == 409 and not begun:
        return UsageError(
            f"{repository} exists",
            "name a new one, or replace its files of these names with --update of affnet publish.",
        )
    said = next((one.server_message for one in causes if getattr(one, "server_message", "")), None)
    reason = " ".join((said or str(error) or reason_of(error)).split()).rstrip(".")
    if not begun and status is None:
        return UnreachableError(f"{endpoint} cannot be reached: {reason}", "try again later.")
    return OutputError(
        f"Uploading to {repository} failed: {reason}",
        "nothing was published; run the same command again with --update."
        if begun
        else "nothing was published.",
    )


def _chain(error: BaseException | None) -> Iterator[Any]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
