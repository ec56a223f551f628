#!/bin/sh
# model-signing==1.1.1
#
# Guess:   what pip installs can be imported: the README's first step is `pip install model-signing`.
# Instead: the module for certificates imports OpenSSL (pyOpenSSL), which the package does not require;
#          older versions of sigstore, which it does require, happened to bring it.
# Seen:    with sigstore 4.5.1: import model_signing.signing: No module named 'OpenSSL'
# Source:  _signing/sign_certificate.py, "from OpenSSL import crypto"; METADATA, Requires-Dist
# Matters: signing with a key, which needs no certificate, fails at its first line in a fresh environment.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3.11 -m venv "$work/venv"
"$work/venv/bin/pip" install -q model-signing==1.1.1 sigstore==4.5.1
cd "$work"
"$work/venv/bin/python" - 2>"$work/log" <<'PYTHON' || { tail -n 40 "$work/log" >&2; exit 1; }
from importlib import metadata

required = metadata.requires("model-signing")
assert not any("openssl" in one.lower() for one in required), required
try:
    import model_signing.signing
except ModuleNotFoundError as error:
    print("import model_signing.signing:", error)
    assert error.name == "OpenSSL"
else:
    raise AssertionError("it was imported")
PYTHON
