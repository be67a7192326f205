"""The journal of what happened to zones, that ``vmadm events`` follows.

Every command that changes a zone appends one line here, after the change is on disk and while it still holds the
world's lock, so that the order of lines is the order of changes. A follower watches the size of one file.

A line is TAB-separated: ``seconds kind zone zone_state zoneid pid boot_seconds init_restarts exit_status
exit_seconds`` with ``-`` for what there is not. Kind S says that the state changed, C that the configuration did (or
the zone is new), D, with the first three fields alone, that the zone is gone.
"""

from __future__ import annotations

import os
import time

from chunter_nsq.smartos.simulator.files import append_bytes, move, status

TYPE_CHECKING = False
if TYPE_CHECKING:
    from chunter_nsq.smartos.simulator.kernel import Active

PLACE = "var/run/simulator/changes"
LIMIT_BYTES = 64 * 2**20


def line(kind: str, name: str, state: str, active: Active | None, exited: tuple[int, float] | None = None) -> str:
    """A line of kind S or C; ``active`` as the kernel has the zone now, ``exited`` is init's status and moment."""
    fields = "-\t-\t-\t-"
    if active:
        fields = f"{active.zoneid}\t{active.pid or '-'}\t{active.boot_seconds or '-'}\t{active.restarts}"
    ending = f"{exited[0]}\t{exited[1]:.6f}" if exited else "-\t-"
    return f"{time.time():.6f}\t{kind}\t{name}\t{state}\t{fields}\t{ending}\n"


def state_line(name: str, state: str, active: Active | None, exited: tuple[int, float] | None = None) -> str:
    """The line for a new zone state."""
    return line("S", name, state, active, exited)


def deletion_line(name: str) -> str:
    """The line for a zone that is gone."""
    return f"{time.time():.6f}\tD\t{name}\n"


def append(root: str, lines: str) -> None:
    """Add lines; a journal that has grown large makes room for a fresh one."""
    path = f"{root}/{PLACE}"
    append_bytes(path, lines.encode())
    if status(path).st_size > LIMIT_BYTES:
        move(path, path + ".old")


class Follower:
    """Reads what is appended from the moment it is made; survives the journal's replacement."""

    def __init__(self, root: str) -> None:
        self._path = f"{root}/{PLACE}"
        self._descriptor = self._open()
        self._partial = b""
        os.lseek(self._descriptor, 0, os.SEEK_END)

    def _open(self) -> int:
        return os.open(self._path, os.O_RDONLY | os.O_CREAT | os.O_CLOEXEC, 0o644)

    def read(self) -> list[list[str]]:
        """The new lines, each split into its fields; empty when nothing happened."""
        content = os.read(self._descriptor, 2**20)
        if not content:
            if self._replaced():
                os.close(self._descriptor)
                self._descriptor = self._open()
                content = os.read(self._descriptor, 2**20)
            if not content:
                return []
        whole, newline, rest = (self._partial + content).rpartition(b"\n")
        self._partial = rest
        if not newline:
            return []
        return [line.split("\t") for line in whole.decode().split("\n")]

    def _replaced(self) -> bool:
        try:
            return status(self._path).st_ino != os.fstat(self._descriptor).st_ino
        except FileNotFoundError:
            return False
