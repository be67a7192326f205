"""svcs: services and their states, of this zone, of another or of all that run."""

from __future__ import annotations

import time

from chunter_nsq.smartos.simulator.commands.options import Unknown, take
from chunter_nsq.smartos.simulator.process import Refused
from chunter_nsq.smartos.simulator.smf import explain, names
from chunter_nsq.smartos.simulator.smf.patterns import matching
from chunter_nsq.smartos.simulator.smf.repository import Boot, Host, Repository, reach
from chunter_nsq.smartos.simulator.smf.repository import boots as boots_of
from chunter_nsq.smartos.simulator.smf.table import KEYS, WIDTHS, ZONE_CHARACTERS, Row, Table, default_key
from chunter_nsq.smartos.simulator.world import World

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from chunter_nsq.smartos.simulator.pace import Pace
    from chunter_nsq.smartos.simulator.process import Process

USAGE = """\
Usage: svcs [-aHpv] [-o col[,col ... ]] [-R restarter] [-sS col] [-Z | -z zone ]
            [<service> ...]
       svcs -d | -D [-Hpv] [-o col[,col ... ]] [-sS col] [-Z | -z zone ]
            [<service> ...]
       svcs [-l | -L] [-Z | -z zone] <service> ...
       svcs -x [-v] [-Z | -z zone] [<service> ...]
       svcs -?"""
MODES = "dDlLx"
FRESH = "\0"  # stands for the zone in a block that several zones share


class Call:
    """The command line, taken apart."""

    def __init__(self, words: tuple[str, ...]) -> None:
        try:
            options, self.patterns = take(words, "aHpvno:R:s:S:dDlL?xZz:")
        except Unknown as unknown:
            raise Refused(f"svcs: illegal option -- {unknown}\n{USAGE}", 2) from unknown
        flags = {letter for letter, _ in options}
        values = dict(options)
        modes = [mode for mode in MODES if mode in flags]
        if len(modes) > 1 or {"z", "Z"} <= flags or (modes and modes[0] in "lx" and "o" in flags):
            raise Refused(USAGE, 2)
        self.mode = modes[0] if modes else ""
        if self.mode in ("l", "L", "d", "D") and not self.patterns:
            raise Refused(USAGE, 2)
        self.help, self.header, self.all_zones = "?" in flags, "H" not in flags, "Z" in flags
        self.all = "a" in flags or bool(self.patterns) or "R" in flags
        self.zone = values.get("z")
        default = "state,nstate,stime,ctid,fmri" if "v" in flags else "state,stime,fmri"
        self.columns = values.get("o", f"zone,{default}" if self.all_zones else default).lower().split(",")
        self.sorting = [(value.lower(), letter == "S") for letter, value in options if letter in "sS"]
        self._check()

    def _check(self) -> None:
        for column in self.columns:
            if column not in WIDTHS:
                raise Refused(f'svcs: Unknown column "{column}".')
        for column, _ in self.sorting:
            if column not in WIDTHS:
                raise Refused(f'svcs: Unrecognized sort column "{column}".')


def run(process: Process, _pace: Pace) -> int:
    """Do what the arguments say; the exit status."""
    call = Call(process.arguments)
    if call.help:
        process.line(USAGE)
        return 0
    now = time.time()
    host = Host(process.root)
    boots = _boots(process, host, call)
    if call.mode in ("l", "L", "x"):
        return explain.run(process, call.mode, [Repository(host, boot) for boot in boots], call.patterns, now)
    table = Table(call.columns, now)
    if call.header:
        process.line(table.header())
    if not call.patterns and not call.sorting and not call.mode:
        listing = Listing(host, table, now, everything=call.all)
        process.out("".join(listing.blocks(boots)))
        return 0
    return _chosen(process, host, call, boots, table)


def _boots(process: Process, host: Host, call: Call) -> list[Boot]:
    if call.all_zones:
        return [host.global_boot, *boots_of(World(process.root).zones())]
    if call.zone in (None, "global"):
        return [host.global_boot]
    return [reach("svcs", World(process.root), call.zone or "")]


