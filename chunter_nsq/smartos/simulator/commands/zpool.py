"""zpool: health and space of the pool."""

from __future__ import annotations

from chunter_nsq.smartos.simulator import poolhealth
from chunter_nsq.smartos.simulator.commands.zfs_list import Options
from chunter_nsq.smartos.simulator.commands.zpool_status import report
from chunter_nsq.smartos.simulator.host import facts
from chunter_nsq.smartos.simulator.pool import Pool
from chunter_nsq.smartos.simulator.process import Refused
from chunter_nsq.smartos.simulator.values import words
from chunter_nsq.smartos.simulator.zfsvalues import View, scaled

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from chunter_nsq.smartos.simulator.pace import Pace
    from chunter_nsq.smartos.simulator.process import Process

HEALTH = poolhealth.PLACE
COLUMNS = words("name size allocated free expandsize fragmentation capacity dedupratio health altroot")
ALIASES = {
    "alloc": "allocated",
    "cap": "capacity",
    "dedup": "dedupratio",
    "frag": "fragmentation",
    "expandsz": "expandsize",
}
TITLES = {
    "allocated": "ALLOC",
    "capacity": "CAP",
    "dedupratio": "DEDUP",
    "fragmentation": "FRAG",
    "expandsize": "EXPANDSZ",
}


def run(process: Process, _pace: Pace) -> int:
    """Do what the arguments say; the exit status."""
    words = list(process.arguments)
    verb = VERBS.get(words[0]) if words else None
    if verb is None:
        raise Refused(f"unrecognized command '{words[0] if words else ''}'\nusage: zpool command args ...", 2)
    return verb(process, words[1:])


def _pool(process: Process, names: list[str]) -> str:
    name: str = facts(process.root)["pool"]
    for one in names:
        if one != name:
            raise Refused(f"cannot open '{one}': no such pool")
    return name


def _values(root: str, name: str) -> dict[str, Any]:
    known = facts(root)
    pool = Pool(root)
    used = View(pool.datasets(), known["pool_size_bytes"], pool.clones).used.get(name, 0)
    guid = next((one.guid for one in pool.datasets(name) if one.name == name), 0)
    pool.close()
    size = known["pool_size_bytes"]
    health = poolhealth.load(root).state
    values = {
        "name": name, "size": size, "allocated": used, "free": size - used, "expandsize": "-", "fragmentation": 12,
        "capacity": used * 100 // size, "dedupratio": "1.00", "health": health, "altroot": "-",
        "guid": guid, "version": "-", "readonly": "off", "bootfs": "-", "failmode": "wait", "autoexpand": "off",
    }  # fmt: skip
    if health in poolhealth.LOST:
        values |= dict.fromkeys(("size", "allocated", "free", "fragmentation", "capacity", "dedupratio"), "-")
    return values


def _text(column: str, value: Any, *, exact: bool) -> str:
    if exact or value == "-":
        return str(value)
    if column in ("size", "allocated", "free"):
        return scaled(value)
    if column in ("capacity", "fragmentation"):
        return f"{value}%"
    return f"{value}x" if column == "dedupratio" else str(value)


def _list(process: Process, words: list[str]) -> int:
    options = Options(words, "oT")
    values = _values(process.root, _pool(process, options.names))
    asked = [name for value in options.values.get("o", [",".join(COLUMNS)]) for name in value.split(",")]
    columns = [ALIASES.get(name, name) for name in asked]
    for column in columns:
        if column not in values:
            raise Refused(f"bad property list: invalid property '{column}'\nusage: zpool list ...", 2)
    row = [_text(column, values[column], exact="p" in options.flags) for column in columns]
    if "H" in options.flags:
        process.line("\t".join(row))
        return 0
    titles = [TITLES.get(column, column.upper()) for column in columns]
    process.line(
        "  ".join(title.ljust(max(len(title), len(cell))) for title, cell in zip(titles, row, strict=True)).rstrip()
    )
    process.line(
        "  ".join(cell.ljust(max(len(title), len(cell))) for title, cell in zip(titles, row, strict=True)).rstrip()
    )
    return 0


def _get(process: Process, words: list[str]) -> int:
    options = Options(words, "o")
    if not options.names:
        raise Refused("missing property argument\nusage: zpool get ...", 2)
    asked, *names = options.names
    values = _values(process.root, _pool(process, names))
    for prop in list(values)[1:] if asked == "all" else [ALIASES.get(name, name) for name in asked.split(",")]:
        if prop not in values:
            raise Refused(f"bad property list: invalid property '{prop}'\nusage: zpool get ...", 2)
        shown = _text(prop, values[prop], exact="p" in options.flags)
        cells = {"name": str(values["name"]), "property": prop, "value": shown, "source": "-"}
        columns = (options.values.get("o") or ["name,property,value,source"])[-1].split(",")
        row = [cells[column] for column in columns]
        process.line("\t".join(row) if "H" in options.flags else "  ".join(cell.ljust(14) for cell in row).rstrip())
    return 0


def _status(process: Process, words: list[str]) -> int:
    options = Options(words, "T")
    name = _pool(process, options.names)
    health = poolhealth.load(process.root)
    if "x" in options.flags and health.is_well:
        process.line(f"pool '{name}' is healthy" if options.names else "all pools are healthy")
        return 0
    process.out(report(name, health, verbose="v" in options.flags))
    return 0


VERBS = {"list": _list, "get": _get, "status": _status}
