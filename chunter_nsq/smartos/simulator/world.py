"""The host's zones: stored states, run-time states and what changes them.

Responsibilities: read ``etc/zones/index``, the zones' XML headers and the kernel's table as one consistent
picture, and carry out the transitions of a zone, each as one step that other commands see whole.

Theory: the files are the truth. A reader takes the world's lock shared, a step takes it exclusively for the
few milliseconds that it writes; nobody waits under it. What a process has not yet written when it is killed
simply has not happened, so the half-made states are those of a real host.

Not promised: that a hand edit of the index which lands in the very moment of a rewrite survives, as on the platform.
"""

from __future__ import annotations

import marshal
import os
import time

from chunter_nsq.smartos.simulator import changes, index
from chunter_nsq.smartos.simulator.files import Lock, is_folder, read_bytes, remove, write_bytes
from chunter_nsq.smartos.simulator.kernel import Active, Kernel
from chunter_nsq.smartos.simulator.xmltree import root_attributes

HEADERS = "var/cache/simulator/headers"
ACTIVE_STATES = frozenset({"ready", "running", "shutting_down", "down", "mounted"})


class Zone:
    """One zone as every command sees it; ``zoneid`` is None when it is not active, ``debugid`` None when unset."""

    __slots__ = ("active", "brand", "debugid", "exclusive", "name", "path", "state", "uuid")

    def __init__(self, entry: index.Entry, header: tuple[str, str, str], active: Active | None) -> None:
        self.name = entry.name
        self.path = entry.path
        self.uuid = entry.uuid
        self.brand, ip_type, debugid = header
        self.exclusive = ip_type == "exclusive"
        self.debugid = int(debugid) if debugid.lstrip("-").isdigit() and debugid != "-1" else None
        self.active = active
        self.state = active.state if active else entry.state

    @property
    def zoneid(self) -> int | None:
        """The kernel's id, new at every boot."""
        return self.active.zoneid if self.active else None


