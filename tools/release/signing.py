"""Ed25519 signatures, made by openssl (3.0 or newer) on the machine that builds; hosts check them without it."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path


def new_key(file: Path) -> None:
    """Make a private key that only its owner can read."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.touch(mode=0o600)
    file.write_bytes(_openssl("genpkey", "-algorithm", "ed25519"))


def public(file: Path) -> bytes:
    """The public half (PEM) of a private key."""
    return _openssl("pkey", "-in", str(file), "-pubout")


def sign(file: Path, content: bytes) -> bytes:
    """The signature of ``content``, 64 bytes."""
    with tempfile.NamedTemporaryFile() as message:  # openssl signs files only: Ed25519 reads a message twice
        message.write(content)
        message.flush()
        return _openssl("pkeyutl", "-sign", "-rawin", "-inkey", str(file), "-in", message.name)


def _openssl(*words: str) -> bytes:
    done = subprocess.run(["openssl", *words], capture_output=True, check=False)
    if done.returncode:
        raise SystemExit(f"openssl {words[0]} failed; 3.0 or newer is needed:\n{done.stderr.decode()}")
    return done.stdout
