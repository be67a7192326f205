"""The emulated machine: one process that ends with the tests, whatever they do.

Theory: software emulation, which is there wherever the program is; a kernel's own virtualisation would be faster, and
is missing or broken wherever tests usually run. Its time is that of what it executes, not this machine's: however busy
this one is, none of its limits is over sooner. Disks are thrown away as they were: what the machine writes goes to
files that have no name. It speaks on two serial lines: the tests' words on the first, the kernel's on the second.
"""

from __future__ import annotations

import re
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

from tools.openzfs.bed import Bed

MEMORY = "3G"
TIME = "shift=1,sleep=on"  # an instruction takes 2 ns; where there is none to execute, time passes as outside
LONGEST_SECONDS = 3 * 3600.0  # all tests take fifty minutes of a core, and may have a third of one
DIED = 99  # no status of pytest
_STATUS = re.compile(rb"\x1estatus (\d+)\r?\n")
_LAST_WORDS = 2000


def arguments(bed: Bed, disks: Sequence[Path], project: Path, console: Path) -> list[str]:
    """What the emulator is started with; the disks are the project's and Python's."""
    told = f"root=/dev/vda rw init=/usr/sbin/first bed.project={project} console=ttyS1 panic=-1 quiet fsck.mode=skip"
    drives = [
        word
        for disk in (bed.disk, *disks)
        for word in ("-drive", f"file={str(disk).replace(',', ',,')},format=raw,if=virtio,snapshot=on")
    ]
    return [
        "qemu-system-x86_64", "-accel", "tcg,thread=single", "-icount", TIME, "-rtc", "clock=vm",
        "-cpu", "max", "-m", MEMORY,
        "-nodefaults", "-no-user-config", "-no-reboot", "-display", "none",
        "-serial", "stdio", "-serial", f"file:{str(console).replace(',', ',,')}",
        "-kernel", str(bed.kernel), "-initrd", str(bed.initrd), "-append", told, *drives,
    ]  # fmt: skip


def run(argv: Sequence[str], console: Path) -> int:
    """Boot it, pass on what the tests say; their status, or DIED when the machine ended without one."""
    status = DIED
    with subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as child:
        watchdog = threading.Timer(LONGEST_SECONDS, child.kill)
        watchdog.start()
        try:
            for line in child.stdout or ():
                match = _STATUS.fullmatch(line)
                if match is not None:
                    status = int(match[1])
                else:
                    _pass_on(line)
        finally:
            watchdog.cancel()
            child.kill()
    if status == DIED:
        last = console.read_text(errors="replace")[-_LAST_WORDS:] if console.exists() else ""
        print(f"the emulated machine ended before its tests; its last words:\n{last}", file=sys.stderr)
    return status


def _pass_on(line: bytes) -> None:
    """A line as a terminal shows it in the end."""
    sys.stdout.buffer.write(line.rstrip(b"\r\n").rpartition(b"\r")[2] + b"\n")
    sys.stdout.buffer.flush()
