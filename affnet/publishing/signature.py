"""Signing an artifact, and checking a signature, as OpenSSF's model-signing does.

The signature is a Sigstore bundle beside the file, over the hashes of all its files and of its
manifest; ``model_signing verify key --ignore_unsigned_files`` checks it too.  The keys are elliptic
curves' in PEM files, so that neither needs a network.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from affnet.artifact import Artifact
from affnet.errors import (
    ArtifactError,
    UsageError,
    VerificationError,
    reason_of,
    require,
)
from affnet.files import staging_folder, translating_os_errors
from affnet.publishing.contents import signature_path, signed_files
from affnet.reading import existing_file, parse_json, read_text
from affnet.silence import silenced

if TYPE_CHECKING:
    from model_signing.hashing import Config

_CURVES = "P-256, P-384 or P-521"
_NEW_KEY = "make one: openssl ecparam -name prime256v1 -genkey -noout -out key.pem"
_PUBLIC_KEY = "make it of the private one: openssl ec -in key.pem -pubout -out key.pub"


@dataclass(frozen=True)
class Signature:
    """A signature that was made, or found to fit."""

    path: Path
    files: tuple[str, ...]  # whose content it covers, relative to the artifact's folder


def sign(path: Path, key: Path, password: str | None = None) -> Signature:
    """Sign an artifact with a private key; replace an older signature.

    Raises:
        MissingError: model-signing is not installed.
        UsageError: the key cannot be used, or needs another password.
        ArtifactError, OutputError: as of `Artifact.open` and of writing.
    """
    _require()
    Artifact.open(path)
    existing_file(key, "a private key")
    target, files = signature_path(path), signed_files(path)
    with silenced():
        from model_signing import signing

        with _key_errors(key, "private", _NEW_KEY):
            secret = None if password is None else password.encode()  # a str is not taken
            config = signing.Config().use_elliptic_key_signer(private_key=key, password=secret)
        with staging_folder(path.absolute().parent) as staging, translating_os_errors(target):
            config.set_hashing_config(_hashing(list(files.values())))
            config.sign(path.absolute().parent, staging / target.name)
            (staging / target.name).replace(target)
    return Signature(target, tuple(files))


def check(path: Path, key: Path) -> Signature:
    """Return the signature of an artifact, which the owner of a public key made.

    Raises:
        MissingError: model-signing is not installed.
        UsageError: the key cannot be used.
        ArtifactError: there is no signature.
        VerificationError: it is another's, damaged, or of other files.
    """
    _require()
    existing_file(key, "a public key")
    target, files = signature_path(path), signed_files(path)
    if not target.is_file():
        raise ArtifactError(
            f"{path} has no signature ({target.name} should stand beside it)",
            f"copy it along, or sign it: affnet sign {path} --key PRIVATE_KEY",
        )
    with silenced():
        from model_signing import verifying

        with _key_errors(key, "public", _PUBLIC_KEY):
            config = verifying.Config().use_elliptic_key_verifier(public_key=key)
        try:
            signed = _names(target)
            config.set_hashing_config(_hashing(list(files.values())))
            config.verify(path.absolute().parent, target)
        except Exception as error:  # whatever is wrong with a bundle that anybody may have written
            raise VerificationError(_misfit(path, key, target, error)) from error
    if signed != sorted(files):
        raise VerificationError(f"{target} signs other files than {path} has")
    return Signature(target, tuple(files))


def _require() -> None:
    require("model_signing", extra="signing", purpose="A signature")
    # the former imports this undeclared
    require("OpenSSL", extra="signing", purpose="A signature", distribution="pyOpenSSL")


def _hashing(files: Sequence[Path]) -> Config:
    """Return how the given files alone are hashed, also where they are links, as in a cache."""
    from model_signing import hashing

    class Ours(hashing.Config):  # type: ignore[misc, unused-ignore]
        def hash(self, model_path: Any, *, files_to_hash: Any = None) -> Any:
            return super().hash(model_path, files_to_hash=[file.absolute() for file in files])

    return Ours().set_allow_symlinks(True)


def _names(bundle: Path) -> list[str]:
    """Return the names of the files that a bundle signs."""
    envelope = parse_json(read_text(bundle))["dsseEnvelope"]
    statement = parse_json(base64.b64decode(envelope["payload"]))
    return sorted(one["name"] for one in statement["predicate"]["resources"])


@contextmanager
def _key_errors(key: Path, kind: str, remedy: str) -> Iterator[None]:
    try:
        yield
    except Exception as error:  # cryptography has many; their texts name no password
        reason = reason_of(error)
        if "password" in str(error).lower():
            reason = "its password is missing or wrong"
            remedy = "set AFFNET_KEY_PASSWORD to it."
        elif isinstance(error, AttributeError):  # a key that is no curve's
            reason = f"it is not of {_CURVES}"
        raise UsageError(f"{key} is no {kind} key that signs: {reason}", remedy) from error


def _misfit(path: Path, key: Path, bundle: Path, error: Exception) -> str:
    """Say what does not fit: the files, the key, or the signature itself."""
    from cryptography.exceptions import InvalidSignature

    if "Key mismatch" in str(error):
        return f"{bundle} was made with another key than that of {key}"
    if isinstance(error, InvalidSignature):
        return f"{bundle} was changed after it was made"
    if "Signature mismatch" in str(error):
        return f"{path} or its manifest was changed after {bundle.name} was made"
    return f"{bundle} is no signature: {reason_of(error)}"
