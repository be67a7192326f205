"""zfs bookmark and promote."""

from __future__ import annotations

from chunter_nsq.smartos.simulator.bookmarks import SIGN, bookmark_named, mark
from chunter_nsq.smartos.simulator.commands.zfs_change import only_name, snapshot_named
from chunter_nsq.smartos.simulator.commands.zfs_list import Options
from chunter_nsq.smartos.simulator.pool import Pool
from chunter_nsq.smartos.simulator.process import Refused

TYPE_CHECKING = False
if TYPE_CHECKING:
    from chunter_nsq.smartos.simulator.process import Process


def bookmark(process: Process, words: list[str]) -> int:
    """``zfs bookmark ds@snap ds#mark`` (or ``#mark``)."""
    options = Options(words, "")
    if len(options.names) != 2:  # noqa: PLR2004 - a snapshot and its mark
        raise Refused("missing bookmark argument\nusage:\n\tbookmark <snapshot> <bookmark>", 2)
    name, target = options.names
    dataset = name.partition("@")[0]
    target = dataset + target if target.startswith(SIGN) else target
    pool = Pool(process.root)
    with pool:
        snapshot = snapshot_named(pool, name)
        place, _, short = target.partition(SIGN)
        if place != dataset or not short:
            raise Refused(f"cannot create bookmark '{target}': bookmark is in a different dataset")
        if bookmark_named(pool, target) is not None:
            raise Refused(f"cannot create bookmark '{target}': bookmark exists")
        mark(pool, snapshot, short)
    pool.close()
    return 0


def promote(process: Process, words: list[str]) -> int:
    """``zfs promote clone``: the clone and what it was made of change places."""
    name = only_name(Options(words, "").names)
    pool = Pool(process.root)
    with pool:
        one = pool.dataset(name)
        if one is None:
            raise Refused(f"cannot open '{name}': dataset does not exist")
        if not one.origin:
            raise Refused(f"cannot promote '{name}': not a cloned filesystem")
        pool.promote(name)
    pool.close()
    return 0
