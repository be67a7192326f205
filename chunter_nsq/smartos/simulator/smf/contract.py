"""A process contract: a method and everything that it starts, whoever its parent becomes.

The holder, a process of its own, adopts what loses its parent (it is a subreaper), so that the members of a contract
are its descendants and its number is the contract's. It says on stdout which process the method is and how that ended,
and ends when nobody is left, or, with everybody in it, when its stdin closes.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import shlex
import signal
import subprocess  # noqa: TID251 - the simulator is the platform, and starts what the platform would
import sys
import time

from chunter_nsq.smartos.simulator.files import read_bytes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

PR_SET_CHILD_SUBREAPER = 36
METHOD_SHELL = b"#!/sbin/sh"  # the platform's; other systems keep theirs in /bin
NOT_STARTED = 127


def argv_of(command: str, tokens: Mapping[str, str]) -> list[str]:
    """The words of a method's command line, with %-tokens filled in."""
    for token, value in tokens.items():
        command = command.replace(token, value)
    words = shlex.split(command)
    try:
        with open(words[0], "rb") as file:  # noqa: PTH123 - as elsewhere here, without pathlib
            is_shell = file.readline().startswith(METHOD_SHELL)
    except OSError:
        is_shell = False
    return ["/bin/sh", *words] if is_shell else words


def members(contract: int) -> list[int]:
    """The living processes of a contract."""
    children: dict[int, list[int]] = {}
    for name in os.listdir("/proc"):  # noqa: PTH208 - as elsewhere here, without pathlib
        if name.isdigit():
            with contextlib.suppress(OSError):
                fields = (read_bytes(f"/proc/{name}/stat") or b"0 (gone) X 0").rpartition(b")")[2].split()
                if fields[0] not in (b"Z", b"X"):
                    children.setdefault(int(fields[1]), []).append(int(name))
    found, waiting = [], list(children.get(contract, ()))
    while waiting:
        one = waiting.pop()
        found.append(one)
        waiting += children.get(one, ())
    return sorted(found)


def hold(argv: list[str], folder: str) -> None:
    """Be the holder; ends the process."""
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    wake, poke = os.pipe()
    os.set_blocking(poke, False)
    signal.set_wakeup_fd(poke, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    said = os.dup(1)
    os.dup2(2, 1)  # the method's stdout goes where its stderr goes: into the log
    nothing = os.open("/dev/null", os.O_RDONLY)
    try:
        child = subprocess.Popen(argv, cwd=folder, stdin=nothing, restore_signals=True, preexec_fn=_as_usual)  # noqa: PLW1509 - no threads here
    except OSError as fault:
        os.write(2, f"svc.startd could not run {argv[0]}: {fault.strerror}\n".encode())
        os.write(said, f"ended {NOT_STARTED}\n".encode())
        os._exit(0)
    os.write(said, f"started {child.pid}\n".encode())
    while _reap(child.pid, said):
        ready, _, _ = select.select([wake, 0], [], [])
        if 0 in ready and not os.read(0, 64):
            _end_all()
        if wake in ready:
            os.read(wake, 64)
    os._exit(0)


def _as_usual() -> None:
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD):
        signal.signal(number, signal.SIG_DFL)
    os.setsid()


def _reap(child: int, said: int) -> bool:
    """Take in those that ended; whether anybody is left."""
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return False
        if pid == 0:
            return True
        if pid == child:
            with contextlib.suppress(BrokenPipeError):
                os.write(said, f"ended {os.waitstatus_to_exitcode(status)}\n".encode())


def _end_all() -> None:
    """The host lost its power."""
    while found := members(os.getpid()):
        for pid in found:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        time.sleep(0.005)
    os._exit(0)


if __name__ == "__main__":
    hold(sys.argv[2:], sys.argv[1])
