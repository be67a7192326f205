"""What a booted kernel knows of its zones and forgets at a reboot: ids, run-time states, init processes.

The file ``var/run/simulator/kernel`` holds a line of counters and then a line for each active zone, oldest first:
``zoneid name state pid boot_seconds init_restarts``.
"""

from __future__ import annotations

from chunter_nsq.smartos.simulator.files import read_bytes, write_bytes

PLACE = "var/run/simulator/kernel"


class Active:
    """A zone the kernel knows: its id, state (ready, running, shutting_down, down) and init process."""

    __slots__ = ("boot_seconds", "name", "pid", "restarts", "state", "zoneid")

    def __init__(
        self, zoneid: int, name: str, state: str, pid: int = 0, boot_seconds: int = 0, restarts: int = 0
    ) -> None:
        self.zoneid = zoneid
        self.name = name
        self.state = state
        self.pid = pid
        self.boot_seconds = boot_seconds
        self.restarts = restarts


class Kernel:
    """The kernel's table of zones; changed under the world's lock, written whole."""

    def __init__(self, root: str) -> None:
        self._path = f"{root}/{PLACE}"
        self.next_zoneid = 1
        self.next_debugid = 1
        self.next_pid = 5000
        self.zones: dict[str, Active] = {}
        self.read()

    def read(self) -> None:
        """Take in what the file says now."""
        content = read_bytes(self._path) or b"1 1 5000\n"
        first, *lines = content.decode().splitlines()
        self.next_zoneid, self.next_debugid, self.next_pid = (int(number) for number in first.split())
        self.zones = {}
        for line in lines:
            zoneid, name, state, pid, boot, restarts = line.split(" ")
            self.zones[name] = Active(int(zoneid), name, state, int(pid), int(boot), int(restarts))

    def write(self) -> None:
        """Make the file say what this table says."""
        lines = [f"{self.next_zoneid} {self.next_debugid} {self.next_pid}\n"]
        lines += [
            f"{one.zoneid} {one.name} {one.state} {one.pid} {one.boot_seconds} {one.restarts}\n"
            for one in self.zones.values()
        ]
        write_bytes(self._path, "".join(lines).encode())

    def admit(self, name: str) -> Active:
        """Make a zone ready, under a fresh zone id."""
        active = Active(self.next_zoneid, name, "ready")
        self.next_zoneid += 1
        self.zones[name] = active
        return active

    def debugid(self) -> int:
        """A fresh persistent id for a new zone."""
        self.next_debugid = max(self.next_debugid, 1) + 1
        return self.next_debugid - 1
