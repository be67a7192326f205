"""A zone's console as zlogin -C and vmadm console show it: a getty, a login, a shell, and what zoneadmd says between.

Theory: whoever is connected has the zone's console for himself; a lock file holds his process id. The terminal outside
is raw, as the real one is, and the zone's own echoes. What happens to the zone is looked for several times a second.

Not promised: a password that is checked, or a line discipline beyond erase, kill, interrupt and end of file.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import select

from chunter_nsq.smartos.simulator.commands.zlogin import Exit, Shell
from chunter_nsq.smartos.simulator.files import make_folder
from chunter_nsq.smartos.simulator.process import OUT, Process, Refused, write_all
from chunter_nsq.smartos.simulator.world import World

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from chunter_nsq.smartos.simulator.world import Zone

IN = 0
LOOK_SECONDS = 0.1
READ_BYTES = 4096
ERASE, KILL, INTERRUPT, END = b"\x7f\x08", b"\x15", b"\x03", b"\x04"
BANNER = "\nSunOS Release 5.11 Version joyent_20240321T000640Z 64-bit\nCopyright 2024 MNX Cloud, Inc.\n"
KNOWN = ("root", "admin")


class Left(Exception):
    """Whoever was connected went away."""


class Screen(Process):
    """What programs say appears on the console, errors too; they read nothing."""

    def emit(self, content: bytes) -> None:
        """Line feeds become those of a terminal."""
        with contextlib.suppress(OSError):  # the terminal is gone, which is found out where it is read
            write_all(OUT, content.replace(b"\n", b"\r\n"))

    def err(self, text: str) -> None:
        """Errors are shown as everything else."""
        self.flush()
        self.emit(text.encode("utf-8", "surrogateescape") + b"\n")

    @staticmethod
    def stdin() -> bytes:
        """Nothing."""
        return b""


class Console:
    """One connection; ``escape`` leaves it (``~.`` at the start of a line, or one key), None for none."""

    def __init__(self, process: Process, zone: Zone, *, escape: bytes | None, quiet: bool, logs_in: bool) -> None:
        self._screen = Screen(process.root, process.tool, process.arguments)
        self._world = World(process.root)
        self._zone = zone
        self._name = zone.name
        self._escape = escape
        self._quiet = quiet
        self._logs_in = logs_in
        self._user = ""
        self._is_asked = False
        self._line = b""
        self._before = b""

    def run(self) -> int:
        """Talk until somebody ends it; the exit status."""
        with _held(self._world, self._name), _raw():
            self._notice(f"[Connected to zone '{self._name}' console]\n")
            state = self._zone.state
            if state == "running":
                self._greet()
            try:
                while (now := self._state()) is not None:
                    if now != state:
                        self._changed(now)
                    state = now
                    self._hear()
            except Left:
                pass
            self._notice(f"\n[Connection to zone '{self._name}' console closed]\n")
        return 0

    def _state(self) -> str | None:
        zone = self._world.zone(self._name)
        return None if zone is None or zone.state in ("configured", "incomplete") else zone.state

    def _changed(self, now: str) -> None:
        if now == "running":
            self._screen.emit(f"\n[NOTICE: Zone booting up]\n\n{BANNER}".encode())
            self._greet()
        elif now == "installed":
            self._screen.emit(b"\n[NOTICE: Zone halted]\n")

    def _greet(self) -> None:
        self._user, self._line, self._is_asked = "" if self._logs_in else "root", b"", False
        self._ask()

    def _ask(self) -> None:
        host = self._host()
        if self._user and not self._is_asked:
            self._screen.emit(f"[{self._user}@{host} ~]# ".encode())
        else:
            self._screen.emit(b"Password: " if self._is_asked else f"\n{host} console login: ".encode())

    def _host(self) -> str:
        from chunter_nsq.smartos.simulator.machine import Machines  # noqa: PLC0415 - asked for once a line

        return str((Machines(self._world).get(self._name) or {}).get("hostname") or self._name)

    def _hear(self) -> None:
        ready, _, _ = select.select([IN], [], [], LOOK_SECONDS)
        if not ready:
            return
        try:
            typed = os.read(IN, READ_BYTES)
        except OSError:
            typed = b""
        if not typed:
            raise Left
        zone = self._world.zone(self._name)
        for number in typed:
            key = bytes((number,))
            if self._leaves(key):
                raise Left
            if zone is not None and zone.state == "running":
                self._type(key)

    def _leaves(self, key: bytes) -> bool:
        last, self._before = self._before[-2:] + key, (self._before + key)[-2:]
        if self._escape == b"~":
            return last.endswith(b"~.") and (len(last) == 2 or last[:1] in b"\r\n")  # noqa: PLR2004 - the two keys alone
        return self._escape is not None and key == self._escape

    def _type(self, key: bytes) -> None:
        if key in b"\r\n":
            self._screen.emit(b"\n")
            line, self._line = self._line, b""
            self._enter(line.decode("utf-8", "replace"))
        elif key in ERASE:
            if self._line:
                self._line = self._line[:-1]
                self._echo(b"\b \b")
        elif key in (KILL, INTERRUPT):
            self._line = b""
            self._screen.emit(b"^C\n" if key == INTERRUPT else b"^U\n")
            self._ask()
        elif key == END:
            if not self._line and self._user and not self._is_asked:
                self._screen.emit(b"logout\n")
                self._greet()
        else:
            self._line += key
            self._echo(key)

    def _echo(self, content: bytes) -> None:
        if not self._is_asked:
            self._screen.emit(content)

    def _enter(self, line: str) -> None:
        if self._is_asked:
            self._is_asked = False
            if self._user in KNOWN:
                self._screen.emit(b"Last login: Sun Nov 22 10:00:00 on console\n")
            else:
                self._screen.emit(b"Login incorrect\n")
                self._user = ""
        elif not self._user:
            self._user, self._is_asked = line.strip(), bool(line.strip())
        else:
            try:
                Shell(self._screen, self._zone, b"").line(line)
            except Exit:
                self._screen.emit(b"logout\n")
                self._user = "" if self._logs_in else "root"
        self._ask()

    def _notice(self, text: str) -> None:
        if not self._quiet:
            self._screen.emit(text.encode())


@contextlib.contextmanager
def _held(world: World, name: str) -> Iterator[None]:
    """The zone's console for one process; raises Refused while another has it."""
    path = world.path("var/run/zones", f"{name}.console_sock.lock")
    make_folder(path.rpartition("/")[0])
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(descriptor, 32, 0).decode() or "0"
            raise Refused(f"Zone is already in use by process ID {holder}.") from None
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        yield
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _raw() -> Iterator[None]:
    """Our own terminal as it is for programs that show another one."""
    if not os.isatty(IN):
        yield
        return
    import termios  # noqa: PLC0415 - only where there is a terminal
    import tty  # noqa: PLC0415 - only where there is a terminal

    before = termios.tcgetattr(IN)
    tty.setraw(IN)
    try:
        yield
    finally:
        with contextlib.suppress(termios.error):
            termios.tcsetattr(IN, termios.TCSADRAIN, before)
