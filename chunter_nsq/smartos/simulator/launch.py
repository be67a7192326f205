"""The door of every simulated executable.

Responsibilities: find the platform root from the launcher's own path, apply the faults that were set, let the
latency of the verb pass, run the tool, and append one line about the invocation to ``invocations.jsonl``.

Theory: a launcher is four lines of Python that call :func:`main`; the tool is a function from a
:class:`~chunter_nsq.smartos.simulator.process.Process` to an exit status. Only what a tool needs is imported,
because the whole of it starts thousands of times.

Not promised: a line about an invocation that was killed with SIGKILL.
"""

from __future__ import annotations

import _signal as signal  # type: ignore[import-not-found] # as signal, without enum and half of what else is imported
import os
import sys
import time

from chunter_nsq.smartos.simulator import faults
from chunter_nsq.smartos.simulator.files import append_bytes
from chunter_nsq.smartos.simulator.pace import Pace
from chunter_nsq.smartos.simulator.process import Process, Refused

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

# Where each tool lives on the platform, and the module of .commands that plays it.
TOOLS: dict[str, tuple[str, str]] = {
    "zoneadm": ("usr/sbin", "zoneadm"),
    "zonecfg": ("usr/sbin", "zonecfg"),
    "vmadm": ("usr/sbin", "vmadm"),
    "imgadm": ("usr/sbin", "imgadm"),
    "fwadm": ("usr/sbin", "fwadm"),
    "zfs": ("usr/sbin", "zfs"),
    "zpool": ("usr/sbin", "zpool"),
    "dladm": ("usr/sbin", "links"),
    "ipadm": ("usr/sbin", "links"),
    "nictagadm": ("usr/sbin", "nictagadm"),
    "prtconf": ("usr/sbin", "hostfacts"),
    "sysinfo": ("usr/bin", "hostfacts"),
    "uname": ("usr/bin", "hostfacts"),
    "svcs": ("usr/bin", "svcs"),
    "svcadm": ("usr/sbin", "svcadm"),
    "svccfg": ("usr/sbin", "svccfg"),
    "svcprop": ("usr/bin", "svcprop"),
    "pgrep": ("usr/bin", "pgrep"),
    "kstat": ("usr/bin", "kstat"),
    "zlogin": ("usr/sbin", "zlogin"),
}
REAL = "passthrough"  # plays those of a host whose datasets are real
# Verbs that let their time pass step by step themselves.
STEPPED = frozenset(
    {
        "vmadm create", "vmadm start", "vmadm boot", "vmadm stop", "vmadm halt", "vmadm reboot", "vmadm delete",
        "vmadm destroy", "vmadm rollback-snapshot", "vmadm events", "vmadm reprovision",
        "zoneadm boot", "zoneadm halt", "zoneadm reboot", "zoneadm shutdown", "zoneadm install", "zoneadm uninstall",
        "imgadm import",
    }
)  # fmt: skip
ABORTED = 134
ALIASES = {"boot": "start", "halt": "stop", "destroy": "delete"}


class Killed(BaseException):
    """A signal asked the process to end."""


def main(tool: str, launcher: str) -> None:
    """Play ``tool`` for the platform root that holds ``launcher``; does not return."""
    began, started = time.time(), time.monotonic()
    root = os.path.realpath(launcher).rsplit("/", 3)[0]
    process = Process(root, tool, sys.argv[1:])
    signal.signal(signal.SIGTERM, _end)
    try:
        status = _play(process)
    except Killed:
        _record(process, began, -signal.SIGTERM, time.monotonic() - started)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGTERM)
        return
    except KeyboardInterrupt:
        status = 130
    except Exception:  # noqa: BLE001 - a fault of ours ends like the platform's own: a stack on stderr, and 134
        import traceback  # noqa: PLC0415 - hardly ever needed

        traceback.print_exc()
        status = ABORTED
    process.flush()
    _record(process, began, status, time.monotonic() - started)
    os._exit(status)


def _end(_signal: int, _frame: FrameType | None) -> None:
    raise Killed


def _play(process: Process) -> int:
    fault = faults.take(process.root, process.tool, process.arguments)
    if fault is not None:
        status = faults.strike(fault, process)
        if status is not None:
            return status
    verb = verb_of(process.tool, process.arguments)
    kill_after = fault.get("kill_after") if fault else None
    paced = ALIASES.get(verb, verb) if process.tool == "vmadm" else verb
    pace = Pace(process.root, process.tool, paced, kill_after)
    if f"{process.tool} {verb}" not in STEPPED:
        pace.whole()
    run = _tool(process.tool, process.root)
    try:
        return faults.aftermath(fault, process, run(process, pace))
    except Refused as refusal:
        process.err(refusal.text)
        return refusal.status


def verb_of(tool: str, arguments: tuple[str, ...]) -> str:
    """The subcommand among the arguments: the first that is neither an option nor the value of -z, -u or -R."""
    values = ("-z", "-u", "-R") if tool in ("zoneadm", "zonecfg", "svcadm") else ()
    previous = ""
    for argument in arguments:
        if not argument.startswith("-") and previous not in values:
            return argument
        previous = argument
    return ""


def _tool(tool: str, root: str) -> Callable[[Process, Pace], int]:
    player = REAL if tool in ("zfs", "zpool") and _is_real(root) else TOOLS[tool][1]
    module = __import__(f"chunter_nsq.smartos.simulator.commands.{player}", fromlist=["run"])
    run: Callable[[Process, Pace], int] = module.run
    return run


def _is_real(root: str) -> bool:
    from chunter_nsq.smartos.simulator.host import is_real  # noqa: PLC0415 - the other tools need not know

    return is_real(root)


def _record(process: Process, began: float, status: int, seconds: float) -> None:
    moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(began)) + f".{int(began % 1 * 1000):03d}Z"
    argv = ", ".join(_quoted(word) for word in (process.tool, *process.arguments))
    line = f'{{"time": "{moment}", "argv": [{argv}], "exit": {status}, "seconds": {seconds:.4f}}}\n'
    append_bytes(process.path("invocations.jsonl"), line.encode())


def _quoted(word: str) -> str:
    if word.isascii() and word.isprintable() and '"' not in word and "\\" not in word:
        return f'"{word}"'
    import json  # noqa: PLC0415 - plain words do without it

    return json.dumps(word)
