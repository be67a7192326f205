"""zfs: lists, properties, and the verbs that change the pool."""

from __future__ import annotations

from chunter_nsq.smartos.simulator.commands import zfs_change, zfs_destroy, zfs_holds, zfs_list, zfs_stream
from chunter_nsq.smartos.simulator.process import Refused

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from chunter_nsq.smartos.simulator.pace import Pace
    from chunter_nsq.smartos.simulator.process import Process

    Verb = Callable[[Process, list[str]], int]

USAGE = """\
usage: zfs command args ...
where 'command' is one of the following:

\tcreate, destroy, snapshot, rollback, clone, promote, rename, list, set, get, inherit,
\tmount, unmount, send, receive, hold, holds, release

For the property list, run: zfs set|get"""
VERBS: dict[str, Verb] = {
    "list": zfs_list.list_items, "get": zfs_list.get, "holds": zfs_list.holds,
    "create": zfs_change.create, "destroy": zfs_destroy.destroy, "snapshot": zfs_change.snapshot,
    "snap": zfs_change.snapshot, "rollback": zfs_change.rollback, "clone": zfs_change.clone,
    "rename": zfs_change.rename, "set": zfs_change.set_values, "inherit": zfs_change.inherit,
    "hold": zfs_holds.hold, "release": zfs_holds.release, "mount": zfs_change.mount, "unmount": zfs_change.mount,
    "umount": zfs_change.mount, "send": zfs_stream.send, "receive": zfs_stream.receive, "recv": zfs_stream.receive,
}  # fmt: skip


def run(process: Process, _pace: Pace) -> int:
    """Do what the arguments say; the exit status."""
    words = list(process.arguments)
    if not words:
        raise Refused("missing command\n" + USAGE, 2)
    if words[0] not in VERBS:
        raise Refused(f"unrecognized command '{words[0]}'\n{USAGE}", 2)
    return VERBS[words[0]](process, words[1:])
