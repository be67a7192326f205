"""Which release there is to go to: the index of a channel, fetched, checked and chosen from."""

from __future__ import annotations

import asyncio
from pathlib import Path

from chunter_nsq import __version__
from chunter_nsq.config import Config
from chunter_nsq.errors import Unsupported
from chunter_nsq.release import fetch
from chunter_nsq.release.ed25519 import SIGNATURE_BYTES, public_key
from chunter_nsq.release.index import Release, checked, choose
from chunter_nsq.release.versions import channel_of

INDEX_BYTES = 2**20
VERSION_FOLDER = Path(__file__).resolve().parents[3]  # ROOT/versions/NAME, when this is installed
SHIPPED_KEY = VERSION_FOLDER / "share" / "release.pub"


async def find(config: Config, version: str | None, channel: str | None, *, force: bool = False) -> Release | None:
    """The release to go to: the named one, else the newest of the channel; None when nothing is newer.

    Raises:
        Unsupported: this host is not told where to look, or whom to trust.
        StorageFailed, NotAuthorized, NotFound, InvalidState: there is none, or it may not be taken.
    """
    base, key = base_of(config, channel), _key(config)
    index, signature = await asyncio.gather(
        asyncio.to_thread(fetch.read, f"{base}/index", INDEX_BYTES),
        asyncio.to_thread(fetch.read, f"{base}/index.sig", SIGNATURE_BYTES),
    )
    releases = checked(index, signature, key, channel or channel_of(__version__))
    return choose(releases, __version__, version, force=force)


def base_of(config: Config, channel: str | None) -> str:
    """The URL of a channel's folder; without a channel that of the installed version."""
    if not config.update_url:
        raise Unsupported("update.url is not set in chunter.conf: nobody knows where newer versions are")
    return f"{config.update_url.rstrip('/')}/{channel or channel_of(__version__)}"


def _key(config: Config) -> bytes:
    """The key that releases are checked with."""
    if not config.update_key and not SHIPPED_KEY.exists():
        raise Unsupported("No key to check releases with: set update.key, or install from a release")
    try:
        return public_key(config.update_key or SHIPPED_KEY.read_text())
    except ValueError as fault:
        raise Unsupported(f"update.key cannot be used: {fault}") from None
