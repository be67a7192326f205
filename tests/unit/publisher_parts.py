"""What a publisher is handed, made for one test: real tools in a platform root of the test's own, a real outbox."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace

from chunter_nsq.config import Config
from chunter_nsq.database import Database
from chunter_nsq.messages.events import Event
from chunter_nsq.outbox import Outbox
from chunter_nsq.smartos.runner import Runner
from chunter_nsq.smartos.zfs import Zfs
from chunter_nsq.smartos.zoneadm import Zoneadm

HOST = "5e1f0e4c-0000-4000-8000-0000000000aa"


class Desk:
    """A host's tools and outbox; ``listen`` asks a publisher once, writes what it tells and returns the events."""

    def __init__(self, root: Path, outbox: Outbox) -> None:
        runner = Runner(root)
        self.root = root
        self.outbox = outbox
        self.config = Config()
        self.tools = SimpleNamespace(
            config=lambda: self.config,
            host=SimpleNamespace(id=HOST),
            runner=runner,
            zoneadm=Zoneadm(runner),
            zfs=Zfs(runner),
            outbox=outbox,
        )

    def prints(self, tool: str, text: str, status: int = 0) -> None:
        """Have a tool print a text from now on, note its command line in TOOL.argv, and end."""
        path = self.root / tool
        path.parent.mkdir(parents=True, exist_ok=True)
        said = path.with_suffix(".text")
        put_script(said, text, 0o644)
        put_script(path, f'#!/bin/sh\necho "$@" >> {path}.argv\n/bin/cat {said}\nexit {status}\n')

    def zones(self, lines: str = "") -> None:
        """Have zoneadm list these beside the global zone."""
        self.prints("usr/sbin/zoneadm", f"0:global:running:/::sparse:shared:0\n{lines}")

    def typed(self, tool: str) -> list[str]:
        """The command lines of a tool so far."""
        return Path(f"{self.root / tool}.argv").read_text(encoding="utf-8").splitlines()

    async def listen(self, publisher) -> list[Event]:
        """One tick."""
        heard = []
        async for batch in publisher.tick():
            await self.outbox.put(batch)
            heard += batch
        return heard


def put_script(path: Path, text: str, mode: int = 0o755) -> None:
    """Put a tool into the place of another at once, so that nobody runs half of it."""
    draft = path.with_suffix(".new")
    draft.write_text(text, encoding="utf-8")
    draft.chmod(mode)
    draft.rename(path)


@asynccontextmanager
async def desk_in(folder: Path) -> AsyncIterator[Desk]:
    """A desk with its database in a folder; a second one in the same folder is the agent after a restart."""
    database = Database(folder / "chunter.db")
    outbox = Outbox(database, prefix="chunter", host=HOST, limit_bytes=2**30, retention_seconds=3600)
    await database.open()
    await outbox.open()
    try:
        yield Desk(folder / "root", outbox)
    finally:
        await outbox.close()
        await database.close()
