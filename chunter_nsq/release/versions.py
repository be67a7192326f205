"""The names of versions, 1.2.3 or 1.2.3.dev4, and which of two is newer."""

from __future__ import annotations

import re

_NAME = re.compile(r"(\d{1,6})\.(\d{1,6})\.(\d{1,6})(?:\.dev(\d{1,9}))?")
_RELEASED = 10**9  # after all of its .dev


def rank(version: str) -> tuple[int, ...]:
    """What versions are sorted by; raises ValueError for what is no version."""
    found = _NAME.fullmatch(version)
    if found is None:
        raise ValueError(f"{version!r} is no version; one looks like 1.2.3 or 1.2.3.dev4")
    major, minor, patch, dev = found.groups()
    return int(major), int(minor), int(patch), _RELEASED if dev is None else int(dev)


def is_version(text: str) -> bool:
    """Whether it is the name of a version."""
    return _NAME.fullmatch(text) is not None


def channel_of(version: str) -> str:
    """``dev`` or ``rel``."""
    return "dev" if ".dev" in version else "rel"
