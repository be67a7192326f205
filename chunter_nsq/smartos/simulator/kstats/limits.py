"""What a zone's configuration says that its statistics show: links and limits, read once for each state of the file."""

from __future__ import annotations

import marshal

from chunter_nsq.smartos.simulator.files import read_bytes, stamp, write_bytes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

CACHE = "var/cache/simulator/limits"
MIB = 2**20


class Limits:
    """A zone's links, and its limits: CPU in percent, memory in bytes, processes; None for no limit."""

    __slots__ = ("cpu", "links", "locked", "physical", "processes", "swap")

    def __init__(self, fields: tuple[tuple[str, ...], tuple[int | None, ...]]) -> None:
        self.links, numbers = fields
        self.cpu, self.physical, self.swap, self.locked, self.processes = numbers


NONE = Limits(((), (None,) * 5))


def of_zones(root: str, names: Iterable[str]) -> dict[str, Limits]:
    """The limits of zones by name; zones without a readable configuration are missing."""
    content = read_bytes(f"{root}/{CACHE}")
    known = marshal.loads(content) if content else {}  # noqa: S302 - our own cache
    fresh = {}
    stale = False
    for name in names:
        path = f"{root}/etc/zones/{name}.xml"
        here = stamp(path)
        one = known.get(name)
        if one is None or one[0] != here:
            stale = True
            one = (here, _read(path))
        fresh[name] = one
    if stale or len(fresh) != len(known):
        write_bytes(f"{root}/{CACHE}", marshal.dumps(fresh))
    return {name: Limits(one[1]) for name, one in fresh.items() if one[1] is not None}


def _read(path: str) -> tuple[tuple[str, ...], tuple[int | None, ...]] | None:
    from chunter_nsq.smartos.simulator import zonexml  # noqa: PLC0415 - what is cached does without it
    from chunter_nsq.smartos.simulator.xmltree import Malformed  # noqa: PLC0415 - same

    content = read_bytes(path)
    if content is None:
        return None
    try:
        vm = zonexml.load(content)
    except (Malformed, zonexml.Unusable):
        return None
    links = tuple(str(nic["interface"]) for nic in vm.get("nics", ()) if nic.get("interface"))
    memory = [_bytes(vm.get(key)) for key in ("max_physical_memory", "max_swap", "max_locked_memory")]
    return links, (_number(vm.get("cpu_cap")), *memory, _number(vm.get("max_lwps")))


def _number(value: object) -> int | None:
    return int(value) if isinstance(value, int | float) and value > 0 else None


def _bytes(value: object) -> int | None:
    mebibytes = _number(value)
    return None if mebibytes is None else mebibytes * MIB
