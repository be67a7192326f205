"""Whether the agent of a version does its work: it runs, is connected to nsqd, and its announcement went out."""

from __future__ import annotations

import asyncio
import http.client
import json
import time
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from chunter_nsq.errors import Fault, NotFound
from chunter_nsq.smartos.runner import Runner
from chunter_nsq.smartos.svcadm import ServiceState, Svcadm

SERVICE = "svc:/network/chunter:default"
UPDATER = "svc:/network/chunter-update:default"
_ASK_SECONDS = 2.0
_POLL_SECONDS = 0.25
_DEATHS = 4
_STEADY_SECONDS = 20.0
_OK = 200


class Gate:
    """Asks the agent at ``address`` (None when it does not listen), and SMF about its service."""

    def __init__(self, address: tuple[str, int] | None, runner: Runner) -> None:
        self._address = address
        self._runner = runner
        self._svcadm = Svcadm(runner)

    async def service(self) -> ServiceState | None:
        """The agent's service; None when there is none."""
        try:
            return await self._svcadm.look(SERVICE)
        except NotFound:
            return None

    async def restart(self) -> float:
        """Have SMF start what is installed now, also from maintenance; the moment before that."""
        began = time.time()
        found = await self.service()
        if found is not None and found.state == "maintenance":
            await self._svcadm.request("clear", SERVICE)
        elif found is not None and found.state != "disabled":
            await self._svcadm.request("restart", SERVICE)
        return began

    async def told(self) -> Mapping[str, Any] | None:
        """What the agent says of itself now; None when it does not answer."""
        return await asyncio.to_thread(_asked, self._address) if self._address else None

    async def lacks(self, version: str, since: float, patience_seconds: float) -> str:
        """Wait until an agent of that version, started after ``since``, does its work; empty, or what it lacks.

        An agent that does not listen is judged by SMF alone: it must stay the same process for a while.
        """
        deadline, steady_since = time.monotonic() + patience_seconds, time.monotonic()
        pids: list[str] = []
        lack = "the agent does not answer"
        while time.monotonic() < deadline:
            if fault := await self._fault():
                return fault
            pid = await self._start_pid()
            if pid and pid not in pids:
                pids.append(pid)
                steady_since = time.monotonic()
            if len(pids) > _DEATHS:
                return f"its process ended {_DEATHS} times in a row; the log of {SERVICE} says why"
            if self._address is None:
                if pids and time.monotonic() - steady_since > min(_STEADY_SECONDS, patience_seconds / 2):
                    return ""
            elif not (lack := _lack(await self.told(), version, since)):
                return ""
            await asyncio.sleep(_POLL_SECONDS)
        return f"{lack} (after {patience_seconds:.0f} s)"

    async def _fault(self) -> str:
        """What SMF says against it."""
        try:
            found = await self.service()
        except Fault:
            return ""  # the look failed, not the agent; the next look tells
        if found is None:
            return f"{SERVICE} is not there"
        return f"{SERVICE} is in maintenance; its log says why" if found.state == "maintenance" else ""

    async def _start_pid(self) -> str:
        done = await self._runner.run(("usr/bin/svcprop", "-p", "restarter/start_pid", SERVICE))
        text = done.stdout.decode(errors="replace").strip()
        return text if text.isdigit() else ""


def _lack(told: Mapping[str, Any] | None, version: str, since: float) -> str:
    if told is None:
        return "the agent does not answer"
    if datetime.fromisoformat(str(told.get("started"))).timestamp() < since - 0.01:
        return "the earlier agent has not ended"
    if told.get("version") != version:
        return f"the agent that runs is {told.get('version')}"
    missing = told.get("missing") or []
    if missing:
        return f"it lacks: {', '.join(map(str, missing))}"
    return "" if told.get("announced", True) else "its announcement has not reached nsqd"


def _asked(address: tuple[str, int]) -> Mapping[str, Any] | None:
    connection = http.client.HTTPConnection(*address, timeout=_ASK_SECONDS)
    try:
        connection.request("GET", "/api/status")
        answer = connection.getresponse()
        told = json.loads(answer.read())
    except (OSError, http.client.HTTPException, ValueError):
        return None
    finally:
        connection.close()
    return told if answer.status == _OK and isinstance(told, dict) else None
