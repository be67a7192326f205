"""Uploads that could not be taken back in time: remembered without keys, taken back when the store can be reached.

Theory: a command that ends notes here what it had to leave in a store. Taking it back aborts uploads and deletes
objects that no manifest names. A later backup of the same machine may use the same keys, so nothing of a machine is
taken back while it is backed up (``spared``).

Not promised: anything where the store stays away, or where only the command that has ended had the keys for it.
"""

from __future__ import annotations

import asyncio
import json
import logging
import secrets
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

from chunter_nsq.backup.course import ended
from chunter_nsq.backup.stores import Stores
from chunter_nsq.errors import Fault
from chunter_nsq.memo import LEFT, Records
from chunter_nsq.messages.events import Note, compact
from chunter_nsq.storage import catalogue
from chunter_nsq.storage.account import Account
from chunter_nsq.storage.multipart import discard
from chunter_nsq.storage.patience import Patience
from chunter_nsq.storage.state import UploadState
from chunter_nsq.storage.transfer import Transfer, in_thread

log = logging.getLogger(__name__)

_PATIENCE = Patience(total_seconds=5.0, first_seconds=0.2, longest_seconds=1.0)
_SILENCE_SECONDS = 10.0
IMAGE_SUFFIX = ".imgmanifest"


class Leftovers:
    """What is left in stores by commands that have ended; ``news`` is set when there is more of it."""

    def __init__(self, records: Records, stores: Stores, news: asyncio.Event) -> None:
        self._records = records
        self._stores = stores
        self._news = news
        self._busy: Counter[str] = Counter()
        self._at_work: dict[str, asyncio.Task[bool]] = {}

    async def keep(self, place: Mapping[str, str] | None, states: Iterable[UploadState]) -> None:
        """Remember uploads; ``place`` has endpoint and bucket, None when nobody knows them any more."""
        notes = [
            Note(LEFT, f"{state.key} {secrets.token_hex(4)}", compact({**(place or {}), "state": state.as_dict()}))
            for state in states
            if not state.is_empty
        ]
        if notes:
            await self._records.put(notes)
            self._news.set()

    @asynccontextmanager
    async def spared(self, vm: str) -> AsyncIterator[None]:
        """Within it nothing of a machine is taken back; what is being taken back is stopped first."""
        self._busy[vm] += 1
        try:
            if (task := self._at_work.get(vm)) is not None:
                task.cancel()
                await ended(task)
            yield
        finally:
            self._busy[vm] -= 1
            self._news.set()

    async def sweep(self, name: str = "") -> bool:
        """Take back what is in the configured store, or of one machine or image only; whether nothing is left of it."""
        noted = await self._records.recall(LEFT)
        found = {key: json.loads(value) for key, value in noted.items() if key.startswith(name)}
        if not found:
            return True
        try:
            account = replace(self._stores.account(None), silence_seconds=_SILENCE_SECONDS)
        except Fault:
            return False
        done = True
        for key, left in found.items():
            if left.get("endpoint", account.endpoint) == account.endpoint:
                there = replace(account, bucket=left.get("bucket", account.bucket))
                done = await self._one(there, key, left) and done
        return done

    async def _one(self, account: Account, key: str, left: Mapping[str, Any]) -> bool:
        vm = UploadState.from_dict(left["state"]).key.partition("/")[0]
        if self._busy[vm] or vm in self._at_work:
            return False
        task = self._at_work[vm] = asyncio.create_task(
            self._take_back(account, key, UploadState.from_dict(left["state"]))
        )
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError:
            task.cancel()
            await ended(task)
            raise
        finally:
            del self._at_work[vm]
        return not task.cancelled() and task.result()

    async def _take_back(self, account: Account, key: str, state: UploadState) -> bool:
        with self._stores.transfer(account, patience=_PATIENCE) as transfer:
            try:
                await in_thread(lambda: _discard(transfer, state), transfer.stop)
            except Fault as fault:
                log.warning("backup.leftover_stays", extra={"key": key, "why": fault.message})
                return False
        await self._records.put([Note(LEFT, key, None)])
        log.info("backup.leftover_gone", extra={"key": key})
        return True


def place(account: Account) -> dict[str, str]:
    """Where an account's bucket is; nothing of who we are there."""
    return {"endpoint": account.endpoint, "bucket": account.bucket}


def _discard(transfer: Transfer, state: UploadState) -> None:
    """What a manifest names stays, whoever wrote that; an image has its manifest beside it."""
    vm, _, rest = state.key.partition("/")
    beside = f"{state.key}{IMAGE_SUFFIX}"
    if not rest and transfer.attempt(lambda: transfer.bucket.head(beside), f"look for {beside}") is not None:
        return
    keys = transfer.attempt(lambda: list(catalogue.manifest_keys(transfer.bucket, vm)), f"list the backups of {vm}")
    named = set[str]()
    for each in keys:
        named |= set(transfer.attempt(lambda key=each: catalogue.load(transfer.bucket, key), f"read {each}").keys)  # type: ignore[misc] # mypy does not infer it
    discard(transfer.bucket, state.segments, transfer.stop, transfer.patience, spare=named, beginning=state.beginning)
