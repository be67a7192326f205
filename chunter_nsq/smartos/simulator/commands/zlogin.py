"""zlogin: a program in a zone, played by a shell that knows a dozen commands and nothing of the machine it runs on.

Not promised: a shell. Words are taken apart as a Bourne shell does, `;`, `&&` and `||` join commands, `>&2` sends a
command's output to standard error, `<` and pipes are not known. Files are those below the zone's root, for reading.
"""

from __future__ import annotations

import os
import time

from chunter_nsq.smartos.simulator.commands.options import Unknown, take
from chunter_nsq.smartos.simulator.files import is_folder, names, read_bytes
from chunter_nsq.smartos.simulator.process import ERR, Refused, write_all
from chunter_nsq.smartos.simulator.shellwords import Unfinished, split
from chunter_nsq.smartos.simulator.world import World

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from chunter_nsq.smartos.simulator.pace import Pace
    from chunter_nsq.smartos.simulator.process import Process
    from chunter_nsq.smartos.simulator.world import Zone

USAGE = """\
usage: zlogin [ -dinQCES ] [ -e cmdchar ] [ -l user ] zonename [command [args ...] ]
       zlogin [ -nQ ] [ -l user ] zonename command [args ...]"""
LATER = frozenset({"installed", "ready", "shutting_down", "down"})
NOT_FOUND, SYNTAX = 127, 2


class Exit(Exception):
    """The shell ends."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


def run(process: Process, _pace: Pace) -> int:
    """Do what the arguments say; the exit status is the program's."""
    try:
        options, words = take(process.arguments, "dinQCESIe:l:")
    except Unknown as unknown:
        raise Refused(f"zlogin: illegal option -- {unknown}\n{USAGE}", 2) from unknown
    if not words:
        raise Refused(USAGE, 2)
    name, *command = words
    if name == "global":
        raise Refused("zlogin: 'zlogin' not applicable to the global zone")
    zone = World(process.root).zone(name)
    if zone is None:
        raise Refused(f"zlogin: zone '{name}' unknown")
    if ("C", "") in options or ("I", "") in options:
        return _console(process, zone, options)
    _check(zone)
    if not command:
        return 0
    if zone.brand in ("kvm", "bhyve"):
        raise Refused("zlogin: unable to find 'su' command")
    closed = ("n", "") in options
    shell = Shell(process, zone, b"" if closed else None)
    try:
        return shell.line(" ".join(command))
    except Exit as end:
        return end.status


def _console(process: Process, zone: Zone, options: list[tuple[str, str]]) -> int:
    """Whoever is connected may watch a zone boot, so it need not run yet."""
    from chunter_nsq.smartos.simulator.console import Console  # noqa: PLC0415 - most logins are not to a console

    if zone.state in ("configured", "incomplete"):
        raise Refused(f"zlogin: cannot login to a zone which is '{zone.state}'")
    key = next((value for name, value in options if name == "e"), "~")
    escape = None if ("E", "") in options else key.encode("utf-8", "surrogateescape")
    logs_in = ("C", "") in options and zone.brand not in ("kvm", "bhyve")
    return Console(process, zone, escape=escape, quiet=("Q", "") in options, logs_in=logs_in).run()


def _check(zone: Zone) -> None:
    if zone.state == "running":
        return
    if zone.state in LATER:
        raise Refused(f"zlogin: login allowed only to running zones ({zone.name} is '{zone.state}').")
    raise Refused(f"zlogin: cannot login to a zone which is '{zone.state}'")


