"""Where backups are kept, and what all transfers of this host share: one budget of memory, one rate, turns for parts.

Responsibilities: the account that a command means, out of the configuration and of what it brought along; the means
for one transfer. Keys that came with a command live as long as the command's own object, and nowhere else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from chunter_nsq.config import Config
from chunter_nsq.errors import Interrupted, InvalidMessage, InvalidState
from chunter_nsq.messages.backup_params import Given
from chunter_nsq.messages.withheld import SECRET_MEMBERS
from chunter_nsq.storage.account import Account
from chunter_nsq.storage.bucket import Bucket
from chunter_nsq.storage.budget import Budget
from chunter_nsq.storage.compress import Codec, codec
from chunter_nsq.storage.patience import Patience
from chunter_nsq.storage.profiles import Profile
from chunter_nsq.storage.progress import Meter
from chunter_nsq.storage.rate import Rate
from chunter_nsq.storage.sizing import Reads, Sizes, sizes
from chunter_nsq.storage.state import UploadState
from chunter_nsq.storage.stop import Stop
from chunter_nsq.storage.transfer import Transfer
from chunter_nsq.storage.turns import Turns

LONG = Patience()
BRIEF = Patience(total_seconds=30.0, first_seconds=0.2, longest_seconds=5.0)
_CHUNK_BYTES = 5 * 10**6, 5 * 2**20  # what s3_upload_chunk_size is when nobody chose it
_CHUNKS_IN_MEMORY = 4  # of those that are downloaded, at least
_PATH_STYLES = {"auto": None, "on": True, "off": False}
_REMEDY = "set s3.access_key and s3.secret_key in chunter.conf, or send the command again with a new id"


class Stores:
    """``config`` gives the configuration as it is now."""

    def __init__(self, config: Callable[[], Config]) -> None:
        self._config = config
        self._budget = Budget(config().backup_memory_bytes)
        self._rate = Rate()
        self._turns = Turns(), Turns()

    def account(self, given: Given | None) -> Account:
        """The account of the configuration with what a command said in place of it.

        Raises:
            InvalidState: nobody said which store.
            Interrupted: the keys came with the command, and the agent that had them has ended.
            InvalidMessage: keys would go to another endpoint than theirs.
        """
        config = self._config()
        account = Account(
            endpoint=config.s3_endpoint,
            bucket=config.s3_bucket,
            access_key=config.s3_access_key,
            secret_key=config.s3_secret_key,
            region=config.s3_region,
            profile=config.s3_profile,
            path_style=_PATH_STYLES[config.s3_path_style],
            ca_file=config.s3_ca_file,
        )
        if given is not None:
            account = _withheld(account, given) if given.is_withheld else account.instead(given.document)
            if not config.s3_endpoint and not account.secret_key:
                raise InvalidMessage("s3.endpoint is not configured here: the store needs keys of its own")
        if not account.endpoint or not account.bucket:
            raise InvalidState(
                "there is no store for backups: set s3.endpoint and s3.bucket in chunter.conf, or give s3 in params"
            )
        return account

    @contextmanager
    def transfer(
        self, account: Account, *, meter: Meter | None = None, patience: Patience = LONG
    ) -> Iterator[Transfer]:
        """Means for one transfer after the other, to one bucket, with one stop, which hangs up whatever is asked.

        Who has little patience does not wait longer for a silent store either.
        """
        config = self._config()
        self._budget.resize(config.backup_memory_bytes)
        self._rate.change(config.backup_rate_limit_bytes_per_second)
        for turns, most in zip(self._turns, (config.max_parallel_uploads, config.max_parallel_downloads), strict=True):
            turns.change(most)
        account = replace(account, silence_seconds=min(account.silence_seconds, patience.total_seconds))
        bucket = Bucket(account, connections=config.max_parallel_uploads + config.max_parallel_downloads)
        with Stop() as stop, stop.calling(bucket.hang_up):
            try:
                yield Transfer(bucket, stop, self._budget, self._rate, patience, meter or Meter(), *self._turns)
            finally:
                bucket.close()

    def sizes(self, profile: Profile, estimate_bytes: int | None = None) -> Sizes:
        """Sizes for one upload, by the configuration."""
        config = self._config()
        chosen = config.s3_upload_chunk_size_bytes
        fixed = None if chosen in _CHUNK_BYTES else chosen
        return sizes(
            profile,
            config.backup_memory_bytes,
            estimate_bytes=estimate_bytes,
            part_bytes=fixed,
            uploads=config.parallel_uploads,
        )

    def codec(self, state: UploadState | None) -> Codec:
        """What streams are packed with; a stream that was begun goes on as it began."""
        if state is not None:
            return codec(state.codec, state.engine)
        return codec("auto" if self.sends_as_stored else self._config().backup_compression)

    @property
    def sends_as_stored(self) -> bool:
        """Whether blocks are to be sent as they lie on the pool, compressed there."""
        return self._config().backup_compression == "zfs"

    @property
    def reads(self) -> Reads:
        """How a stream is read."""
        config = self._config()
        return Reads(config.parallel_downloads, config.preload)

    @property
    def piece_bytes(self) -> int:
        """How much is read at a time of what has no parts that are known."""
        config = self._config()
        return min(config.s3_download_chunk_size_bytes, config.backup_memory_bytes // _CHUNKS_IN_MEMORY)


def _withheld(account: Account, given: Given) -> Account:
    """The same store with the keys of the configuration, if those are for it."""
    plain: dict[str, Any] = {name: value for name, value in given.document.items() if name not in SECRET_MEMBERS}
    try:
        if account.secret_key:
            return account.instead(plain)
    except InvalidMessage:
        pass  # another endpoint than that of the configuration, whose keys do not go there
    raise Interrupted(f"the keys of the store came with the command and are kept nowhere: {_REMEDY}")