class Listing:
    """Whole zones in their order; what two zones have in common is put into words once."""

    def __init__(self, host: Host, table: Table, now: float, *, everything: bool) -> None:
        self._host = host
        self._table = table
        self._now = now
        self._everything = everything
        self._known: dict[tuple[bool, float], str] = {}

    def blocks(self, boots: list[Boot]) -> list[str]:
        """The zones' lines; zones whose names begin alike are sorted among each other."""
        heads: dict[str, list[Boot]] = {}
        for boot in boots:
            heads.setdefault(boot.zone[:ZONE_CHARACTERS], []).append(boot)
        return [self._block(group[0]) if len(group) == 1 else self._mixed(group) for _, group in sorted(heads.items())]

    def _block(self, boot: Boot) -> str:
        repository = Repository(self._host, boot)
        if not repository.is_fresh or "ctid" in self._table.columns or self._table.columns[-1] == "zone":
            return self._lines(self._rows(boot, repository))
        key = (boot.zoneid == 0, boot.began)
        if key not in self._known:
            shared = Boot(FRESH, boot.zoneid, boot.began, boot.path)
            self._known[key] = self._lines(self._rows(shared, repository))
        return self._known[key].replace(FRESH.ljust(ZONE_CHARACTERS), boot.zone.ljust(ZONE_CHARACTERS))

    def _mixed(self, boots: list[Boot]) -> str:
        return self._lines([row for boot in boots for row in self._rows(boot, Repository(self._host, boot))])

    def _rows(self, boot: Boot, repository: Repository) -> list[Row]:
        services = repository.services(self._now)
        return [Row(boot, service) for service in services if self._everything or service.enabled]

    def _lines(self, rows: list[Row]) -> str:
        rows.sort(key=default_key)
        return "".join([f"{self._table.line(row)}\n" for row in rows])


def _chosen(process: Process, host: Host, call: Call, boots: list[Boot], table: Table) -> int:
    """Services by pattern, by dependency, or in another order."""
    rows: list[Row] = []
    status, now = 0, time.time()
    matched: set[str] = set()
    for boot in boots:
        services = {service.fmri: service for service in Repository(host, boot).services(now)}
        chosen = [fmri for fmri, service in services.items() if call.all or service.enabled]
        if call.patterns:
            hits = {pattern: matching(pattern, services) for pattern in call.patterns}
            matched |= {pattern for pattern, found in hits.items() if found}
            wanted = {fmri for found in hits.values() for fmri in found}
            chosen = SELECTIONS[call.mode](wanted, list(services))
        rows += [Row(boot, services[fmri]) for fmri in chosen]
    if not call.all_zones:
        for pattern in call.patterns:
            if pattern not in matched:
                process.err(f"svcs: Pattern '{pattern}' doesn't match any instances")
                status = 1
    elif call.patterns and not matched:
        status = 1
    rows.sort(key=default_key)
    for column, backwards in reversed(call.sorting or ([("zone", False)] if call.all_zones else [])):
        rows.sort(key=KEYS[column], reverse=backwards)
    process.out("".join(f"{table.line(row)}\n" for row in rows))
    return status


def _themselves(wanted: set[str], listed: list[str]) -> list[str]:
    return [fmri for fmri in listed if fmri in wanted]


def _required(wanted: set[str], listed: list[str]) -> list[str]:
    return _themselves({one for fmri in wanted for one in names.REQUIRES.get(fmri, ())}, listed)


def _requiring(wanted: set[str], listed: list[str]) -> list[str]:
    return [fmri for fmri in listed if wanted & set(names.REQUIRES.get(fmri, ()))]


SELECTIONS: dict[str, Callable[[set[str], list[str]], list[str]]] = {
    "": _themselves,
    "d": _required,
    "D": _requiring,
}
