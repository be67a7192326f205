"""The index of a channel: the releases in it with their hashes, signed as a whole."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

from chunter_nsq.errors import InvalidState, NotAuthorized, NotFound, StorageFailed
from chunter_nsq.release.ed25519 import is_signed
from chunter_nsq.release.versions import is_version, rank

FORMAT = 1
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Release:
    """A release that can be had: its file below the channel's URL, that file's bytes and hash."""

    version: str
    file: str
    size_bytes: int
    sha256: str


def checked(index: bytes, signature: bytes, key: bytes, channel: str) -> tuple[Release, ...]:
    """The releases of an index that the owner of ``key`` signed for this channel, oldest first.

    Raises:
        NotAuthorized: somebody else wrote it, or it was changed.
        StorageFailed: it is no index of this channel.
    """
    if not is_signed(key, index, signature):
        raise NotAuthorized(
            "The index is not signed by the key that this host trusts (update.key, else the one that came with the "
            "installed version); nothing was fetched. Was the key changed? Then install by hand."
        )
    try:
        told = json.loads(index)
        if told["format"] != FORMAT or told["channel"] != channel:
            raise StorageFailed(f"The index is one of channel {told['channel']}, format {told['format']}")
        releases = tuple(_release(one) for one in told["releases"])
    except (ValueError, KeyError, TypeError) as fault:
        raise StorageFailed(f"The index of channel {channel} cannot be read: {fault}") from None
    return tuple(sorted(releases, key=lambda one: rank(one.version)))


def choose(releases: tuple[Release, ...], installed: str, version: str | None, *, force: bool) -> Release | None:
    """The release to install: the named one, else the newest; None when that is installed already.

    Raises:
        NotFound: there is no such release.
        InvalidState: it is older than what is installed, and that was not forced.
    """
    found = [one for one in releases if version in (None, one.version)]
    if not found:
        known = ", ".join(one.version for one in releases[-5:])
        raise NotFound(f"There is no release {version or ''}; there are {known or 'none'}")
    chosen = found[-1]
    if chosen.version == installed:
        return chosen if force else None
    if rank(chosen.version) < rank(installed) and not force:
        if version is None:
            return None
        raise InvalidState(
            f"{version} is older than {installed}, which is installed; bin/update -f -v {version} goes back to it",
            {"installed": installed, "version": version},
        )
    return chosen


def _release(one: dict[str, object]) -> Release:
    version, file, size, digest = (one[name] for name in ("version", "file", "bytes", "sha256"))
    if not isinstance(version, str) or not is_version(version) or file != f"chunter-{version}.gz":
        raise ValueError(f"{version!r} in {file!r} is no release")
    if not isinstance(size, int) or not isinstance(digest, str) or not _SHA256.fullmatch(digest):
        raise ValueError(f"release {version} has no size and hash")
    return Release(version, file, size, digest)
