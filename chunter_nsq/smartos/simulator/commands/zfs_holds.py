"""zfs hold and release: snapshots that may not be destroyed."""

from __future__ import annotations

import time

from chunter_nsq.smartos.simulator.commands.zfs_change import snapshot_named
from chunter_nsq.smartos.simulator.commands.zfs_list import Options
from chunter_nsq.smartos.simulator.pool import Pool
from chunter_nsq.smartos.simulator.process import Refused

TYPE_CHECKING = False
if TYPE_CHECKING:
    from chunter_nsq.smartos.simulator.process import Process


def hold(process: Process, words: list[str]) -> int:
    """``zfs hold [-r] tag ds@snap ...``."""
    return _change_holds(process, words, add=True)


def release(process: Process, words: list[str]) -> int:
    """``zfs release [-r] tag ds@snap ...``."""
    return _change_holds(process, words, add=False)


def _change_holds(process: Process, words: list[str], *, add: bool) -> int:
    options = Options(words, "")
    if len(options.names) < 2:  # noqa: PLR2004 - a tag and a snapshot
        raise Refused("missing snapshot argument\nusage: zfs hold|release ...", 2)
    tag, *names = options.names
    pool = Pool(process.root)
    with pool:
        for name in names:
            first = snapshot_named(pool, name)
            inside = [one for one in pool.snapshots(first.dataset, below=True) if one.short == first.short]
            for one in inside if "r" in options.flags else [first]:
                if add and tag in one.holds:
                    raise Refused(f"cannot hold snapshot '{one.name}': tag already exists on this dataset")
                if not add and tag not in one.holds:
                    raise Refused(f"cannot release hold from snapshot '{one.name}': no such tag on this dataset")
                if add:
                    one.holds[tag] = int(time.time())
                else:
                    del one.holds[tag]
                pool.set_holds(one)
    pool.close()
    return 0
