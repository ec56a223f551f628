#!/bin/sh
# model-signing==1.1.1
#
# Guess:   documented parameters do what their documentation says: use_elliptic_key_signer takes
#          "password: Optional[str]", and use_file_serialization(allow_symlinks=True) includes links.
# Instead: a password that is a str ends in a TypeError, only bytes open the key; allow_symlinks is set
#          back to False before anything is hashed, only set_allow_symlinks(True) counts.
# Seen:    password "secret": TypeError    b"secret": taken
#          allow_symlinks=True: refused "because it is a symlink"    set_allow_symlinks(True): signed
# Source:  _signing/sign_ec_key.py passes the str to cryptography; hashing.py, Config.hash calls
#          self._serializer.set_allow_symlinks(self._allow_symlinks), which use_file_serialization leaves False
# Matters: the caches of model hubs hold links: a file that was verified where it was made is refused there.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3.11 -m venv "$work/venv"
"$work/venv/bin/pip" install -q model-signing==1.1.1 pyOpenSSL==26.4.0
cd "$work"
"$work/venv/bin/python" - 2>"$work/log" <<'PYTHON' || { tail -n 40 "$work/log" >&2; exit 1; }
from pathlib import Path

from cryptography.hazmat.primitives import serialization as pem
from cryptography.hazmat.primitives.asymmetric import ec
from model_signing import hashing, signing

key = ec.generate_private_key(ec.SECP256R1())
cipher = pem.BestAvailableEncryption(b"secret")
Path("key.pem").write_bytes(key.private_bytes(pem.Encoding.PEM, pem.PrivateFormat.PKCS8, cipher))


def outcome(function):
    try:
        function()
    except Exception as error:
        return f"{type(error).__name__}: {str(error).splitlines()[0]}"
    return "taken"


def signer(password):
    return signing.Config().use_elliptic_key_signer(private_key="key.pem", password=password)


text, raw = (outcome(lambda: signer(password)) for password in ("secret", b"secret"))
print('password "secret":', text, '   b"secret":', raw)
assert text.startswith("TypeError") and raw == "taken"

Path("blob").write_bytes(b"weights")
model = Path("model")
model.mkdir()
(model / "weights.onnx").symlink_to(Path("blob").absolute())
by_parameter = hashing.Config().use_file_serialization(allow_symlinks=True)
by_method = hashing.Config().set_allow_symlinks(True)
first, second = (outcome(lambda: one.hash(model)) for one in (by_parameter, by_method))
print("allow_symlinks=True:", first, "   set_allow_symlinks(True):", second)
assert "symlink" in first and second == "taken"
PYTHON
