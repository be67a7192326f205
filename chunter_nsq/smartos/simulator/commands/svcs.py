"""svcs: the services of the global zone and of running zones."""

from __future__ import annotations

import time

from chunter_nsq.smartos.simulator import services
from chunter_nsq.smartos.simulator.host import facts
from chunter_nsq.smartos.simulator.process import Refused
from chunter_nsq.smartos.simulator.world import World

TYPE_CHECKING = False
if TYPE_CHECKING:
    from chunter_nsq.smartos.simulator.pace import Pace
    from chunter_nsq.smartos.simulator.process import Process
    from chunter_nsq.smartos.simulator.services import Service

WIDTHS = {
    "ctid": 8, "desc": 60, "fmri": 50, "inst": 16, "n": 2, "nsta": 6, "nstate": 14, "s": 2, "scope": 8, "sn": 3,
    "svc": 30, "sta": 5, "state": 14, "stime": 9, "zone": 16,
}  # fmt: skip
ORDER = ("legacy_run", "disabled", "online", "degraded", "offline", "maintenance", "uninitialized")
SHORT = {
    "legacy_run": "LRC", "disabled": "DIS", "online": "ON", "degraded": "DGD", "offline": "OFF",
    "maintenance": "MNT", "uninitialized": "UN", "-": "-",
}  # fmt: skip
DAY_SECONDS, YEAR_SECONDS = 86400, 365 * 86400
USAGE = "Usage: svcs [-aHpv] [-o col[,col ... ]] [-R FMRI-instance]... [-sS col] [-z zone | -Z] [<service> ...]"


class Row:
    """A service of a zone, with the moment its zone came up as the least it can be in its state."""

    __slots__ = ("service", "since", "zone")

    def __init__(self, zone: str, service: Service, booted: float) -> None:
        self.zone = zone
        self.service = service
        self.since = max(service.since, booted)

    def key(self) -> tuple[str, int, float, str]:
        """The default order: zone as far as it is shown, state, time, name."""
        return self.zone[:16], ORDER.index(self.service.state), self.since, self.service.fmri


def run(process: Process, _pace: Pace) -> int:
    """Do what the arguments say; the exit status."""
    columns, zone, patterns, flags = _options(list(process.arguments))
    now = time.time()
    rows = _rows(process.root, zone, "Z" in flags, now)
    if patterns:
        rows = [row for row in rows if any(matches(row.service.fmri, pattern) for pattern in patterns)]
        if not rows:
            raise Refused(f"svcs: Pattern '{patterns[0]}' doesn't match any instances")
    elif "a" not in flags:
        rows = [row for row in rows if row.service.state != "disabled"]
    rows.sort(key=Row.key)
    starred = not {"nstate", "n", "nsta"} & set(columns)
    if "H" not in flags:
        process.line(" ".join(name.upper().ljust(WIDTHS[name]) for name in columns).rstrip())
    texts = []
    for row in rows:
        cells = [_cell(row, name, now, starred=starred) for name in columns]
        padded = [cell.ljust(WIDTHS[name]) for cell, name in zip(cells[:-1], columns, strict=False)]
        texts.append(" ".join([*padded, cells[-1]]) + "\n")
    process.out("".join(texts))
    return 0


def _options(words: list[str]) -> tuple[list[str], str | None, list[str], set[str]]:
    columns, zone, patterns, flags = ["state", "stime", "fmri"], None, list[str](), set[str]()
    given = False
    while words:
        word = words.pop(0)
        if not word.startswith("-"):
            patterns.append(word)
            continue
        letters = word[1:]
        last = letters[-1:]
        if last in ("o", "z", "s", "S"):
            if not words:
                raise Refused(USAGE, 2)
            value = words.pop(0)
            if last == "o":
                columns, given = value.lower().split(","), True
            elif last == "z":
                zone = value
        flags |= set(letters)
    if flags - set("aHpvZozsSlLxr"):
        raise Refused(USAGE, 2)
    unknown = [name for name in columns if name not in WIDTHS]
    if unknown:
        raise Refused(f"svcs: Unknown column '{unknown[0]}'.\n{USAGE}", 2)
    if "Z" in flags and not given:
        columns = ["zone", *columns]
    return columns, zone, patterns, flags


def _rows(root: str, zone: str | None, every: bool, now: float) -> list[Row]:  # noqa: FBT001 - a flag of the command
    booted = float(facts(root)["boot_time"])
    wanted: list[tuple[str, float]] = [] if zone not in (None, "global") else [("global", booted)]
    if every or zone not in (None, "global"):
        for one in World(root).zones():
            named = zone in (one.name, one.uuid)
            if named and (one.state != "running" or one.brand not in services.BRANDS):
                raise Refused(
                    f"svcs: Could not bind to repository server for zone {zone}: repository server unavailable"
                )
            if one.active and one.state == "running" and one.brand in services.BRANDS and (every or named):
                wanted.append((one.name, float(one.active.boot_seconds)))
    if zone not in (None, "global") and len(wanted) == 0:
        raise Refused(f"svcs: invalid zone '{zone}'")
    return [Row(name, one, since) for name, since in wanted for one in services.load(root, name, now)]


def matches(fmri: str, pattern: str) -> bool:
    """Whether an abbreviation or glob stands for the instance."""
    from fnmatch import fnmatchcase  # noqa: PLC0415 - only patterns need it

    name = fmri.partition(":/")[2]
    service = name.partition(":")[0]
    plain = pattern.removeprefix("svc:/").removeprefix("lrc:/")
    return any(
        candidate == plain or candidate.endswith("/" + plain) or fnmatchcase(candidate, plain)
        for candidate in (name, service)
    ) or fnmatchcase(fmri, pattern)


def _cell(row: Row, name: str, now: float, *, starred: bool) -> str:
    service = row.service
    moving = service.following != "-"
    if name == "state":
        return service.state + ("*" if moving and starred else "")
    if name in ("sta", "s"):
        return SHORT[service.state] + ("*" if moving and starred else "")
    if name == "stime":
        return stime(row.since, now)
    values = {
        "zone": row.zone, "fmri": service.fmri, "nstate": service.following, "nsta": SHORT[service.following],
        "n": SHORT[service.following], "ctid": "-", "desc": service.fmri.rpartition("/")[2], "scope": "localhost",
        "inst": service.fmri.rpartition(":")[2], "svc": service.fmri.partition(":/")[2].rpartition(":")[0], "sn": "-",
    }  # fmt: skip
    return values[name]


def stime(since: float, now: float) -> str:
    """A moment as svcs prints it: clock within a day, then month and day, then year."""
    if not since:
        return "-"
    moment = time.gmtime(since)
    if now - since < DAY_SECONDS:
        return f"{moment.tm_hour:2d}:{moment.tm_min:02d}:{moment.tm_sec:02d}"
    return time.strftime("%b_%d" if now - since < YEAR_SECONDS else "%Y", moment)
