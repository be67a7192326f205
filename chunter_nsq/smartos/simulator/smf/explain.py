"""svcs -l, -L and -x: a service in words, its log, and why one is not running."""

from __future__ import annotations

import time

from chunter_nsq.smartos.simulator.smf import imported, names
from chunter_nsq.smartos.simulator.smf.patterns import matching
from chunter_nsq.smartos.simulator.smf.table import Row, contract

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from chunter_nsq.smartos.simulator.process import Process
    from chunter_nsq.smartos.simulator.smf.repository import Repository, Service

SEE = "http://illumos.org/msg/SMF-8000"
IMPACT = "Impact: This service is not running."


def run(process: Process, mode: str, zones: Sequence[Repository], patterns: Sequence[str], now: float) -> int:
    """Tell about the services that the patterns mean, about all ill ones when there are none; the exit status."""
    status = 0
    for zone in zones:
        services = {one.fmri: one for one in zone.services(now)}
        if mode == "x" and not patterns:
            chosen = [one for one in services.values() if is_ill(one)]
        else:
            chosen = []
            for pattern in patterns:
                found = matching(pattern, services)
                if not found:
                    process.err(f"svcs: Pattern '{pattern}' doesn't match any instances")
                    status = 1
                chosen += [services[fmri] for fmri in found]
        for one in chosen:
            process.out(TELLERS[mode](zone, one, services))
    return status


def is_ill(service: Service) -> bool:
    """Whether an enabled service is not where it should be."""
    return service.enabled and service.phase.state in ("maintenance", "offline", "degraded", "uninitialized")


def log_path(zone: Repository, fmri: str) -> str:
    """Where the service's log is, seen from the global zone."""
    root = f"{zone.boot.path}/root" if zone.boot.path else ""
    return f"{root}/var/svc/log/{fmri.partition(':/')[2].replace('/', '-')}.log"


def _why(zone: Repository, one: Service, services: dict[str, Service]) -> str:
    state = one.phase.state
    zone_line = f"  Zone: {zone.boot.zone}\n" if zone.boot.zoneid else ""
    since = time.strftime("%a %b %d %H:%M:%S %Y", time.gmtime(one.phase.since))
    reason, code, impact = "Reason: Unknown.", "5H", IMPACT
    if state == "maintenance":
        known = imported.status(zone.host.root, one.fmri).get("reason") if zone.boot.zoneid == 0 else None
        reason, code = f"Reason: {known or 'Start method failed repeatedly, last exited with status 1.'}", "KS"
    elif state == "disabled":
        reason, code = "Reason: Disabled by an administrator.", "05"
    elif state == "degraded":
        reason, code, impact = "Reason: Degraded by an administrator.", "M7", "Impact: None."
    elif state in ("online", "legacy_run"):
        reason, impact = "", "Impact: None."
    elif one.phase.next_state != "-":
        reason, code = "Reason: Start method is running.", "C4"
    else:
        for required in names.REQUIRES.get(one.fmri, ()):
            if required in services and services[required].phase.state not in ("online", "degraded"):
                reason, code = f"Reason: Service {required}\n        is not running.", "GE"
    lines = [f"{one.fmri} ({names.DESCRIPTIONS.get(one.fmri, '?')})\n{zone_line} State: {state} since {since}"]
    lines += [reason, f"   See: {SEE}-{code}"] if reason else []
    return "\n".join([*lines, f"   See: {log_path(zone, one.fmri)}", impact]) + "\n\n"


def _log(zone: Repository, one: Service, _services: dict[str, Service]) -> str:
    return f"{log_path(zone, one.fmri)}\n"


def _details(zone: Repository, one: Service, services: dict[str, Service]) -> str:
    enabled = ("true" if one.enabled else "false") + (" (temporary)" if one.temporary else "")
    pairs = [
        ("fmri", one.fmri), ("zone", zone.boot.zone), ("name", names.DESCRIPTIONS.get(one.fmri, "-")),
        ("enabled", enabled), ("state", one.phase.state),
        ("next_state", one.phase.next_state.replace("-", "none")),
        ("state_time", time.strftime("%a %b %d %H:%M:%S %Y", time.gmtime(one.phase.since))),
        ("logfile", log_path(zone, one.fmri)), ("restarter", "svc:/system/svc/restarter:default"),
        ("contract_id", contract(Row(zone.boot, one))),
    ]  # fmt: skip
    for required in names.REQUIRES.get(one.fmri, ()):
        state = services[required].phase.state if required in services else "absent"
        pairs.append(("dependency", f"require_all/none {required} ({state})"))
    return "".join(f"{name:<13}{value}\n" for name, value in pairs) + "\n"


TELLERS = {"x": _why, "L": _log, "l": _details}
