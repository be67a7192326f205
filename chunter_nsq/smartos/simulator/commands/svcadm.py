"""svcadm: asks for services to start, stop, restart, or to be looked after."""

from __future__ import annotations

import time

from chunter_nsq.smartos.simulator.commands.options import Unknown, take
from chunter_nsq.smartos.simulator.process import Refused
from chunter_nsq.smartos.simulator.smf import imported, names, requests
from chunter_nsq.smartos.simulator.smf.patterns import matching, service_of
from chunter_nsq.smartos.simulator.smf.repository import Boot, Host, Repository, boots, reach
from chunter_nsq.smartos.simulator.world import World

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from chunter_nsq.smartos.simulator.pace import Pace
    from chunter_nsq.smartos.simulator.process import Process

USAGE = """\
Usage: svcadm [-v] [-Z | -z zone] [cmd [args ... ]]

\tsvcadm enable [-rst] <service> ...\t- enable and online service(s)
\tsvcadm disable [-st] <service> ...\t- disable and offline service(s)
\tsvcadm restart <service> ...\t\t- restart specified service(s)
\tsvcadm refresh <service> ...\t\t- re-read service configuration
\tsvcadm mark [-It] <state> <service> ...\t- set maintenance state
\tsvcadm clear <service> ...\t\t- clear maintenance state
\tsvcadm milestone [-d] <milestone>\t- advance to a service milestone"""
OPTIONS = {"enable": "rst", "disable": "st", "restart": "", "refresh": "", "mark": "It", "clear": "", "milestone": "d"}
FAILED, UNSATISFIED = 3, 4


class Call:
    """The command line, taken apart; raises Refused with the usage."""

    def __init__(self, words: tuple[str, ...]) -> None:
        try:
            options, rest = take(words, "vZz:")
            self.verb = rest.pop(0) if rest else ""
            verb_options, self.patterns = take(rest, OPTIONS[self.verb])
        except (Unknown, KeyError) as unknown:
            raise Refused(USAGE, 2) from unknown
        self.flags = {letter for letter, _ in verb_options}
        self.verbose = ("v", "") in options
        self.all_zones = ("Z", "") in options
        self.zone = dict(options).get("z")
        self.state = ""
        if self.verb == "mark":
            self.state = self.patterns.pop(0) if self.patterns else ""
            if self.state not in ("maintenance", "degraded"):
                raise Refused(USAGE, 2)
        if not self.patterns or (self.zone is not None and self.all_zones):
            raise Refused(USAGE, 2)


def run(process: Process, _pace: Pace) -> int:
    """Do what the arguments say; the exit status."""
    call = Call(process.arguments)
    host = Host(process.root)
    if call.verb == "milestone":
        return 0
    status = 0
    for boot in _boots(process, host, call):
        asked = Errand(process, host, boot, call)
        status = max(status, asked.write())
        if "s" in call.flags and not status:
            status = asked.wait()
    return status


def _boots(process: Process, host: Host, call: Call) -> list[Boot]:
    if call.all_zones:
        return [host.global_boot, *boots(World(process.root).zones())]
    if call.zone in (None, "global"):
        return [host.global_boot]
    return [reach("svcadm", World(process.root), call.zone or "")]


