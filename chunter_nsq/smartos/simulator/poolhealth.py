"""How well the pool is, and how full: what an operator decides, in ``var/simulator/zpool.json``.

``{"health": "DEGRADED", "devices": {"c1t1d0": ["FAULTED", 3, 41, 0]}, "errors": 0}``: the pool's state, of each device
that is not well its state and its read, write and checksum errors (a plain state will do), and damaged files.
"""

from __future__ import annotations

from chunter_nsq.smartos.simulator import jsontext
from chunter_nsq.smartos.simulator.files import read_bytes, remove, write_bytes
from chunter_nsq.smartos.simulator.host import facts
from chunter_nsq.smartos.simulator.pool import FRESH_BYTES, Pool
from chunter_nsq.smartos.simulator.process import Refused
from chunter_nsq.smartos.simulator.zfsvalues import View

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

PLACE = "var/simulator/zpool.json"
DEVICES = ("c1t0d0", "c1t1d0")
POOL_STATES = ("ONLINE", "DEGRADED", "FAULTED", "UNAVAIL", "SUSPENDED")
DEVICE_STATES = ("ONLINE", "DEGRADED", "FAULTED", "OFFLINE", "REMOVED", "UNAVAIL")
LOST = ("FAULTED", "UNAVAIL")  # nothing is known of what such a pool holds
FILLED = "zones/archive"  # the dataset that grows when the pool is filled


class Device:
    """A disk: its state and how often reading, writing and checksums failed."""

    __slots__ = ("checksum", "read", "state", "write")

    def __init__(self, state: str = "ONLINE", read: int = 0, write: int = 0, checksum: int = 0) -> None:
        self.state = state
        self.read = read
        self.write = write
        self.checksum = checksum

    def stored(self) -> list[str | int]:
        """As in the file."""
        return [self.state, self.read, self.write, self.checksum]

    @property
    def failures(self) -> int:
        """All of them."""
        return self.read + self.write + self.checksum


class Health:
    """The pool's state, its devices, and how many files are damaged."""

    def __init__(self, state: str, devices: Mapping[str, Device], errors: int) -> None:
        self.state = state
        self.devices = {name: devices.get(name, Device()) for name in DEVICES}
        self.errors = errors

    @property
    def is_well(self) -> bool:
        """Whether there is nothing to tell."""
        ill = any(one.failures or one.state != "ONLINE" for one in self.devices.values())
        return self.state == "ONLINE" and not self.errors and not ill


def load(root: str) -> Health:
    """As it is."""
    content = read_bytes(f"{root}/{PLACE}")
    told = jsontext.loads(content) if content else {}
    devices = {
        name: Device(one) if isinstance(one, str) else Device(*one) for name, one in told.get("devices", {}).items()
    }
    return Health(told.get("health", "ONLINE"), devices, int(told.get("errors", 0)))


def save(root: str, health: Health) -> None:
    """It shall be so from now on."""
    if health.is_well:
        remove(f"{root}/{PLACE}")
        return
    devices = {name: one.stored() for name, one in health.devices.items() if one.failures or one.state != "ONLINE"}
    told = {"health": health.state, "devices": devices, "errors": health.errors}
    write_bytes(f"{root}/{PLACE}", jsontext.dumps(told, indent=1).encode())


def ail(root: str, state: str | None, devices: Mapping[str, Device], errors: int | None) -> None:
    """Change what was said; a state brings the devices along that such a pool is likely to have."""
    before = load(root)
    first, second = DEVICES
    if state is None:
        known: dict[str, Device] = before.devices
    elif state in ("ONLINE", "DEGRADED"):
        known = {second: Device("FAULTED", 3, 41)} if state == "DEGRADED" and not devices else {}
    else:
        known = dict.fromkeys((first, second), Device("FAULTED", 6, 90) if state == "SUSPENDED" else Device("UNAVAIL"))
    kept = 0 if state == "ONLINE" else before.errors
    save(root, Health(state or before.state, {**known, **devices}, kept if errors is None else errors))


def device(text: str) -> tuple[str, Device]:
    """``NAME=STATE[:READ:WRITE:CKSUM]``; raises ValueError."""
    name, equals, rest = text.partition("=")
    state, *counts = rest.split(":")
    if name not in DEVICES or not equals or state not in DEVICE_STATES:
        raise ValueError(f"{text!r} is not NAME=STATE[:READ:WRITE:CKSUM] of {', '.join(DEVICES)}")
    if len(counts) not in (0, 3) or not all(count.isdecimal() for count in counts):
        raise ValueError(f"{text!r} does not count read, write and checksum errors")
    return name, Device(state, *(int(count) for count in counts))


def fill(root: str, percent: int) -> None:
    """Let one dataset hold so much that the pool is so full; raises ValueError when others hold more."""
    known = facts(root)
    size = int(known["pool_size_bytes"])
    pool = Pool(root)
    try:
        with pool:
            used = View(pool.datasets(), size, pool.clones).used.get(known["pool"], 0)
            one = pool.dataset(FILLED)
            others = used - (one.own if one else 0)
            wanted = -(-size * percent // 100) - others
            if one is None or wanted < FRESH_BYTES:
                raise ValueError(f"the datasets fill {others * 100 // size}% without {FILLED}, which makes up the rest")
            pool.set_sizes(FILLED, wanted, wanted)
    finally:
        pool.close()


def refuse_when_full(root: str, pool: Pool, attempt: str) -> None:
    """Let nothing more be written into a pool that was filled to the brim; a real pool says so itself."""
    one = None if pool.real else pool.dataset(FILLED)
    known = facts(root)
    size = int(known["pool_size_bytes"])
    if one is None or one.own * 2 < size:
        return
    if View(pool.datasets(), size, pool.clones).used.get(known["pool"], 0) >= size:
        raise Refused(f"{attempt}: out of space")
