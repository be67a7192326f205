"""Runs the command line as people do: as a process of its own."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from nsq_servers import Nsqd

LIMIT_SECONDS = 30.0


@dataclass(frozen=True)
class Ended:
    """How a process ended, and what it said."""

    status: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """Standard output, which must be one JSON document."""
        return json.loads(self.out)


async def start(
    *arguments: str, environment: Mapping[str, str] | None = None, **pipes: Any
) -> asyncio.subprocess.Process:
    """``chunter`` with arguments, output captured."""
    pipe = asyncio.subprocess.PIPE
    pipes = {"stdin": asyncio.subprocess.DEVNULL, "stdout": pipe, "stderr": pipe, **pipes}
    variables = {**os.environ, "COLUMNS": "100", **(environment or {})}
    return await asyncio.create_subprocess_exec(sys.executable, "-m", "chunter_nsq", *arguments, env=variables, **pipes)


@asynccontextmanager
async def running(
    *arguments: str, environment: Mapping[str, str] | None = None, **pipes: Any
) -> AsyncIterator[asyncio.subprocess.Process]:
    """The same; it is over afterwards, whatever happens."""
    process = await start(*arguments, environment=environment, **pipes)
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()


async def chunter(*arguments: str, nsqd: Nsqd | None = None, stdin: str | None = None) -> Ended:
    """Runs it to its end; towards ``nsqd`` when there is one."""
    environment = {} if nsqd is None else {"CHUNTER_NSQD_HTTP": nsqd.http_address}
    pipes = {} if stdin is None else {"stdin": asyncio.subprocess.PIPE}
    async with running(*arguments, environment=environment, **pipes) as process, asyncio.timeout(LIMIT_SECONDS):
        out, err = await process.communicate(None if stdin is None else stdin.encode())
    assert process.returncode is not None
    return Ended(process.returncode, out.decode(), err.decode())
