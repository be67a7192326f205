"""What is secret is shown as stars, in argument vectors, texts and documents."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from typing import Any

STARS = "***"
# A shorter one would turn up by chance in a tool's words, and star out what they mean.
_SHORTEST_GATHERED_SECRET = 4
_SECRET_NAME = re.compile(r"passw|passphrase|secret|shadow|token|credential|private|_pw\Z|hash|api_?key", re.IGNORECASE)
_CRYPT_HASH = re.compile(r"\$[0-9a-zA-Z]{1,12}\$[^\s]{8,}")


def starred(text: str, secrets: Collection[str]) -> str:
    """The text with every occurrence of every secret starred, longer secrets first."""
    for secret in sorted(filter(None, secrets), key=len, reverse=True):
        text = text.replace(secret, STARS)
    return text


def starred_argv(argv: tuple[str, ...], secrets: Collection[str]) -> tuple[str, ...]:
    """The argument vector with secrets starred."""
    return tuple(starred(word, secrets) for word in argv) if secrets else argv


def is_secret(name: str, value: Any) -> bool:
    """Whether a member called ``name`` holds a secret, by its name or by looking like a crypt(3) hash."""
    return _SECRET_NAME.search(name) is not None or (isinstance(value, str) and _CRYPT_HASH.search(value) is not None)


def without_secrets(document: Any) -> Any:
    """The same JSON document without the members that hold secrets, at any depth."""
    if isinstance(document, dict):
        return {name: without_secrets(value) for name, value in document.items() if not is_secret(name, value)}
    if isinstance(document, list):
        return [without_secrets(value) for value in document]
    return document


def _texts(document: Any) -> Iterator[str]:
    if isinstance(document, str):
        yield document
    elif isinstance(document, dict | list):
        for value in document.values() if isinstance(document, dict) else document:
            yield from _texts(value)


def secrets_of(document: Any) -> frozenset[str]:
    """The secret texts of a JSON document, at any depth, so that they can be starred elsewhere."""
    found: set[str] = set()
    pending = [document]
    while pending:
        node = pending.pop()
        if isinstance(node, dict):
            for name, value in node.items():
                if is_secret(str(name), value):
                    found.update(_texts(value))
                else:
                    pending.append(value)
        elif isinstance(node, list):
            pending.extend(node)
    return frozenset(text for text in found if len(text) >= _SHORTEST_GATHERED_SECRET)