class Shell:
    """Root's shell in a zone."""

    def __init__(self, process: Process, zone: Zone, stdin: bytes | None) -> None:
        self._process = process
        self._zone = zone
        self._root = f"{process.root}{zone.path}/root"
        self._stdin = stdin
        self._to_err = False

    def line(self, text: str) -> int:
        """Run a line; the status of its last command."""
        try:
            words = split(text)
        except Unfinished:
            self._complain("syntax error: unexpected end of file")
            return SYNTAX
        status, joint, command = 0, ";", list[str]()
        for word, joins in [*words, (";", True)]:
            if not joins:
                command.append(word)
                continue
            if command and (joint == ";" or (joint == "&&") == (status == 0)):
                status = self._command(command)
            if command or word != ";":
                joint, command = word, []
        return status

    def _command(self, words: list[str]) -> int:
        self._to_err = words[-1] in (">&2", "1>&2")
        if self._to_err:
            words = words[:-1]
        play = COMMANDS.get(words[0].rpartition("/")[2]) if words else None
        if play is None:
            self._complain(f"{words[0] if words else ''}: not found")
            return NOT_FOUND
        status = play(self, words[1:])
        self._process.flush()
        return status

    def _complain(self, text: str) -> None:
        self._process.err(f"bash: {text}")

    def say(self, content: bytes) -> None:
        """Output of a command, at once."""
        if self._to_err:
            write_all(ERR, content)
        else:
            self._process.emit(content)

    def read(self) -> bytes:
        """Standard input, as far as nobody has read it."""
        content = self._process.stdin() if self._stdin is None else self._stdin
        self._stdin = b""
        return content

    def place(self, path: str) -> str | None:
        """A file of the zone; None for what lies outside."""
        found = os.path.realpath(f"{self._root}/{path.lstrip('/')}")
        root = os.path.realpath(self._root)
        return found if found == root or found.startswith(root + "/") else None

    def echo(self, words: list[str]) -> int:
        """Its words."""
        newline = b"" if words[:1] == ["-n"] else b"\n"
        self.say(" ".join(words[1:] if not newline else words).encode("utf-8", "surrogateescape") + newline)
        return 0

    def cat(self, words: list[str]) -> int:
        """Files, or standard input."""
        status = 0
        for word in words or ["-"]:
            place = self.place(word)
            content = self.read() if word == "-" else (read_bytes(place) if place and not is_folder(place) else None)
            if content is None:
                self._process.err(f"cat: cannot open {word}: No such file or directory")
                status = 2
            else:
                self.say(content)
        return status

    def ls(self, words: list[str]) -> int:
        """Names in folders."""
        status = 0
        for word in [word for word in words if not word.startswith("-")] or ["/root"]:
            place = self.place(word)
            if place is None or not is_folder(place):
                is_file = place is not None and read_bytes(place) is not None
                if is_file:
                    self.say(f"{word}\n".encode())
                elif word != "/root":
                    self._process.err(f"{word}: No such file or directory")
                    status = 2
                continue
            self.say("".join(f"{name}\n" for name in names(place)).encode())
        return status

    def hostname(self, _words: list[str]) -> int:
        """The zone's."""
        from chunter_nsq.smartos.simulator.machine import Machines  # noqa: PLC0415 - rarely asked

        vm = Machines(World(self._process.root)).get(self._zone.name) or {}
        self.say(f"{vm.get('hostname') or self._zone.name}\n".encode())
        return 0

    def sleep(self, words: list[str]) -> int:
        """Let time pass."""
        try:
            seconds = float(words[0])
        except (IndexError, ValueError):
            self._process.err("usage: sleep time")
            return SYNTAX
        time.sleep(seconds)
        return 0

    def sh(self, words: list[str]) -> int:
        """A shell in the shell."""
        if words[:1] != ["-c"] or len(words) < 2:  # noqa: PLR2004 - the option and its text
            return self.line(self.read().decode("utf-8", "replace")) if not words else NOT_FOUND
        inner = Shell(self._process, self._zone, self._stdin)
        try:
            return inner.line(words[1])
        except Exit as end:
            return end.status
        finally:
            self._stdin = inner._stdin  # what it has read is gone for the outer one too

    def id(self, _words: list[str]) -> int:
        """Who it is."""
        self.say(b"uid=0(root) gid=0(root)\n")
        return 0

    def pwd(self, _words: list[str]) -> int:
        """Where it is."""
        self.say(b"/root\n")
        return 0

    def leave(self, words: list[str]) -> int:
        """The end of the shell."""
        raise Exit(int(words[0]) & 0xFF if words and words[0].isdigit() else 0)


COMMANDS: dict[str, Callable[[Shell, list[str]], int]] = {
    "echo": Shell.echo, "cat": Shell.cat, "ls": Shell.ls, "hostname": Shell.hostname, "sleep": Shell.sleep,
    "sh": Shell.sh, "bash": Shell.sh, "exit": Shell.leave, "true": lambda _shell, _words: 0,
    "false": lambda _shell, _words: 1, ":": lambda _shell, _words: 0,
    "id": Shell.id, "pwd": Shell.pwd,
}  # fmt: skip
