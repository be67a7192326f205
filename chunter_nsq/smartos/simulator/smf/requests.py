"""What svcadm asks of a service, and what follows from it."""

from __future__ import annotations

from chunter_nsq.smartos.simulator.smf import names, timeline
from chunter_nsq.smartos.simulator.smf.repository import FALSE, TRUE
from chunter_nsq.smartos.simulator.smf.timeline import NONE, Phase

TYPE_CHECKING = False
if TYPE_CHECKING:
    from chunter_nsq.smartos.simulator.smf.repository import Record, Repository

RUNNING = ("online", "degraded")


def here(zone: Repository, fmri: str, now: float) -> Phase:
    """Where the service is."""
    return timeline.current(zone.phases(fmri), now)


def enable(zone: Repository, fmri: str, now: float, *, temporary: bool = False) -> None:
    """It shall run."""
    record = zone.record(fmri)
    was = record.is_enabled()
    _ask(record, TRUE, temporary=temporary)
    if not was or here(zone, fmri, now).state == "disabled":
        start(zone, fmri, now)


def want(zone: Repository, fmri: str, *, enabled: bool, temporary: bool) -> None:
    """Only write down whether it shall run."""
    _ask(zone.record(fmri), TRUE if enabled else FALSE, temporary=temporary)


def disable(zone: Repository, fmri: str, now: float, *, temporary: bool = False) -> None:
    """It shall not run."""
    record = zone.record(fmri)
    at = here(zone, fmri, now)
    _ask(record, FALSE, temporary=temporary)
    if at.state == "disabled":
        record.phases = [Phase(at.at, "disabled")]
        return
    stop = zone.host.tempo.stop if at.state in RUNNING else 0.0
    record.phases = timeline.moving(at, now, "disabled", stop)


def restart(zone: Repository, fmri: str, now: float) -> None:
    """It stops and starts, if it runs."""
    at = here(zone, fmri, now)
    if at.state in RUNNING:
        record = zone.record(fmri)
        record.phases = timeline.restarting(at, now, zone.host.tempo, failing=record.failing)
        _wake(zone, fmri, now)


def clear(zone: Repository, fmri: str, now: float) -> bool:
    """It is well again; False when it was."""
    at = here(zone, fmri, now)
    if at.state == "degraded":
        zone.record(fmri).phases = [Phase(now, "online")]
        return True
    if at.state != "maintenance":
        return False
    if zone.record(fmri).is_enabled():
        start(zone, fmri, now)
    else:
        zone.record(fmri).phases = [Phase(now, "disabled")]
    return True


def mark_maintenance(zone: Repository, fmri: str, now: float, *, at_once: bool) -> None:
    """It shall be looked after; it is stopped first, unless at once."""
    at = here(zone, fmri, now)
    stop = 0.0 if at_once or at.state not in RUNNING else zone.host.tempo.stop
    zone.record(fmri).phases = timeline.moving(at, now, "maintenance", stop)


def mark_degraded(zone: Repository, fmri: str, now: float) -> bool:
    """It runs, but not well; False when it is not online."""
    if here(zone, fmri, now).state != "online":
        return False
    zone.record(fmri).phases = [Phase(now, "degraded")]
    return True


def put(zone: Repository, fmri: str, now: float, state: str) -> None:
    """A hand from outside puts it into a state, whatever it was in."""
    record = zone.record(fmri)
    _ask(record, FALSE if state == "disabled" else TRUE, temporary=False)
    record.phases = [Phase(now, state)]
    if state in RUNNING:
        _wake(zone, fmri, now)


def start(zone: Repository, fmri: str, now: float) -> None:
    """It starts, or waits for what it requires."""
    record = zone.record(fmri)
    ready = now
    for required in lacking(zone, fmri, now):
        last = zone.phases(required)[-1]
        if last.state not in RUNNING:
            record.phases = [Phase(now, "offline")]
            return
        ready = max(ready, last.at)
    phases = timeline.starting(ready, zone.host.tempo, since=now, failing=record.failing)
    record.phases = [Phase(now, "offline"), *phases] if ready > now else phases
    _wake(zone, fmri, now)


def lacking(zone: Repository, fmri: str, now: float) -> list[str]:
    """What it requires and what does not run."""
    own = zone.host.names(zone.boot)
    required = [one for one in names.REQUIRES.get(fmri, ()) if one in own]
    return [one for one in required if here(zone, one, now).state not in RUNNING]


def _wake(zone: Repository, fmri: str, now: float) -> None:
    """What waits for this service starts after it."""
    for other, required in names.REQUIRES.items():
        if fmri not in required or other not in zone.records:
            continue
        record = zone.records[other]
        phase = timeline.current(zone.phases(other), now)
        if record.is_enabled() and (phase.state, phase.next_state) == ("offline", NONE):
            start(zone, other, now)


def _ask(record: Record, word: str, *, temporary: bool) -> None:
    if temporary:
        record.temporary = word
    else:
        record.enabled, record.temporary = word, NONE
