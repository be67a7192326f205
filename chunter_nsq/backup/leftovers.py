"""Uploads that could not be taken back in time: remembered without keys, taken back when the store can be reached."""

from __future__ import annotations

import json
import logging
import secrets
from collections.abc import Iterable

from chunter_nsq.backup.memo import Records
from chunter_nsq.backup.stores import BRIEF, Stores
from chunter_nsq.errors import Fault
from chunter_nsq.messages.events import Note, compact
from chunter_nsq.storage import catalogue
from chunter_nsq.storage.account import Account
from chunter_nsq.storage.multipart import discard
from chunter_nsq.storage.state import UploadState
from chunter_nsq.storage.transfer import Transfer, in_thread

log = logging.getLogger(__name__)

_SPACE = "backup.left"


class Leftovers:
    """What is left in stores by commands that have ended."""

    def __init__(self, records: Records, stores: Stores) -> None:
        self._records = records
        self._stores = stores

    async def keep(self, account: Account | None, states: Iterable[UploadState]) -> None:
        """Remember uploads; ``account`` None is one that nobody knows any more."""
        place = {"endpoint": account.endpoint, "bucket": account.bucket} if account is not None else {}
        notes = [
            Note(_SPACE, f"{state.key} {secrets.token_hex(4)}", compact({**place, "state": state.as_dict()}))
            for state in states
            if state.segments
        ]
        if notes:
            await self._records.put(notes)

    async def sweep(self) -> None:
        """Take back what is in the configured store; what cannot be is tried again some other time."""
        found = {key: json.loads(value) for key, value in (await self._records.recall(_SPACE)).items()}
        if not found:
            return
        try:
            account = self._stores.account(None)
        except Fault:
            return
        for key, left in found.items():
            here = account.endpoint, account.bucket
            if (left.get("endpoint", here[0]), left.get("bucket", here[1])) == here:
                await self._take_back(account, key, UploadState.from_dict(left["state"]))

    async def _take_back(self, account: Account, key: str, state: UploadState) -> None:
        with self._stores.transfer(account, patience=BRIEF) as transfer:
            try:
                await in_thread(lambda: _discard(transfer, state), transfer.stop)
            except Fault as fault:
                log.warning("backup.leftover_stays", extra={"key": key, "why": fault.message})
                return
        await self._records.put([Note(_SPACE, key, None)])


def _discard(transfer: Transfer, state: UploadState) -> None:
    """What a manifest names stays, whoever wrote that."""
    vm = state.key.partition("/")[0]
    keys = list(catalogue.manifest_keys(transfer.bucket, vm))
    named = {key for each in keys for key in catalogue.load(transfer.bucket, each).keys}
    discard(transfer.bucket, state.segments, transfer.stop, transfer.patience, spare=named)
