"""A zone's services: which there are, and what has been done to them.

Responsibilities: the services of one zone as they are at an instant, and the file ``var/svc/<zone>`` that holds what
differs from a fresh zone. Theory: a line for each service that something was done to, in words: ``fmri enabled
temporary failing boot phases``, ``-`` for what was not touched. What is temporary, and the phases, hold only for the
boot they name by its zone id; after another boot all enabled services start again. Not promised: methods. Nothing
runs; a service fails because its line says ``failing``.
"""

from __future__ import annotations

from chunter_nsq.smartos.simulator import pace
from chunter_nsq.smartos.simulator.files import Lock, read_bytes, write_bytes
from chunter_nsq.smartos.simulator.process import Refused
from chunter_nsq.smartos.simulator.smf import names, timeline
from chunter_nsq.smartos.simulator.smf.timeline import NONE, Phase, Tempo

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from chunter_nsq.smartos.simulator.world import World, Zone

FOLDER = "var/svc"
WITHOUT = frozenset({"lx", "kvm", "bhyve"})  # brands whose zones have no services that the platform could see
TRUE, FALSE = "true", "false"


class Boot:
    """A zone that is up: its name, the id of this boot and when it began (epoch seconds)."""

    __slots__ = ("began", "path", "zone", "zoneid")

    def __init__(self, zone: str, zoneid: int, began: float, path: str) -> None:
        self.zone = zone
        self.zoneid = zoneid
        self.began = began
        self.path = path


class Service:
    """A service as it is at an instant."""

    __slots__ = ("enabled", "fmri", "phase", "position", "temporary")

    def __init__(self, fmri: str, position: int, phase: Phase, *, enabled: bool, temporary: bool = False) -> None:
        self.fmri = fmri
        self.position = position
        self.phase = phase
        self.enabled = enabled
        self.temporary = temporary


class Record:
    """What was done to a service."""

    __slots__ = ("boot", "enabled", "failing", "fmri", "phases", "temporary")

    def __init__(self, fmri: str) -> None:
        self.fmri = fmri
        self.enabled = NONE
        self.temporary = NONE
        self.failing = False
        self.boot = -1
        self.phases: list[Phase] = []

    def __str__(self) -> str:
        failing = TRUE if self.failing else NONE
        return f"{self.fmri} {self.enabled} {self.temporary} {failing} {self.boot} {timeline.render(self.phases)}"

    def settle(self, boot: int) -> None:
        """Forget what another boot left behind."""
        if self.boot != boot:
            self.temporary, self.phases, self.boot = NONE, [], boot

    def is_enabled(self) -> bool:
        """By what was last asked for; a fresh zone's say is the last resort."""
        for word in (self.temporary, self.enabled):
            if word != NONE:
                return word == TRUE
        return self.fmri not in names.DISABLED


def boots(zones: Iterable[Zone]) -> list[Boot]:
    """Those of the zones that run and have services."""
    return [
        Boot(zone.name, zone.active.zoneid, zone.active.boot_seconds, zone.path)
        for zone in zones
        if zone.active is not None and zone.state == "running" and zone.brand not in WITHOUT
    ]


class Host:
    """What the services of all zones have in common."""

    def __init__(self, root: str) -> None:
        from chunter_nsq.smartos.simulator.host import facts  # noqa: PLC0415 - it brings json along

        known = facts(root)
        self.root = root
        self.tempo = Tempo(*(pace.seconds(root, "smf", verb) for verb in ("boot", "start", "stop")))
        self.global_boot = Boot("global", 0, known["boot_time"], "")
        self._zone_names = names.of_zone(int(known.get("services") or 0))

    def names(self, boot: Boot) -> list[str]:
        """The services that the zone comes with."""
        return names.GLOBAL if boot.zoneid == 0 else self._zone_names

    def lock(self) -> Lock:
        """Held while a request is written down."""
        return Lock(f"{self.root}/var/run/simulator/services.lock")


class Repository:
    """The services of one zone; take the host's lock before asking for a change."""

    def __init__(self, host: Host, boot: Boot) -> None:
        self.host = host
        self.boot = boot
        self._path = f"{host.root}/{FOLDER}/{boot.zone}"
        self.records: dict[str, Record] = {}
        for line in (read_bytes(self._path) or b"").decode().splitlines():
            fmri, enabled, temporary, failing, booted, phases = line.split(" ")
            record = self.records[fmri] = Record(fmri)
            record.enabled, record.temporary, record.failing = enabled, temporary, failing == TRUE
            record.boot, record.phases = int(booted), timeline.parse(phases)
            record.settle(boot.zoneid)

    @property
    def is_fresh(self) -> bool:
        """Whether nothing was ever done here."""
        return not self.records

    def services(self, now: float) -> list[Service]:
        """All of them, in the order in which they start; scripts appear when the boot is over."""
        own = self.host.names(self.boot)
        listed = own + [fmri for fmri in self.records if fmri not in own]
        found = []
        for position, fmri in enumerate(listed):
            if names.is_legacy(fmri):
                over = self.boot.began + self.host.tempo.boot
                if now >= over:
                    found.append(Service(fmri, position, Phase(over, "legacy_run"), enabled=True))
                continue
            record = self.records.get(fmri) or Record(fmri)
            phase = timeline.current(self._phases(record, position, len(listed)), now)
            temporary = record.temporary != NONE
            found.append(Service(fmri, position, phase, enabled=record.is_enabled(), temporary=temporary))
        return found

    def phases(self, fmri: str) -> list[Phase]:
        """What a service goes through in this boot."""
        own = self.host.names(self.boot)
        position = own.index(fmri) if fmri in own else len(own)
        return self._phases(self.records.get(fmri) or Record(fmri), position, max(len(own), position + 1))

    def _phases(self, record: Record, position: int, count: int) -> list[Phase]:
        if record.phases:
            return record.phases
        boot, seconds = self.boot, self.host.tempo.boot
        return timeline.booting(
            position, count, boot.began, seconds, enabled=record.is_enabled(), failing=record.failing
        )

    def record(self, fmri: str) -> Record:
        """What was done to the service, for changing it."""
        record = self.records.setdefault(fmri, Record(fmri))
        record.settle(self.boot.zoneid)
        return record

    def save(self) -> None:
        """Make the file say what was done."""
        write_bytes(self._path, "".join(f"{record}\n" for record in self.records.values()).encode())


def reach(tool: str, world: World, name: str) -> Boot:
    """The zone of that name, which a tool was told to look into; raises Refused in the tool's own words."""
    zone = world.zone(name)
    if zone is None:
        raise Refused(f"{tool}: invalid zone '{name}'")
    found = boots([zone])
    if not found:
        text = f"{tool}: Could not bind to repository server for zone {name}: repository server unavailable"
        raise Refused(text)
    return found[0]
