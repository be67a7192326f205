"""Child processes of the demo: each in a session of its own, so that ctrl-C reaches the demo alone, which ends them."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

REPOSITORY = Path(__file__).resolve().parents[2]
TOOLS = REPOSITORY / ".tools" / "bin"
READY_SECONDS = 20.0
END_SECONDS = 15.0
_POLL_SECONDS = 0.02


class PartMissing(Exception):
    """A program is not there, did not get ready, or ended by itself."""


def free_ports(count: int) -> list[int]:
    """TCP ports on 127.0.0.1 that nobody listens on now, all different."""
    probes = [socket.socket() for _ in range(count)]
    try:
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [int(probe.getsockname()[1]) for probe in probes]
    finally:
        for probe in probes:
            probe.close()


class Part:
    """One program; it is ready when its HTTP page answers 200. ``environment`` comes on top of this process's own."""

    def __init__(
        self, argv: Sequence[str], log: Path, ready: tuple[int, str], environment: Mapping[str, str] | None = None
    ) -> None:
        self.argv = tuple(argv)
        self.name = Path(argv[0]).name if argv[0] != sys.executable else argv[2]
        self.log = log
        self._port, self._page = ready
        self._environment = dict(environment or {})
        self._child: subprocess.Popen[bytes] | None = None

    async def start(self) -> Self:
        """Returns when it is ready. Raises PartMissing."""
        child = self._child = self._spawn()
        loop = asyncio.get_running_loop()
        deadline = loop.time() + READY_SECONDS
        while not await self._is_ready():
            if child.poll() is not None or loop.time() > deadline:
                raise PartMissing(f"{self.name} did not get ready:\n{self.last_words()}")
            await asyncio.sleep(_POLL_SECONDS)
        return self

    def _spawn(self) -> subprocess.Popen[bytes]:
        if not Path(self.argv[0]).exists():
            raise PartMissing(f"{self.argv[0]} is not there; make setup builds it")
        with self.log.open("ab") as log:
            return subprocess.Popen(
                self.argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=REPOSITORY, start_new_session=True,
                env={**os.environ, **self._environment},
            )  # fmt: skip

    def kill(self) -> None:
        """As a crash."""
        if self._child is not None:
            self._child.kill()
            self._child.wait()

    def end(self) -> None:
        """SIGTERM, and what it takes when that is not heard."""
        if self._child is None or self._child.poll() is not None:
            return
        self._child.terminate()
        try:
            self._child.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()

    def last_words(self) -> str:
        """The end of its log."""
        return self.log.read_text(errors="replace")[-2000:] if self.log.exists() else ""

    async def _is_ready(self) -> bool:
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        except OSError:
            return False
        try:
            writer.write(f"GET {self._page} HTTP/1.0\r\nHost: localhost\r\n\r\n".encode())
            return b" 200 " in await reader.readline()
        except ConnectionError:
            return False
        finally:
            writer.close()
