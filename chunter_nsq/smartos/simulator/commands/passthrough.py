"""zfs and zpool of a simulated host whose datasets are real: this machine's own, under the simulated host's names."""

from __future__ import annotations

import time

from chunter_nsq.smartos.simulator import realzfs
from chunter_nsq.smartos.simulator.process import Refused
from chunter_nsq.smartos.simulator.realnames import real_names

TYPE_CHECKING = False
if TYPE_CHECKING:
    from chunter_nsq.smartos.simulator.pace import Pace
    from chunter_nsq.smartos.simulator.process import Process
    from chunter_nsq.smartos.simulator.realnames import RealNames

STREAMS = ("send", "receive", "recv")
CHANGES = ("snapshot", "snap", "destroy", "rollback", "set", "inherit", "rename", "receive", "recv")
HEALTHY = "pool 'zones' is healthy\n"


def run(process: Process, _pace: Pace) -> int:
    """Do what the arguments say; the exit status."""
    names = real_names(process.root)
    if names is None:
        raise Refused(f"{process.tool}: this host's datasets are not real")
    return _zfs(process, names) if process.tool == "zfs" else _zpool(process, names)


def _zfs(process: Process, names: RealNames) -> int:
    words = list(process.arguments)
    verb = words[0] if words else ""
    if verb in STREAMS and not _only_looks(verb, words):
        status = realzfs.stream(process, names, words)
    else:
        said = _said(verb, [names.real(word) for word in _below(words)])
        process.out(names.simulated(said.out))
        if said.err:
            process.err(names.simulated(said.err).rstrip("\n"))
        status = said.status
    if status == 0 and verb in CHANGES:
        from chunter_nsq.smartos.simulator.commands.zfs_change import tell  # noqa: PLC0415 - most only look

        tell(process, {word.partition("@")[0] for word in words[1:] if word.startswith("zones/")})
    return status


def _said(verb: str, words: list[str]) -> realzfs.Said:
    """What it says; a dataset that a ZFS in user space lets go of too late is not busy on the platform."""
    said = realzfs.run("zfs", words)
    give_up_at = time.monotonic() + realzfs.BUSY_SECONDS
    datasets = [word for word in words[1:] if not word.startswith("-")]
    late = verb in ("destroy", "rename") and not any("@" in word for word in datasets)
    was_mounted = late and verb == "rename" and realzfs.BUSY in said.err and _unmount(datasets[0])
    while late and said.status != 0 and realzfs.BUSY in said.err and time.monotonic() < give_up_at:
        time.sleep(realzfs.PAUSE_SECONDS)
        said = realzfs.run("zfs", words)
    if was_mounted:
        realzfs.run("zfs", ["mount", datasets[-1] if said.status == 0 else datasets[0]])
    return said


def _unmount(dataset: str) -> bool:
    """Whether it was mounted, and is no longer."""
    return realzfs.run("zfs", ["unmount", dataset]).status == 0


def _only_looks(verb: str, words: list[str]) -> bool:
    """Whether a send only says how long its stream would be."""
    return verb == "send" and any(word.startswith("-") and "n" in word and word != "--saved" for word in words[1:])


def _below(words: list[str]) -> list[str]:
    """A listing that names nothing means this host's own datasets, not all that this machine has."""
    if words[:1] == ["list"] and not any(word.startswith("zones") for word in words[1:]):
        return [*words, "-r", "zones"]
    return words


def _zpool(process: Process, names: RealNames) -> int:
    words = list(process.arguments)
    named = "zones" in words
    if words and words[0] in ("list", "status", "iostat") and not named:
        words.append("zones")
    said = realzfs.run("zpool", [names.real_pool(word) for word in words])
    text = names.simulated_pool(said.out)
    process.out("all pools are healthy\n" if text == HEALTHY and not named else text)
    if said.err:
        process.err(names.simulated_pool(said.err).rstrip("\n"))
    return said.status
