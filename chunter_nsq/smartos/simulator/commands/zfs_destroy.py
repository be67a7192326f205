"""zfs destroy, with all that stands in its way: children, clones, holds."""

from __future__ import annotations

from chunter_nsq.smartos.simulator import contents
from chunter_nsq.smartos.simulator.bookmarks import SIGN, bookmark_named, unmark
from chunter_nsq.smartos.simulator.commands.zfs_change import only_name, tell
from chunter_nsq.smartos.simulator.commands.zfs_list import Options
from chunter_nsq.smartos.simulator.pool import Pool
from chunter_nsq.smartos.simulator.process import Refused

TYPE_CHECKING = False
if TYPE_CHECKING:
    from chunter_nsq.smartos.simulator.process import Process


def destroy(process: Process, words: list[str]) -> int:
    """``zfs destroy [-rRfd] ds`` or ``ds@snap[,snap...]``."""
    options = Options(words, "")
    name = only_name(options.names)
    pool = Pool(process.root)
    with pool:
        dataset, at, shorts = name.partition("@")
        if SIGN in name:
            touched = _destroy_bookmark(pool, name)
        elif at:
            touched = _destroy_snapshots(pool, dataset, shorts, options)
        else:
            _destroy_dataset(process.root, pool, name, options)
            touched = {name}
    pool.close()
    tell(process, touched)
    return 0


def _destroy_bookmark(pool: Pool, name: str) -> set[str]:
    one = bookmark_named(pool, name)
    if one is None:
        raise Refused(f"bookmark '{name}' does not exist.")
    unmark(pool, one)
    return {one.dataset}


def _destroy_dataset(root: str, pool: Pool, name: str, options: Options) -> None:
    if pool.dataset(name) is None:
        raise Refused(f"cannot open '{name}': dataset does not exist")
    inside = pool.datasets(name)
    snapshots = pool.snapshots(name, below=True)
    recursive = bool(options.flags & {"r", "R"})
    kind = inside[0].type
    if not recursive and (len(inside) > 1 or snapshots):
        names = [one.name for one in inside[1:]] + [one.name for one in snapshots]
        listing = "\n".join(names)
        raise Refused(
            f"cannot destroy '{name}': {kind} has children\nuse '-r' to destroy the following datasets:\n{listing}"
        )
    clones = [clone for one in snapshots for clone in pool.clones(one.name) if not _within(clone, name)]
    if clones and "R" not in options.flags:
        listing = "\n".join(clones)
        raise Refused(
            f"cannot destroy '{name}': {kind} has dependent clones\n"
            f"use '-R' to destroy the following datasets:\n{listing}"
        )
    held = [one for one in snapshots if one.holds]
    if held:
        raise Refused(f"cannot destroy '{held[0].name}': dataset is busy")
    for going in [*clones, *(one.name for one in reversed(inside))]:
        contents.forget(root, pool, going)
        pool.remove(going)


def _within(name: str, root: str) -> bool:
    return name == root or name.startswith(root + "/")


def _destroy_snapshots(pool: Pool, dataset: str, shorts: str, options: Options) -> set[str]:
    if pool.dataset(dataset) is None:
        raise Refused(f"cannot open '{dataset}': dataset does not exist")
    datasets = [one.name for one in pool.datasets(dataset)] if options.flags & {"r", "R"} else [dataset]
    wanted = set(shorts.split(","))
    found = [one for name in datasets for one in pool.snapshots(name) if one.short in wanted]
    if not found:
        raise Refused("could not find any snapshots to destroy; check snapshot names.")
    for one in found:
        clones = pool.clones(one.name)
        if clones and "R" not in options.flags:
            listing = "\n".join(clones)
            raise Refused(
                f"cannot destroy '{one.name}': snapshot has dependent clones\n"
                f"use '-R' to destroy the following datasets:\n{listing}"
            )
        if one.holds and "d" not in options.flags:
            raise Refused(f"cannot destroy snapshot {one.name}: dataset is busy")
    for one in found:
        if not one.holds:
            pool.remove_snapshot(one.dataset, one.short)
    return {one.dataset for one in found}
