"""The object store of the demo's world: a real one, which gets ready while other things happen."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

from chunter_nsq.errors import Fault
from chunter_nsq.storage.account import Account
from chunter_nsq.storage.s3 import Line, asking
from tools import weed
from tools.demo.parts import READY_SECONDS, Part, PartMissing

BUCKET = "backups"
_POLL_SECONDS = 0.1


def account(port: int) -> Account:
    """The owner of the one bucket of a store that listens on a port of 127.0.0.1."""
    return Account(
        endpoint=f"http://127.0.0.1:{port}",
        bucket=BUCKET,
        access_key=weed.ACCESS_KEY,
        secret_key=weed.SECRET_KEY,
        connect_seconds=1,
        silence_seconds=5,
    )


def settings(account: Account) -> dict[str, str]:
    """What chunter.conf says of it."""
    return {
        "s3.endpoint": account.endpoint,
        "s3.bucket": account.bucket,
        "s3.access_key": account.access_key,
        "s3.secret_key": account.secret_key,
    }


class Store:
    """SeaweedFS with one bucket; its data are thrown away with ``folder``."""

    def __init__(self, folder: Path) -> None:
        self._ports = ports = weed.free_ports()
        try:
            program = str(weed.program())
        except FileNotFoundError as fault:
            raise PartMissing(str(fault)) from None
        self.account = account(ports[-1])
        self._part = Part(
            (program, *weed.arguments(folder / "store", ports)),
            folder / "store.log",
            (ports[-1], "/healthz"),
            weed.ENVIRONMENT,
        )
        self._starting: asyncio.Task[None] | None = None

    @property
    def settings(self) -> dict[str, str]:
        """What chunter.conf says of it."""
        return settings(self.account)

    def begin(self) -> None:
        """Start it; ``ready`` waits."""
        self._starting = asyncio.create_task(self._start(), name="store")

    async def ready(self) -> None:
        """Returns when it takes objects. Raises PartMissing."""
        assert self._starting is not None  # noqa: S101 - begin comes first
        await asyncio.shield(self._starting)

    async def end(self) -> None:
        """As a crash: nobody wants its data."""
        if self._starting is not None:
            self._starting.cancel()
            with contextlib.suppress(asyncio.CancelledError, PartMissing):
                await self._starting
        self._part.kill()
        weed.remove_sockets(self._ports)

    async def _start(self) -> None:
        await self._part.start()
        loop = asyncio.get_running_loop()
        deadline = loop.time() + READY_SECONDS
        while True:
            try:
                await asyncio.to_thread(make_bucket, self.account)
            except Fault as fault:
                if loop.time() > deadline:
                    raise PartMissing(
                        f"the store takes no bucket: {fault.message}\n{self._part.last_words()}"
                    ) from None
            else:
                return
            await asyncio.sleep(_POLL_SECONDS)


def make_bucket(account: Account) -> None:
    """Have the account's bucket. Raises Fault while the store is not ready."""
    line = Line(account, 1)
    try:
        with asking("make a bucket"):
            there = line.client.list_buckets()["Buckets"]
            if account.bucket not in {one["Name"] for one in there}:
                line.client.create_bucket(Bucket=account.bucket)
    finally:
        line.close()
