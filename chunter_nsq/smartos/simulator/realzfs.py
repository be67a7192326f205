"""This machine's own ``zfs`` and ``zpool``, as the simulated host's tools run them.

Streams pass untouched: ``send`` and ``receive`` get this process's own standard output and input. Everything else is
read, and the names in it are put back to those of the simulated host.
"""

from __future__ import annotations

import os
import signal
import subprocess  # noqa: TID251 - the simulator is the platform, and starts what the platform would
import time

from chunter_nsq.smartos.simulator.files import exists
from chunter_nsq.smartos.simulator.process import ERR, OUT, Refused, write_all
from chunter_nsq.smartos.simulator.realnames import TOOLS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from chunter_nsq.smartos.simulator.process import Process
    from chunter_nsq.smartos.simulator.realnames import RealNames

BLOCK_BYTES = 2**20
BUSY = "dataset is busy"
BUSY_SECONDS, PAUSE_SECONDS = 5.0, 0.05
PR_SET_PDEATHSIG = 1
SHELL_SIGNAL_BASE = 128


class Said:
    """What a command said and how it ended."""

    def __init__(self, status: int, out: str, err: str) -> None:
        self.status = status
        self.out = out
        self.err = err


def tool(name: str) -> str:
    """The path of this machine's own tool."""
    for folder in TOOLS:
        if exists(f"{folder}/{name}"):
            return f"{folder}/{name}"
    raise Refused(f"{name}: this machine has no ZFS, and the simulated host was made to use it")


def run(name: str, words: list[str]) -> Said:
    """Run a command with real names in it to its end."""
    done = subprocess.run([tool(name), *words], capture_output=True, check=False)
    return Said(done.returncode, done.stdout.decode(errors="surrogateescape"), done.stderr.decode(errors="replace"))


def zfs(names: RealNames, *words: str) -> str:
    """What ``zfs`` says to words with simulated names, in simulated names.

    Raises:
        Refused: it failed, in its own words.
    """
    said = run("zfs", [names.real(word) for word in words])
    if said.status != 0:
        raise Refused(f"Command failed: {names.simulated(said.err).strip()}")
    return names.simulated(said.out)


def patiently(names: RealNames, *words: str) -> str:
    """The same, tried again for a while when a dataset is busy: a ZFS in user space lets go of it some time later.

    Raises:
        Refused: it failed, or stays busy.
    """
    give_up_at = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            return zfs(names, *words)
        except Refused as refusal:
            if BUSY not in refusal.text or time.monotonic() > give_up_at:
                raise
        time.sleep(PAUSE_SECONDS)


def stream(process: Process, names: RealNames, words: list[str]) -> int:
    """Run ``zfs send`` or ``receive`` on this process's own input and output; the exit status."""
    hearing, speaking = os.pipe()
    out_hearing, out_speaking = os.pipe() if process.limit_bytes is not None else (-1, -1)
    argv = [tool("zfs"), *map(names.real, words)]
    child = os.fork()
    if child == 0:
        if out_speaking >= 0:
            os.dup2(out_speaking, OUT)
        os.dup2(speaking, ERR)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        _die_with_parent()
        os.execv(argv[0], argv)  # noqa: S606 - the platform's own tool, by its path
    os.close(speaking)
    cut_off = False
    try:
        if out_speaking >= 0:
            os.close(out_speaking)
            cut_off = _pass_on(out_hearing, process.limit_bytes or 0)
        _let_go_of_the_stream()
        complaint = b"".join(iter(lambda: os.read(hearing, BLOCK_BYTES), b""))
        _, status = os.waitpid(child, 0)
    except BaseException:
        os.kill(child, signal.SIGTERM)
        raise
    if cut_off:
        return 0  # on purpose: what it has to say about that is not meant
    write_all(ERR, names.simulated(complaint.decode(errors="replace")).encode())
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else SHELL_SIGNAL_BASE - code


def _pass_on(descriptor: int, limit_bytes: int) -> bool:
    """Pass on so much and no more; whether that was not all."""
    while limit_bytes > 0 and (block := os.read(descriptor, min(limit_bytes, BLOCK_BYTES))):
        write_all(OUT, block)
        limit_bytes -= len(block)
    more = bool(os.read(descriptor, 1))
    os.close(descriptor)
    return more


def _let_go_of_the_stream() -> None:
    """Hold no end of what the child reads and writes: others wait for it to be closed."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    os.dup2(nowhere, 0)
    os.dup2(nowhere, OUT)


def _die_with_parent() -> None:
    try:
        import ctypes  # noqa: PLC0415 - only streams need it

        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    except (AttributeError, ImportError, OSError):  # not Linux: the group is killed as a whole, as it should be
        return