class World:
    """The zones of one platform root."""

    def __init__(self, root: str) -> None:
        self.root = root

    def path(self, *parts: str) -> str:
        """A file of the platform, below its root."""
        return "/".join((self.root, *parts))

    def xml_path(self, name: str) -> str:
        """The zone's configuration."""
        return self.path("etc/zones", f"{name}.xml")

    def reading(self) -> Lock:
        """Held while several files are read that must agree."""
        return Lock(self.path("var/run/simulator/world.lock"), shared=True)

    def writing(self) -> Lock:
        """Held while a step is written."""
        return Lock(self.path("var/run/simulator/world.lock"))

    def zone_lock(self, name: str) -> Lock:
        """Held by the one command that moves this zone; others wait for it."""
        return Lock(self.path("var/run/zones", f"{name}.zoneadm.lock"))

    def config_lock(self, name: str) -> Lock:
        """Held by the one vmadm that changes this VM; others wait for it."""
        return Lock(self.path("var/run", f"vm.{name}.config.lockfile"))

    # -- reading

    def zones(self) -> list[Zone]:
        """Every zone but the global one: active ones by zone id first, then as the index has them."""
        with self.reading():
            return self._zones()

    def _zones(self) -> list[Zone]:
        entries = {line.name: line for line in self._index() if isinstance(line, index.Entry) and line.name != "global"}
        headers = self._headers()
        active = Kernel(self.root).zones
        names = [name for name in active if name in entries]
        names += [name for name in entries if name not in active]
        return [Zone(entries[name], headers[name], active.get(name)) for name in names if name in headers]

    def zone(self, name: str) -> Zone | None:
        """One zone by its name or UUID, without looking at the others' files."""
        with self.reading():
            for line in self._index():
                if isinstance(line, index.Entry) and name in (line.name, line.uuid) and line.name != "global":
                    content = read_bytes(self.xml_path(line.name))
                    if content is None:
                        return None
                    return Zone(line, _header(content), Kernel(self.root).zones.get(line.name))
        return None

    def _index(self) -> list[index.Entry | str]:
        return index.parse((read_bytes(self.path(index.PLACE)) or b"").decode("utf-8", "surrogateescape"))

    def _headers(self) -> dict[str, tuple[str, str, str]]:
        """Brand, ip-type and debug id by zone, from a cache that is checked against every file's stamp."""
        cache = self.path(HEADERS)
        content = read_bytes(cache)
        known: dict[str, tuple[int, int, int, tuple[str, str, str]]] = marshal.loads(content) if content else {}  # noqa: S302 - our own cache
        fresh: dict[str, tuple[int, int, int, tuple[str, str, str]]] = {}
        stale = False
        with os.scandir(self.path("etc/zones")) as files:
            for file in files:
                if not file.name.endswith(".xml"):
                    continue
                name = file.name[:-4]
                status = file.stat()
                one = known.get(name)
                if one is None or one[:3] != (status.st_mtime_ns, status.st_size, status.st_ino):
                    stale = True
                    header = _header(read_bytes(file.path) or b"")
                    one = (status.st_mtime_ns, status.st_size, status.st_ino, header)
                fresh[name] = one
        if stale or len(fresh) != len(known):
            write_bytes(cache, marshal.dumps(fresh))
        return {name: one[3] for name, one in fresh.items()}

    # -- steps

    def configure(self, name: str, document: bytes, path: str, uuid: str) -> None:
        """A zone gets its XML and its line in the index: configured."""
        with self.writing():
            write_bytes(self.xml_path(name), document)
            self._store(name, "configured", path, uuid)
            self._tell_configuration(name)

    def rewrite(self, name: str, document: bytes) -> None:
        """A zone's XML is replaced."""
        with self.writing():
            write_bytes(self.xml_path(name), document)
            self._tell_configuration(name)

    def touched(self, name: str) -> None:
        """Something else that belongs to the zone's object changed (metadata, snapshots, quota)."""
        with self.writing():
            self._tell_configuration(name)

    def _tell_configuration(self, name: str) -> None:
        active = Kernel(self.root).zones.get(name)
        stored = [line.state for line in self._index() if isinstance(line, index.Entry) and line.name == name]
        if active or stored:
            state = active.state if active else stored[0]
            changes.append(
                self.root, changes.line("C", name, state, active, None if active else self._last_exited(name))
            )

    def _last_exited(self, name: str) -> tuple[int, float] | None:
        fields = (read_bytes(self.path("zones", name, "lastexited")) or b"").split()
        return (int(fields[1]), float(fields[0])) if len(fields) == 2 else None  # noqa: PLR2004 - moment and status

    def mark(self, name: str, state: str) -> None:
        """The stored state becomes configured, incomplete or installed."""
        with self.writing():
            self._store(name, state)
            changes.append(self.root, changes.state_line(name, state, None))

    def forget(self, name: str) -> None:
        """The zone's XML and its line in the index go away."""
        with self.writing():
            lines = [line for line in self._index() if not (isinstance(line, index.Entry) and line.name == name)]
            write_bytes(self.path(index.PLACE), index.render(lines).encode("utf-8", "surrogateescape"))
            remove(self.xml_path(name))
            changes.append(self.root, changes.deletion_line(name))

    def make_ready(self, name: str) -> None:
        """The virtual platform is up, under a new zone id."""
        with self.writing():
            kernel = Kernel(self.root)
            active = kernel.zones.get(name) or kernel.admit(name)
            active.state = "ready"
            kernel.write()
            changes.append(self.root, changes.state_line(name, "ready", active))

    def make_running(self, name: str) -> None:
        """Init runs."""
        with self.writing():
            kernel = Kernel(self.root)
            active = kernel.zones.get(name) or kernel.admit(name)
            active.state, active.pid, active.boot_seconds = "running", kernel.next_pid, int(time.time())
            kernel.next_pid += 7
            kernel.write()
            changes.append(self.root, changes.state_line(name, "running", active))

    def lower(self, name: str, state: str) -> None:
        """An active zone is on its way down: shutting_down, then down."""
        with self.writing():
            kernel = Kernel(self.root)
            active = kernel.zones.get(name)
            if active is None:
                return
            active.state = state
            kernel.write()
            changes.append(self.root, changes.state_line(name, state, active))

    def make_halted(self, name: str, exit_status: int = 0) -> None:
        """The kernel has let the zone go; its init's last words are kept beside its root."""
        now = time.time()
        with self.writing():
            kernel = Kernel(self.root)
            if kernel.zones.pop(name, None) is None:
                return
            home = self.path("zones", name)
            if is_folder(home):
                write_bytes(f"{home}/lastexited", f"{now:.6f} {exit_status}\n".encode())
            kernel.write()
            changes.append(self.root, changes.state_line(name, "installed", None, (exit_status, now)))

    def debugid(self) -> int:
        """A persistent id for a new zone."""
        with self.writing():
            kernel = Kernel(self.root)
            number = kernel.debugid()
            kernel.write()
        return number

    def _store(self, name: str, state: str, path: str = "", uuid: str = "") -> None:
        lines = self._index()
        for line in lines:
            if isinstance(line, index.Entry) and line.name == name:
                line.state = state
                break
        else:
            lines.append(index.Entry(name, state, path or f"/zones/{name}", uuid))
        write_bytes(self.path(index.PLACE), index.render(lines).encode("utf-8", "surrogateescape"))


def _header(document: bytes) -> tuple[str, str, str]:
    attributes = root_attributes(document)
    return attributes.get("brand", ""), attributes.get("ip-type", "shared"), attributes.get("debugid", "")
