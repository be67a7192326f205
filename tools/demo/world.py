"""The parts on free ports in a temporary folder, started in order and ended in reverse."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from chunter_nsq.smartos import simulator
from tools.demo.parts import TOOLS, Part, PartMissing, free_ports
from tools.demo.store import Store

Event = dict[str, Any]

ZONES = 2
# Shorter than on a real host, long enough to see what happens in between.
LATENCY_SECONDS = {
    "vmadm": 0.1,
    "vmadm create": 2.0,
    "vmadm start": 0.8,
    "vmadm stop": 0.8,
    "vmadm reboot": 1.0,
    "vmadm delete": 0.8,
    "vmadm events": 0.1,
    "zfs snapshot": 0.1,
    "zfs rollback": 0.3,
}
# A transfer takes a few seconds, in steps: long enough to be watched.
STREAM_BYTES, INCREMENT_BYTES = 32 * 2**20, 8 * 2**20
TRANSFER = {
    "backup_rate_limit": "5MB",
    "s3_upload_chunk_size": "6MB",
    "parallel_downloads": "1",
    "max_parallel_downloads": "1",
}


class World:
    """nsqlookupd, nsqd, a simulated host, and its agent; with ``store`` an object store for backups."""

    def __init__(self, *, store: bool = False) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="chunter-demo-"))
        self.platform = self.folder / "platform"
        self.root = self.folder / "chunter"
        lookup_tcp, lookup_http, self.nsqd_tcp, self.nsqd_http, status = free_ports(5)
        self.lookupd = Part(
            (
                str(TOOLS / "nsqlookupd"), f"-tcp-address=127.0.0.1:{lookup_tcp}",
                f"-http-address=127.0.0.1:{lookup_http}", "-broadcast-address=127.0.0.1",
            ),
            self.folder / "nsqlookupd.log", (lookup_http, "/ping"),
        )  # fmt: skip
        self.nsqd = Part(
            (
                str(TOOLS / "nsqd"), f"-data-path={self.folder / 'nsqd'}", f"-tcp-address=127.0.0.1:{self.nsqd_tcp}",
                f"-http-address=127.0.0.1:{self.nsqd_http}", "-https-address=127.0.0.1:0",
                "-broadcast-address=127.0.0.1", f"-lookupd-tcp-address=127.0.0.1:{lookup_tcp}",
                "-mem-queue-size=0", "-sync-every=1",
            ),
            self.folder / "nsqd.log", (self.nsqd_http, "/ping"),
        )  # fmt: skip
        self.agent = Part(
            (sys.executable, "-m", "chunter_nsq", "run", "--root", str(self.root)),
            self.folder / "agent.log", (status, "/readyz"),
        )  # fmt: skip
        self.settings = {
            "platform_root": str(self.platform),
            "nsqd": f"127.0.0.1:{self.nsqd_tcp}",
            "nsqlookupd": f"127.0.0.1:{lookup_http}",
            "status_listen": f"127.0.0.1:{status}",
            "update_services_interval": "1s",
            "zpool_interval": "1s",
        }
        self._store = Store(self.folder) if store else None
        if self._store is not None:
            self.settings |= {**self._store.settings, **TRANSFER}

    async def __aenter__(self) -> Self:
        """NSQ and the host; the agent is started by the first scene. What was begun is undone when this fails.

        A store gets ready meanwhile: see ``store_ready``.
        """
        try:
            if self._store is not None:
                self._store.begin()
            (self.folder / "nsqd").mkdir()
            (self.root / "etc").mkdir(parents=True)
            self.configure()
            simulator.create(self.platform, zones=ZONES)
            self._pace()
            await self.lookupd.start()
            await self.nsqd.start()
        except BaseException:
            await self.__aexit__(None, None, None)
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """The agent first: it has a goodbye to send."""
        self.agent.end()
        if self._store is not None:
            await self._store.end()
        for part in (self.nsqd, self.lookupd):
            part.end()
        for pid in _processes_of(self.platform):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        shutil.rmtree(self.folder, ignore_errors=True)

    def configure(self, **settings: str) -> None:
        """Write chunter.conf, with more or other settings."""
        self.settings.update(settings)
        lines = (f"{key} = {value}\n" for key, value in self.settings.items())
        (self.root / "etc" / "chunter.conf").write_text("".join(lines))

    def _pace(self) -> None:
        place = self.platform / "var" / "simulator"
        (place / "latency.json").write_text(json.dumps(LATENCY_SECONDS))
        facts = json.loads((place / "host.json").read_text())
        sizes = {"stream_bytes": STREAM_BYTES, "increment_bytes": INCREMENT_BYTES}
        (place / "host.json").write_text(json.dumps({**facts, **sizes}))

    async def store_ready(self) -> None:
        """Returns when the object store takes backups. Raises PartMissing."""
        if self._store is None:
            raise PartMissing("this world was made without a store")
        await self._store.ready()

    @property
    def host_id(self) -> str:
        """The host's id, once the agent made it."""
        return (self.root / "etc" / "hostid").read_text().strip()

    async def post(self, path: str, body: bytes = b"") -> None:
        """POST to nsqd's HTTP door."""
        request = urllib.request.Request(f"http://127.0.0.1:{self.nsqd_http}{path}", data=body, method="POST")

        def send() -> None:
            with contextlib.closing(urllib.request.urlopen(request, timeout=10)):  # noqa: S310 - http to loopback
                pass

        await asyncio.to_thread(send)

    async def by_hand(self, *argv: str, stdin: str = "") -> str:
        """Run one of the host's tools as an operator would; what it prints."""
        done = await asyncio.to_thread(
            subprocess.run,
            [self.platform / "usr" / "sbin" / argv[0], *argv[1:]],
            input=stdin, capture_output=True, text=True, check=True, timeout=60,
        )  # fmt: skip
        return str(done.stdout)

    def inside(self, uuid: str, path: str) -> Path:
        """A file of a machine, as the global zone sees it."""
        return self.platform / "zones" / uuid / "root" / path

    def set_pool(self, health: str) -> None:
        """Let a disk of the host's pool fail (DEGRADED), or mend it (ONLINE)."""
        (self.platform / "var" / "simulator" / "zpool.json").write_text(json.dumps({"health": health}))

    def times_run(self, *words: str) -> int:
        """How often a tool was run with all of these words."""
        log = self.platform / "invocations.jsonl"
        lines = log.read_text().splitlines() if log.exists() else []
        return sum(set(words) <= {Path(word).name for word in json.loads(line)["argv"]} for line in lines)

    def last_words(self) -> str:
        """The end of the agent's log."""
        return self.agent.last_words()


def _processes_of(platform: Path) -> list[int]:
    """Tools of the host that still run: those of an agent that was killed outlive it, as on a real host."""
    needle = f"{platform}/usr/".encode()
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if needle in (folder / "cmdline").read_bytes():
                found.append(int(folder.name))
    return found
