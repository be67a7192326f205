"""Getting files by HTTP: small ones whole, large ones piece by piece, taken up again where they were cut off."""

from __future__ import annotations

import contextlib
import errno
import gzip
import hashlib
import http.client
import importlib
import shutil
import ssl
import time
import urllib.error
import urllib.request
import zlib
from pathlib import Path

from chunter_nsq import __version__
from chunter_nsq.errors import ChecksumMismatch, InsufficientResources, StorageFailed
from chunter_nsq.release.index import Release

SILENCE_SECONDS = 30.0
ATTEMPTS = 4
PAUSE_SECONDS = 1.0
UNPACKED_LIMIT_BYTES = 2**30
_PIECE_BYTES = 2**16
_PARTIAL = 206
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


def read(url: str, limit_bytes: int) -> bytes:
    """A small file.

    Raises:
        StorageFailed: it cannot be had, or is larger.
    """
    try:
        with _opened(url, 0) as answer:
            content: bytes = answer.read(limit_bytes + 1)
    except (OSError, http.client.HTTPException) as fault:
        raise StorageFailed(
            f"{url} cannot be fetched: {_why(fault)}. Is update.url right, and the server up?"
        ) from None
    if len(content) > limit_bytes:
        raise StorageFailed(f"{url} has more than {limit_bytes} bytes; it is not what it should be")
    return content


def download(base: str, release: Release, folder: Path) -> Path:
    """A release's file, whole and checked; what an earlier attempt left of it is used.

    Raises:
        StorageFailed: it cannot be had; what came is kept for the next time.
        InsufficientResources: there is no space for it; what came is thrown away, others need the last of it.
        ChecksumMismatch: it is not the file that the index names; it is thrown away.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for stale in folder.glob("*.part"):
        if release.sha256[:16] not in stale.name:
            stale.unlink()
    target = folder / f"{release.sha256[:16]}.part"
    url, said = f"{base}/{release.file}", ""
    for attempt in range(ATTEMPTS):
        if attempt:
            time.sleep(PAUSE_SECONDS)
        try:
            _continue(url, target, release.size_bytes)
        except (OSError, http.client.HTTPException) as fault:
            if _is_full(fault):
                target.unlink(missing_ok=True)
                raise _no_space(f"{release.file} ({release.size_bytes} bytes)", folder) from None
            said = _why(fault)
        have = target.stat().st_size if target.exists() else 0
        if have >= release.size_bytes:
            return _whole(target, release)
        said = said or "it was cut short"
    raise StorageFailed(
        f"{url} came to {have} of {release.size_bytes} bytes: {said}. The next attempt goes on from there.",
        {"bytes": have, "of": release.size_bytes},
    )


def unpack(file: Path, target: Path) -> Path:
    """Gunzip a checked file.

    Raises:
        StorageFailed: it cannot be unpacked.
        InsufficientResources: there is no space for it; neither the file nor a part of what was in it stays.
    """
    try:
        with gzip.open(file) as packed, target.open("wb") as output:
            while piece := packed.read(2**20):
                output.write(piece)
                if output.tell() > UNPACKED_LIMIT_BYTES:
                    raise StorageFailed(f"{file.name} unpacks to more than {UNPACKED_LIMIT_BYTES} bytes")
    except (OSError, EOFError, zlib.error) as fault:
        target.unlink(missing_ok=True)
        if _is_full(fault):
            file.unlink()
            raise _no_space(target.name, target.parent) from None
        raise StorageFailed(f"{file} cannot be unpacked to {target}: {fault}") from None
    return target


def _continue(url: str, target: Path, size_bytes: int) -> None:
    have = target.stat().st_size if target.exists() else 0
    if have >= size_bytes:
        return
    with _opened(url, have) as answer, target.open("ab" if answer.status == _PARTIAL else "wb") as output:
        while (piece := answer.read(_PIECE_BYTES)) and output.tell() <= size_bytes:
            output.write(piece)


def _whole(target: Path, release: Release) -> Path:
    with target.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if digest != release.sha256 or target.stat().st_size != release.size_bytes:
        target.unlink()
        raise ChecksumMismatch(
            f"{release.file} is not the file that the signed index names: its SHA-256 is {digest}. It was thrown away; "
            "somebody changed it, or the upload to the server went wrong.",
            {"key": release.file, "expected": release.sha256, "found": digest},
        )
    return target


def _opened(url: str, start: int) -> http.client.HTTPResponse:
    headers = {"User-Agent": f"chunter/{__version__}"} | ({"Range": f"bytes={start}-"} if start else {})
    request = urllib.request.Request(url, headers=headers)  # noqa: S310 - update.url is http or https by its form
    answer: http.client.HTTPResponse = urllib.request.urlopen(  # noqa: S310 - same
        request, timeout=SILENCE_SECONDS, context=_trust()
    )
    return answer


def _is_full(fault: Exception) -> bool:
    return isinstance(fault, OSError) and fault.errno in _FULL


def _no_space(what: str, folder: Path) -> InsufficientResources:
    free = shutil.disk_usage(folder).free
    return InsufficientResources(
        f"There is no space for {what} below {folder}, where {free} bytes are free; nothing was replaced."
        " Make room and update again.",
        {"free": free},
    )


def _trust() -> ssl.SSLContext:
    """The system's authorities, and those that come with the release: pkgsrc may have none."""
    context = ssl.create_default_context()
    with contextlib.suppress(ImportError):
        context.load_verify_locations(importlib.import_module("certifi").where())
    return context


def _why(fault: Exception) -> str:
    if isinstance(fault, urllib.error.HTTPError):
        return f"the server said {fault.code} {fault.reason}"
    reason = fault.reason if isinstance(fault, urllib.error.URLError) else fault
    return str(reason) or type(fault).__name__
