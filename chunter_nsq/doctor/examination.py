"""All checks, in the order in which they are told; they run side by side, each with its own time."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

from chunter_nsq.doctor import agent, clock, host, nsq, program, settings, store
from chunter_nsq.doctor.finding import Finding, State, fault
from chunter_nsq.doctor.patient import Patient
from chunter_nsq.errors import Fault

log = logging.getLogger(__name__)

Check = Callable[[Patient], AsyncIterator[Finding]]
CHECK_SECONDS = 60.0

CHECKS: dict[str, Check] = {
    "python": program.python,
    "root": program.privileges,
    "configuration": settings.configuration,
    "command keys": settings.command_keys,
    "host id": settings.host_id,
    "sqlite": program.sqlite,
    "journal": program.journal,
    "disk": program.disk,
    "tools": host.tools,
    "ip": host.address,
    "pools": host.pools,
    "nsqd": nsq.nsqd,
    "nsqlookupd": nsq.nsqlookupd,
    "channel": nsq.channel,
    "clock": clock.clock,
    "store": store.store,
    "service": agent.service,
    "agent": agent.agent,
}


@dataclass(frozen=True, slots=True)
class Examined:
    """A check by its name and what it found."""

    check: str
    findings: tuple[Finding, ...]


async def examine(patient: Patient) -> tuple[Examined, ...]:
    """Every check; one that breaks or hangs is a fault of its own and holds nobody up."""
    found = await asyncio.gather(*(_examined(check, patient) for check in CHECKS.values()))
    await patient.runner.close()
    return tuple(Examined(name, findings) for name, findings in zip(CHECKS, found, strict=True))


def count(examined: tuple[Examined, ...], state: State) -> int:
    """How many findings are of that state."""
    return sum(finding.state is state for one in examined for finding in one.findings)


async def _examined(check: Check, patient: Patient) -> tuple[Finding, ...]:
    findings: list[Finding] = []
    try:
        async with asyncio.timeout(CHECK_SECONDS):
            findings += [finding async for finding in check(patient)]
    except TimeoutError:
        findings.append(fault(f"this check did not end within {CHECK_SECONDS:g} s", "see the other faults first"))
    except Fault as refused:
        findings.append(fault(refused.message, "see the other faults first"))
    except Exception as broken:
        log.exception("doctor.check_broken")
        findings.append(fault(f"this check broke: {broken!r}", "please report it, with what stands above"))
    return tuple(findings)
