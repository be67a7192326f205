"""Who may command this host: HMAC-SHA256 signatures with a time and a nonce, and what each key may do.

The key file is JSON: ``{"ops": {"secret": "...", "allow": ["machine.*"], "uuids": ["..."]}}``; ``allow`` (glob
patterns of actions) and ``uuids`` are optional. The signature covers the canonical JSON of the command without
``auth.hmac``: keys sorted, no blanks, UTF-8.
"""

from __future__ import annotations

import fnmatch
import hashlib
import hmac
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chunter_nsq.errors import NotAuthorized
from chunter_nsq.smartos.names import is_uuid

SKEW_SECONDS = 300
_NONCE_SIZE = range(8, 129)
_SECRET_SIZE = 16


class Late(NotAuthorized):
    """The signature is good, but its time is over."""


class KeysInvalid(ValueError):
    """The key file cannot be used; the text names the place and the remedy."""


@dataclass(frozen=True, slots=True)
class Key:
    """A key and its limits; None means no limit."""

    name: str
    secret: bytes
    allow: tuple[str, ...] | None = None
    uuids: frozenset[str] | None = None


def read_keys(path: Path) -> dict[str, Key]:
    """The keys in a file.

    Raises:
        KeysInvalid: when it is not readable, not of the form, or a secret is too short.
    """
    try:
        document = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError) as fault:
        raise KeysInvalid(f"{path}: cannot be read as JSON: {fault}") from None
    if not isinstance(document, dict) or not document:
        raise KeysInvalid(f'{path}: must be a JSON object such as {{"ops": {{"secret": "..."}}}}')
    return {name: _key(path, name, entry) for name, entry in document.items()}


def signature(document: Mapping[str, Any], secret: bytes) -> str:
    """The hex HMAC of a command whose ``auth`` has key, ts and nonce; an ``hmac`` in it is left out."""
    auth = {name: value for name, value in document.get("auth", {}).items() if name != "hmac"}
    text = json.dumps({**document, "auth": auth}, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hmac.new(secret, text.encode("utf-8"), hashlib.sha256).hexdigest()


class Authority:
    """Decides whether a command may run; without keys every command may."""

    def __init__(self, keys: Mapping[str, Key] | None) -> None:
        self.keys = keys

    def check(self, document: Mapping[str, Any], action: str, uuid: str | None) -> str | None:
        """The nonce to be used up, or None when commands are not signed here.

        Raises:
            NotAuthorized: with the reason.
        """
        if self.keys is None:
            return None
        auth = document.get("auth")
        if not isinstance(auth, dict):
            raise NotAuthorized("This host takes signed commands only; the command has no auth")
        name = auth.get("key")
        key = self.keys.get(name) if isinstance(name, str) else None
        given = auth.get("hmac")
        if key is None or not isinstance(given, str):
            raise NotAuthorized("The command's auth names no key that this host knows, or has no hmac")
        if not hmac.compare_digest(signature(document, key.secret).encode(), given.lower().encode("utf-8", "replace")):
            raise NotAuthorized(f"The signature of key {key.name!r} does not match the command")
        _check_limits(key, action, uuid)
        _check_time(auth.get("ts"))
        nonce = auth.get("nonce")
        if not isinstance(nonce, str) or len(nonce) not in _NONCE_SIZE:
            raise NotAuthorized("auth.nonce must be 8 to 128 characters that were never used before")
        return f"{key.name} {nonce}"


def _key(path: Path, name: str, entry: Any) -> Key:
    if not isinstance(entry, dict) or not isinstance(entry.get("secret"), str) or len(entry["secret"]) < _SECRET_SIZE:
        raise KeysInvalid(f"{path}: key {name!r}: needs a secret of {_SECRET_SIZE} characters or more")
    unknown = set(entry) - {"secret", "allow", "uuids"}
    if unknown:
        raise KeysInvalid(f"{path}: key {name!r}: unknown member {min(unknown)!r}; known: secret, allow, uuids")
    for member in ("allow", "uuids"):
        listed = entry.get(member, [])
        if not isinstance(listed, list) or not all(isinstance(one, str) for one in listed):
            raise KeysInvalid(f"{path}: key {name!r}: {member} must be a list of texts")
    for one in entry.get("uuids", []):
        if not is_uuid(one):
            raise KeysInvalid(f"{path}: key {name!r}: {one!r} in uuids is not a lower-case uuid and would match no VM")
    return Key(
        name,
        entry["secret"].encode("utf-8"),
        tuple(entry["allow"]) if "allow" in entry else None,
        frozenset(entry["uuids"]) if "uuids" in entry else None,
    )


def _check_time(stamp: Any) -> None:
    now = time.time()
    # compared, not subtracted: a whole number may be larger than any float
    is_near = isinstance(stamp, int | float) and now - SKEW_SECONDS <= stamp <= now + SKEW_SECONDS
    if isinstance(stamp, bool) or not is_near:
        raise Late(f"auth.ts must be the epoch seconds of now, at most {SKEW_SECONDS} s off this host's clock")


def _check_limits(key: Key, action: str, uuid: str | None) -> None:
    if key.allow is not None and not any(fnmatch.fnmatchcase(action, pattern) for pattern in key.allow):
        raise NotAuthorized(f"The key {key.name!r} may not do {action}")
    if key.uuids is not None and uuid is not None and uuid not in key.uuids:
        raise NotAuthorized(f"The key {key.name!r} may not touch {uuid}")
    if key.uuids is not None and uuid is None and action not in ("host.ping", "host.info"):
        raise NotAuthorized(f"The key {key.name!r} is limited to some VMs, and {action} names none")
