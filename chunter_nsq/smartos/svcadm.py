"""One service at a time: asked through ``svcadm``, looked at through ``svcs``.

svcadm returns before anything has happened: what a request led to is seen by looking again. A zone's services can be
reached only while it runs, and only where it has a repository (no lx, kvm or bhyve).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from chunter_nsq.errors import Fault, InvalidMessage, InvalidState, NotFound, Unsupported
from chunter_nsq.smartos.invocation import Completed
from chunter_nsq.smartos.names import checked, checked_uuid, is_fmri
from chunter_nsq.smartos.refusal import evidence, refusal, spoken, unreadable
from chunter_nsq.smartos.runner import Runner
from chunter_nsq.smartos.svcs import SVCS

SVCADM = "usr/sbin/svcadm"
UP = frozenset({"online", "degraded"})
VERBS = ("enable", "disable", "refresh", "restart", "clear")
_COLUMNS = "state,nstate,stime,fmri"
_TIMEOUT_SECONDS = 60.0
_GRACE_SECONDS = 3.0  # so long the restarter may take to begin with what it was asked for
# The first that is found in what the tool says; its exit status is 1 for all of them.
_RULES: tuple[tuple[type[Fault], re.Pattern[str]], ...] = (
    (NotFound, re.compile(r"doesn't match any instances|invalid zone")),
    (InvalidMessage, re.compile(r"is ambiguous|matches multiple instances")),
    (InvalidState, re.compile(r"is not in a maintenance|could not bind to repository")),
    (Unsupported, re.compile(r"not supported for legacy")),
)


class InMaintenance(InvalidState):
    """What was asked for led to maintenance, or leads nowhere out of it; only the service's own log knows why."""


@dataclass(frozen=True, slots=True)
class ServiceState:
    """A service as it is: ``next_state`` is None unless it is on its way; ``stime`` as printed, to the second."""

    fmri: str
    state: str
    next_state: str | None
    stime: str


def request_argv(verb: str, service: str, zone: str | None = None) -> tuple[str, ...]:
    """One request for one service of a zone, of the global zone without one."""
    wanted = checked(verb, VERBS.__contains__, f"one of {', '.join(VERBS)}")
    return (SVCADM, *_in(zone), wanted, _service(service))


def look_argv(service: str, zone: str | None = None) -> tuple[str, ...]:
    """One service as it is."""
    return (SVCS, "-H", *_in(zone), "-o", _COLUMNS, _service(service))


def parse_states(stdout: str) -> list[ServiceState]:
    """A service from each line; raises ValueError at a line that is none."""
    found = []
    for line in stdout.splitlines():
        state, next_state, stime, fmri = line.split()
        found.append(ServiceState(fmri, state.rstrip("*"), None if next_state == "-" else next_state, stime))
    return found


def check_request(verb: str, before: ServiceState) -> None:
    """A restart of what does not run is taken by SMF, and leads nowhere.

    Raises:
        InMaintenance, InvalidState: so it would be.
    """
    if verb != "restart" or before.state not in ("disabled", "maintenance"):
        return
    details = {"service": before.fmri, "state": before.state}
    if before.state == "maintenance":
        raise InMaintenance(f"{before.fmri} is in maintenance: its log says why; mend that, then clear it", details)
    raise InvalidState(f"{before.fmri} does not run, it is disabled: enable it", details)


def reached(verb: str, before: ServiceState, now: ServiceState, seconds: float) -> bool:
    """Whether a request of so many seconds ago led to where it was meant to.

    Raises:
        InMaintenance: that is where the service is, and not only since before the request.
    """
    if now.next_state is not None:
        return False
    is_same = (now.state, now.stime) == (before.state, before.stime) and before.next_state is None
    if is_same and seconds < _GRACE_SECONDS and verb in ("restart", "clear"):
        return False
    if now.state == "maintenance" and verb not in ("disable", "refresh"):
        if is_same and seconds < _GRACE_SECONDS:
            return False
        raise InMaintenance(
            f"{now.fmri} is in maintenance after {verb}: its log says why; mend that, then clear it",
            {"service": now.fmri, "state": now.state},
        )
    if verb == "disable":
        return now.state == "disabled"
    if verb == "refresh":
        return True
    return now.state in UP or (verb == "clear" and now.state == "disabled")


class Svcadm:
    """``svcadm``, and ``svcs`` for one service."""

    def __init__(self, runner: Runner) -> None:
        self._runner = runner

    async def request(self, verb: str, service: str, zone: str | None = None) -> None:
        """Ask for a service to be enabled, disabled, refreshed, restarted or cleared.

        Raises:
            NotFound, InvalidMessage (several are meant), InvalidState (nothing to clear, zone unreachable), ToolFailed.
        """
        argv = request_argv(verb, service, zone)
        completed = await self._runner.run(argv, timeout_seconds=_TIMEOUT_SECONDS, mutates=True)
        _check(completed, f"{verb} {service}{_of(zone)}")

    async def look(self, service: str, zone: str | None = None) -> ServiceState:
        """One service as it is; raises as ``request`` does."""
        attempted = f"look at {service}{_of(zone)}"
        completed = await self._runner.run(look_argv(service, zone), timeout_seconds=_TIMEOUT_SECONDS)
        _check(completed, attempted)
        try:
            states = parse_states(completed.stdout.decode(errors="replace"))
        except ValueError as odd:
            raise unreadable(completed, attempted, f"a line is not a service's: {odd}") from odd
        return _only(states, service, completed, attempted)


def _only(states: Sequence[ServiceState], service: str, completed: Completed, attempted: str) -> ServiceState:
    if not states:
        raise NotFound(f"cannot {attempted}: there is no such service", evidence(completed))
    if len(states) > 1:
        named = ", ".join(one.fmri for one in states[:5])
        raise InvalidMessage(f"cannot {attempted}: {service} could be any of {named}; name one of them")
    return states[0]


def _check(completed: Completed, attempted: str) -> None:
    if completed.exit_status == 0:
        return
    text = completed.stderr.lower()
    kind = next((fault for fault, pattern in _RULES if pattern.search(text)), None)
    if completed.exit_status == 1 and kind is not None:
        words = f"cannot {attempted}: {spoken(completed.stderr)} ({completed.tool}, exit 1)"
        raise kind(words, evidence(completed))
    raise refusal(completed, attempted)


def _in(zone: str | None) -> tuple[str, ...]:
    return () if zone is None else ("-z", checked_uuid(zone))


def _of(zone: str | None) -> str:
    return "" if zone is None else f" of zone {zone}"


def _service(service: str) -> str:
    return checked(service, is_fmri, "a service's name")
