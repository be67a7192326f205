"""What goes into the archive: files, logs, and what the platform's tools say, each bounded in size and time."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

from chunter_nsq.doctor.patient import Patient
from chunter_nsq.errors import Fault
from chunter_nsq.smartos.runner import Runner

LOG_BYTES = 2**20  # of the end of each log
OUTPUT_BYTES = 2**20
_TOOL_SECONDS = 15.0
_AT_ONCE = 4
_LOGS = 20
SMF_LOG = "var/svc/log/network-chunter:default.log"

# Tools that only look, and print no metadata of machines.
TOOLS: dict[str, tuple[str, ...]] = {
    "uname": ("usr/bin/uname", "-a"),
    "sysinfo": ("usr/bin/sysinfo",),
    "zpool-list": ("usr/sbin/zpool", "list"),
    "zpool-status": ("usr/sbin/zpool", "status"),
    "zoneadm-list": ("usr/sbin/zoneadm", "list", "-cp"),
    "vmadm-list": ("usr/sbin/vmadm", "list"),
    "dladm-phys": ("usr/sbin/dladm", "show-phys", "-m"),
    "dladm-vnic": ("usr/sbin/dladm", "show-vnic"),
    "ipadm-addr": ("usr/sbin/ipadm", "show-addr"),
    "svcs-chunter": ("usr/bin/svcs", "-p", "chunter"),
    "svcs-trouble": ("usr/bin/svcs", "-xv"),
    "df": ("usr/sbin/df", "-h"),
    "swap": ("usr/sbin/swap", "-l"),
    "processes": ("usr/bin/ps", "-eo", "pid,ppid,zone,rss,etime,comm"),
    "zonememstat": ("usr/bin/zonememstat",),
    "ntp": ("usr/sbin/ntpq", "-pn"),
}


def logs(patient: Patient) -> dict[str, str]:
    """The ends of the SMF log and of the logs in the log folder, newest files first."""
    files = [patient.platform / SMF_LOG]
    if patient.paths.log.is_dir():
        found = [one for one in patient.paths.log.iterdir() if one.is_file() and not one.is_symlink()]
        files += sorted(found, key=lambda one: one.stat().st_mtime, reverse=True)[:_LOGS]
    return {file.name.replace(":", "_"): end_of(file) for file in files if file.is_file()}


def end_of(file: Path, limit_bytes: int = LOG_BYTES) -> str:
    """The last lines of a file; that something stands before them is said."""
    try:
        with file.open("rb") as opened:
            size = opened.seek(0, 2)
            opened.seek(max(size - limit_bytes, 0))
            text = opened.read(limit_bytes).decode("utf-8", "replace")
    except OSError as broken:
        return f"{file} cannot be read: {broken.strerror}\n"
    if size <= limit_bytes:
        return text
    # A secret that the cut went through could not be recognised: the first line goes.
    return f"(the last {limit_bytes} of {size} bytes)\n{text.partition(chr(10))[2]}"


async def outputs(patient: Patient) -> dict[str, str]:
    """What each tool says, or why it says nothing."""
    runner = Runner(patient.platform, timeout_seconds=_TOOL_SECONDS, output_limit_bytes=16 * OUTPUT_BYTES)
    places = asyncio.Semaphore(_AT_ONCE)

    async def said(argv: tuple[str, ...]) -> str:
        async with places:
            return await _said(runner, argv)

    texts = await asyncio.gather(*map(said, TOOLS.values()))
    await runner.close()
    return dict(zip(TOOLS, texts, strict=True))


async def _said(runner: Runner, argv: tuple[str, ...]) -> str:
    head = f"$ {' '.join(argv)}\n"
    if not (runner.root / argv[0]).is_file():
        return f"{head}(not on this platform)\n"
    try:
        done = await runner.run(argv)
    except Fault as refused:
        return f"{head}({refused.message})\n"
    output = done.stdout[:OUTPUT_BYTES].decode("utf-8", "replace")
    if len(done.stdout) > OUTPUT_BYTES:
        output = f"{output.rpartition(chr(10))[0]}\n(the first {OUTPUT_BYTES} of {len(done.stdout)} bytes)\n"
    return head + "".join(_parts(output, done.stderr, done.exit_status))


def _parts(output: str, stderr: str, status: int) -> Iterator[str]:
    yield output
    if stderr:
        yield f"(stderr) {stderr}\n"
    if status:
        yield f"(exit status {status})\n"