class Errand:
    """One request to one zone."""

    def __init__(self, process: Process, host: Host, boot: Boot, call: Call) -> None:
        self._process = process
        self._host = host
        self._boot = boot
        self._call = call
        self._fmris: list[str] = []
        self._alive: list[str] = []
        self._status = 0

    def write(self) -> int:
        """Write the request down for every service that is meant; the exit status."""
        with self._host.lock():
            zone = Repository(self._host, self._boot)
            now = time.time()
            known = [service.fmri for service in zone.services(now)]
            for pattern in self._call.patterns:
                fmri = self._one(pattern, known)
                if fmri is not None:
                    self._fmris.append(fmri)
                    if self._runs(fmri):
                        self._request(zone, fmri, now)
                    else:
                        VERBS[self._call.verb](self, zone, fmri, now)
            zone.save()
        for fmri in self._alive:
            imported.ask(self._process.root, self._call.verb, fmri)
        return self._status

    def _one(self, pattern: str, known: list[str]) -> str | None:
        found = matching(pattern, known)
        if len(found) == 1 and not names.is_legacy(found[0]):
            return found[0]
        if not found:
            if not self._call.all_zones:
                self._complain(f"Pattern '{pattern}' doesn't match any instances")
        elif len(found) == 1:
            self._complain(f"Operation not supported for legacy service '{found[0]}'")
        elif len({service_of(one) for one in found}) == 1:
            text = f"operation on service {service_of(found[0])} is ambiguous; instance specification needed."
            self._complain("\n\t".join([text, *found]))
        else:
            self._complain("\n\t".join([f"Pattern '{pattern}' matches multiple instances:", *found]))
        return None

    def _complain(self, text: str) -> None:
        self._process.err(f"svcadm: {text}")
        self._status = 1

    def _say(self, text: str) -> None:
        if self._call.verbose:
            self._process.line(text)

    def _runs(self, fmri: str) -> bool:
        """Whether it is a service with processes, which the restarter answers for."""
        return self._boot.zoneid == 0 and imported.is_imported(self._process.root, fmri)

    def _request(self, zone: Repository, fmri: str, now: float) -> None:
        """Write down what is wanted, and have the restarter do it."""
        verb = self._call.verb
        if verb == "clear" and requests.here(zone, fmri, now).state != "maintenance":
            self._complain(f'Instance "{fmri}" is not in a maintenance or degraded state.')
            return
        if verb == "mark":
            VERBS[verb](self, zone, fmri, now)
            return
        if verb in ("enable", "disable"):
            requests.want(zone, fmri, enabled=verb == "enable", temporary="t" in self._call.flags)
        self._alive.append(fmri)
        self._say(f"{fmri} {verb}d." if verb in ("enable", "disable") else f"Action {verb} set for {fmri}.")

    def enable(self, zone: Repository, fmri: str, now: float) -> None:
        """With -r, what it requires as well, and that first."""
        temporary = "t" in self._call.flags
        if "r" in self._call.flags:
            for required in names.REQUIRES.get(fmri, ()):
                if required in zone.host.names(zone.boot):
                    self.enable(zone, required, now)
        requests.enable(zone, fmri, now, temporary=temporary)
        self._say(f"{fmri} {'temporarily ' if temporary else ''}enabled.")

    def disable(self, zone: Repository, fmri: str, now: float) -> None:
        """It shall not run."""
        temporary = "t" in self._call.flags
        requests.disable(zone, fmri, now, temporary=temporary)
        self._say(f"{fmri} {'temporarily ' if temporary else ''}disabled.")

    def restart(self, zone: Repository, fmri: str, now: float) -> None:
        """It stops and starts, if it runs."""
        requests.restart(zone, fmri, now)
        self._say(f"Action restart set for {fmri}.")

    def refresh(self, _zone: Repository, fmri: str, _now: float) -> None:
        """It reads its configuration again, which nobody sees."""
        self._say(f"Action refresh set for {fmri}.")

    def clear(self, zone: Repository, fmri: str, now: float) -> None:
        """It is well again."""
        degraded = requests.here(zone, fmri, now).state == "degraded"
        if requests.clear(zone, fmri, now):
            self._say(f"Action {'restore' if degraded else 'maint_off'} set for {fmri}.")
        else:
            self._complain(f'Instance "{fmri}" is not in a maintenance or degraded state.')

    def mark(self, zone: Repository, fmri: str, now: float) -> None:
        """It is put into maintenance, or called degraded."""
        if self._call.state == "maintenance":
            requests.mark_maintenance(zone, fmri, now, at_once="I" in self._call.flags)
            self._say(f"Action maint_on set for {fmri}.")
        elif requests.mark_degraded(zone, fmri, now):
            self._say(f"Action degraded set for {fmri}.")
        else:
            self._complain(f'Instance "{fmri}" is not online.')

    def wait(self) -> int:
        """Stay until the services are where they were asked to be, or will never be; the exit status."""
        return max([self._wait_for(fmri) for fmri in self._fmris], key=(0, UNSATISFIED, FAILED).index, default=0)

    def _wait_for(self, fmri: str) -> int:
        enabling = self._call.verb == "enable"
        while True:
            zone, now = Repository(self._host, self._boot), time.time()
            state = requests.here(zone, fmri, now).state
            if state in (requests.RUNNING if enabling else ("disabled",)):
                return 0
            if state == "maintenance":
                self._process.err(f'svcadm: Instance "{fmri}" is in maintenance state.')
                return FAILED
            if zone.record(fmri).is_enabled() != enabling:
                other = "disabled" if enabling else "enabled"
                self._process.err(f'svcadm: Instance "{fmri}" has been {other} by another entity.')
                return FAILED
            if enabling and state == "offline" and self._is_stuck(zone, fmri, now):
                self._process.err(f'svcadm: Instance "{fmri}" has unsatisfied dependencies.')
                return UNSATISFIED
            ahead = [phase.at for phase in zone.phases(fmri) if phase.at > now]
            time.sleep(min([*[at - now for at in ahead], 0.2]))

    @staticmethod
    def _is_stuck(zone: Repository, fmri: str, now: float) -> bool:
        last = zone.phases(fmri)[-1]
        return last.state == "offline" and any(
            zone.phases(one)[-1].state not in requests.RUNNING for one in requests.lacking(zone, fmri, now)
        )


VERBS: dict[str, Callable[[Errand, Repository, str, float], None]] = {
    "enable": Errand.enable,
    "disable": Errand.disable,
    "restart": Errand.restart,
    "refresh": Errand.refresh,
    "clear": Errand.clear,
    "mark": Errand.mark,
}
