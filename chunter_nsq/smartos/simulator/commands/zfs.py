"""zfs: lists, properties, and the verbs that change the pool."""

from __future__ import annotations

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

\tcreate [-p] [-o property=value] ... <filesystem>
\tcreate [-ps] [-b blocksize] [-o property=value] ... -V <size> <volume>
\tdestroy [-fnpRrv] <filesystem|volume>
\tdestroy [-dnpRrv] <filesystem|volume>@<snap>[%<snap>][,...]
\tdestroy <filesystem|volume>#<bookmark>

\tsnapshot|snap [-r] [-o property=value] ... <filesystem|volume>@<snap> ...
\trollback [-rRf] <snapshot>
\tclone [-p] [-o property=value] ... <snapshot> <filesystem|volume>
\tpromote <clone-filesystem>
\trename [-f] <filesystem|volume|snapshot> <filesystem|volume|snapshot>
\trename [-f] -p <filesystem|volume> <filesystem|volume>
\tbookmark <snapshot> <bookmark>

\tlist [-Hp] [-r|-d max] [-o property[,...]] [-s property]...
\t    [-S property]... [-t type[,...]] [filesystem|volume|snapshot] ...
\tset <property=value> ... <filesystem|volume|snapshot> ...
\tget [-rHp] [-d max] [-o "all" | field[,...]]
\t    [-t type[,...]] [-s source[,...]]
\t    <"all" | property[,...]> [filesystem|volume|snapshot|bookmark] ...
\tinherit [-rS] <property> <filesystem|volume|snapshot> ...

\tmount [-vO] [-o opts] <-a | filesystem>
\tunmount|umount [-f] <-a | filesystem|mountpoint>

\tsend [-DnPpRvLec] [-[iI] snapshot] <snapshot>
\tsend [-LPcenv] [-i snapshot|bookmark] <filesystem|volume|snapshot>
\treceive|recv [-vnFu] <filesystem|volume|snapshot>

\thold [-r] <tag> <snapshot> ...
\tholds [-r] <snapshot> ...
\trelease [-r] <tag> <snapshot> ...

Each dataset is of the form: pool/[dataset/]*dataset[@name]

For the property list, run: zfs set|get"""
# The module of each verb, which is imported when it is typed, and what plays it there.
VERBS = {
    "list": ("zfs_list", "list_items"), "get": ("zfs_list", "get"), "holds": ("zfs_list", "holds"),
    "create": ("zfs_change", "create"), "destroy": ("zfs_destroy", "destroy"), "snapshot": ("zfs_change", "snapshot"),
    "snap": ("zfs_change", "snapshot"), "rollback": ("zfs_change", "rollback"), "clone": ("zfs_change", "clone"),
    "rename": ("zfs_change", "rename"), "set": ("zfs_change", "set_values"), "inherit": ("zfs_change", "inherit"),
    "hold": ("zfs_holds", "hold"), "release": ("zfs_holds", "release"), "mount": ("zfs_mount", "mount"),
    "unmount": ("zfs_mount", "unmount"), "umount": ("zfs_mount", "unmount"), "bookmark": ("zfs_bookmark", "bookmark"),
    "promote": ("zfs_bookmark", "promote"), "send": ("zfs_stream", "send"), "receive": ("zfs_stream", "receive"),
    "recv": ("zfs_stream", "receive"),
}  # fmt: skip


def run(process: Process, _pace: Pace) -> int:
    """Do what the arguments say; the exit status."""
    words = list(process.arguments)
    if not words:
        raise Refused("missing command\n" + USAGE, 2)
    if words[0] not in VERBS:
        raise Refused(f"unrecognized command '{words[0]}'\n{USAGE}", 2)
    module, name = VERBS[words[0]]
    play: Verb = getattr(__import__(f"chunter_nsq.smartos.simulator.commands.{module}", fromlist=[name]), name)
    return play(process, words[1:])
