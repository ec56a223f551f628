"""``affnet sign`` and ``affnet verify --signed-by``."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization as pem
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from tests.cli.conftest import edit_manifest
from tests.conftest import Finished
from tests.package import networks

Run = Callable[..., Finished]
Refused = Callable[..., str]

needs_model_signing = pytest.mark.skipif(
    not (find_spec("model_signing") and find_spec("OpenSSL")),
    reason="not installed: pip install 'affnet[signing]'",
)


def write_keys(folder: Path, name: str, password: bytes | None = None) -> tuple[Path, Path]:
    """Write a new pair of keys; return the private and the public one."""
    private, public = folder / f"{name}.pem", folder / f"{name}.pub"
    key = ec.generate_private_key(ec.SECP256R1())
    cipher = pem.BestAvailableEncryption(password) if password else pem.NoEncryption()
    private.write_bytes(key.private_bytes(pem.Encoding.PEM, pem.PrivateFormat.PKCS8, cipher))
    form = pem.PublicFormat.SubjectPublicKeyInfo
    public.write_bytes(key.public_key().public_bytes(pem.Encoding.PEM, form))
    return private, public


@pytest.fixture
def signed(run: Run, workspace: Path) -> Path:
    """The public key that fits the signature of ``net.onnx``."""
    networks.write(workspace)
    private, public = write_keys(workspace, "mine")
    finished = run("sign", "net.onnx", "--key", private)
    assert finished.code == 0, finished.err
    return public


def check(run: Run, key: Path, file: Path | str = "net.onnx") -> Finished:
    return run("verify", file, "--signature-only", "--signed-by", key)


@needs_model_signing
def test_a_signature_covers_file_and_manifest_wherever_they_are(
    run: Run, signed: Path, workspace: Path
) -> None:
    record = run("verify", "net.onnx", "--signature-only", "--signed-by", signed, "--json").json
    assert "of net.onnx, net.onnx.manifest.json" in record["signature"]
    (workspace / "elsewhere").mkdir()
    (workspace / "links").mkdir()  # as the cache of a hub has them
    for name in ("net.onnx", "net.onnx.manifest.json", "net.onnx.sig"):
        shutil.copy(workspace / name, workspace / "elsewhere" / name)
        (workspace / "links" / name).symlink_to(workspace / name)
    assert check(run, signed, "elsewhere/net.onnx").code == 0
    assert check(run, signed, "links/net.onnx").code == 0
    edit_manifest(workspace / "net.onnx", model="another")
    changed = check(run, signed)
    assert changed.code == 1
    assert "net.onnx or its manifest was changed after net.onnx.sig was made" in changed.error
    assert run("sign", "net.onnx", "--key", "mine.pem").code == 0
    assert check(run, signed).code == 0


@needs_model_signing
def test_signatures_of_others_are_refused(run: Run, signed: Path, workspace: Path) -> None:
    _, theirs = write_keys(workspace, "theirs")
    finished = check(run, theirs)
    assert finished.code == 1
    assert "net.onnx.sig was made with another key than that of" in finished.error
    networks.write(workspace, name="other")
    assert run("sign", "other.onnx", "--key", "mine.pem").code == 0
    shutil.copy("other.onnx.sig", "net.onnx.sig")  # of the right key, and of other files
    assert check(run, signed).code == 1


@needs_model_signing
@pytest.mark.parametrize("damage", ["text", "{}", "signature", "payload"])
def test_damaged_signatures_are_one_sentence(damage: str, run: Run, signed: Path) -> None:
    bundle = Path("net.onnx.sig")
    content = json.loads(bundle.read_text())
    if damage in ("text", "{}"):
        bundle.write_text(damage)
    else:
        envelope = content["dsseEnvelope"]
        if damage == "signature":
            envelope["signatures"][0]["sig"] = "MEUCIQ=="
        else:
            envelope["payload"] = "e30="
        bundle.write_text(json.dumps(content))
    finished = check(run, signed)
    assert finished.code == 1
    assert finished.error.startswith("net.onnx.sig ")


@needs_model_signing
def test_keys_that_do_not_sign(
    run: Run, refused: Refused, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    networks.write(workspace)
    private, public = write_keys(workspace, "locked", b"secret")
    (workspace / "none.pem").write_text("nothing")
    other = ed25519.Ed25519PrivateKey.generate()
    form, cipher = pem.PrivateFormat.PKCS8, pem.NoEncryption()
    (workspace / "ed.pem").write_bytes(other.private_bytes(pem.Encoding.PEM, form, cipher))
    assert "password is missing or wrong; set AFFNET_KEY_PASSWORD" in refused(
        "sign", "net.onnx", "--key", private
    )
    assert "is no private key that signs" in refused("sign", "net.onnx", "--key", "none.pem")
    assert "it is not of P-256, P-384 or P-521" in refused("sign", "net.onnx", "--key", "ed.pem")
    assert "does not exist" in refused("sign", "net.onnx", "--key", "nowhere.pem")
    monkeypatch.setenv("AFFNET_KEY_PASSWORD", "wrong")
    assert "password is missing or wrong" in refused("sign", "net.onnx", "--key", private)
    monkeypatch.setenv("AFFNET_KEY_PASSWORD", "secret")
    assert run("sign", "net.onnx", "--key", private).code == 0
    assert check(run, public).code == 0
    assert "is no public key" in check(run, private).error


@needs_model_signing
def test_a_signature_is_published_with_its_file(run: Run, signed: Path) -> None:
    assert signed.is_file()
    record = run("publish", "net.onnx", "--to", "hf://me/net", "--json").json
    assert "net.onnx.sig" in [one["name"] for one in record["files"]]
    assert "--signature-only --signed-by PUBLIC_KEY" in record["card"]


def test_what_a_signature_needs(
    refused: Refused, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    networks.write(workspace)
    write_keys(workspace, "mine")
    for name in ("model_signing", "OpenSSL"):
        with monkeypatch.context() as context:
            context.setitem(sys.modules, name, None)
            said = refused("sign", "net.onnx", "--key", "mine.pem", code=3)
        assert "pip install 'affnet[signing]'" in said
    assert "name the key with --signed-by" in refused("verify", "net.onnx", "--signature-only")


@needs_model_signing
def test_a_file_without_a_signature(refused: Refused, workspace: Path) -> None:
    networks.write(workspace)
    _, public = write_keys(workspace, "mine")
    said = refused("verify", "net.onnx", "--signature-only", "--signed-by", public)
    assert said.startswith("net.onnx has no signature (net.onnx.sig should stand beside it)")
