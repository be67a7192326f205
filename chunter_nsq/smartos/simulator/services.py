"""SMF services of the global zone and of each zone, a file of lines for each in ``var/svc``.

A line is TAB-separated: ``state next since fmri due``. A change that is under way names the state it leads to and the
moment (epoch seconds) when it will be there; whoever reads after that moment sees it done, so no daemon is needed.
"""

from __future__ import annotations

from chunter_nsq.smartos.simulator.files import Lock, read_bytes, write_bytes

FOLDER = "var/svc"
BRANDS = ("joyent", "joyent-minimal", "builder")
STANDARD = (
    ("legacy_run", "lrc:/etc/rc2_d/S89PRESERVE"),
    ("disabled", "svc:/network/rpc/bind:default"),
    ("online", "svc:/system/svc/restarter:default"),
    ("online", "svc:/network/loopback:default"),
    ("online", "svc:/network/physical:default"),
    ("online", "svc:/system/filesystem/local:default"),
    ("online", "svc:/milestone/multi-user:default"),
    ("online", "svc:/system/cron:default"),
    ("online", "svc:/system/system-log:default"),
    ("online", "svc:/network/ssh:default"),
)
GLOBAL = (
    *STANDARD,
    ("online", "svc:/system/smartdc/vminfod:default"),
    ("online", "svc:/system/smartdc/vmadmd:default"),
    ("online", "svc:/system/zones:default"),
)


class Service:
    """One instance: its state since a moment, and the state it is on its way to, if any."""

    __slots__ = ("due", "fmri", "following", "since", "state")

    def __init__(self, state: str, following: str, since: float, fmri: str, due: float = 0.0) -> None:
        self.state = state
        self.following = following
        self.since = since
        self.fmri = fmri
        self.due = due

    def settle(self, now: float) -> None:
        """Take in a change whose moment has passed."""
        if self.following != "-" and now >= self.due:
            self.state, self.since, self.following = self.following, self.due, "-"

    def line(self) -> str:
        """As the file has it."""
        return f"{self.state}\t{self.following}\t{self.since:.0f}\t{self.fmri}\t{self.due:.3f}\n"


def load(root: str, zone: str, now: float) -> list[Service]:
    """The services of a zone as they are now; a zone that nobody wrote down has the standard ones."""
    content = read_bytes(f"{root}/{FOLDER}/{zone}")
    if content is None:
        known = GLOBAL if zone == "global" else STANDARD
        return [Service(state, "-", 0.0, fmri) for state, fmri in known]
    found = []
    for line in content.decode().splitlines():
        state, following, since, fmri, due = line.split("\t")
        service = Service(state, following, float(since), fmri, float(due))
        service.settle(now)
        found.append(service)
    return found


def save(root: str, zone: str, services: list[Service]) -> None:
    """Write the services of a zone."""
    write_bytes(f"{root}/{FOLDER}/{zone}", "".join(one.line() for one in services).encode())


def lock(root: str, zone: str) -> Lock:
    """Held while a zone's services are changed."""
    return Lock(f"{root}/{FOLDER}/.{zone}.lock")


def made_up(count: int, since: float) -> list[Service]:
    """As many services as asked for: the standard ones and then applications."""
    rows = list(STANDARD)[:count]
    rows += [("online", f"svc:/application/app{number}:default") for number in range(count - len(rows))]
    return [Service(state, "-", since, fmri) for state, fmri in rows]
