"""The zfs verbs that change the pool, with the platform's refusals."""

from __future__ import annotations

import re

from chunter_nsq.smartos.simulator import contents
from chunter_nsq.smartos.simulator.bookmarks import newer_marks, unmark
from chunter_nsq.smartos.simulator.commands.zfs_list import Options
from chunter_nsq.smartos.simulator.files import exists
from chunter_nsq.smartos.simulator.pool import SNAPSHOT_BYTES, Pool, Snapshot
from chunter_nsq.smartos.simulator.poolhealth import refuse_when_full
from chunter_nsq.smartos.simulator.process import Refused
from chunter_nsq.smartos.simulator.world import World
from chunter_nsq.smartos.simulator.zfsvalues import SETTABLE, SHORT, SIZES, bytes_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from chunter_nsq.smartos.simulator.process import Process

NAME = re.compile(r"[A-Za-z0-9_.:%-]+(/[A-Za-z0-9_.:%-]+)*")
SNAPSHOT = re.compile(r"[A-Za-z0-9_.:% -]+")


def create(process: Process, words: list[str]) -> int:
    """``zfs create [-p] [-o p=v] [-V size [-s] [-b block]] name``."""
    options = Options(words, "oVb")
    name = only_name(options.names)
    local = dict(_assignment(value) for value in options.values.get("o", []))
    kind = "filesystem"
    if "V" in options.values:
        kind = "volume"
        local["volsize"] = bytes_of(options.values["V"][-1])
        local["volblocksize"] = bytes_of(options.values.get("b", ["8192"])[-1])
        if "s" not in options.flags:
            local.setdefault("refreservation", str(int(local["volsize"]) * 33 // 32))
    pool = Pool(process.root)
    with pool:
        _may_create(process.root, pool, name, f"cannot create '{name}'", parents="p" in options.flags)
        pool.add(name, kind, local, refer=57344 if kind == "volume" else 98304)
    pool.close()
    return 0


def _may_create(root: str, pool: Pool, name: str, attempt: str, *, parents: bool = False) -> None:
    if not NAME.fullmatch(name):
        raise Refused(f"{attempt}: invalid character in name")
    if pool.dataset(name) is not None:
        raise Refused(f"{attempt}: dataset already exists")
    parent = name.rpartition("/")[0]
    if pool.dataset(parent) is None:
        if not parents or "/" not in name:
            raise Refused(f"{attempt}: parent does not exist")
        _may_create(root, pool, parent, attempt, parents=True)
        pool.add(parent)
    refuse_when_full(root, pool, attempt)


def snapshot(process: Process, words: list[str]) -> int:
    """``zfs snapshot [-r] ds@snap ...``: all of them or none, at one instant."""
    options = Options(words, "o")
    if not options.names:
        raise Refused("missing snapshot argument\nusage: zfs snapshot ...", 2)
    pool = Pool(process.root)
    with pool:
        wanted: list[tuple[str, str]] = []
        for name in options.names:
            dataset, at, short = name.partition("@")
            if not at or not SNAPSHOT.fullmatch(short):
                raise Refused(f"cannot create snapshot '{name}': invalid character in name")
            if pool.dataset(dataset) is None:
                text = f"cannot open '{dataset}': dataset does not exist"
                raise Refused(
                    f"{text}\nusage:\n\tsnapshot [-r] [-o property=value] ... <filesystem|volume>@<snap> ...", 2
                )
            wanted += (
                [(one.name, short) for one in pool.datasets(dataset)] if "r" in options.flags else [(dataset, short)]
            )
        for dataset, short in wanted:
            if pool.snapshot_of(dataset, short) is not None:
                raise Refused(f"cannot create snapshot '{dataset}@{short}': dataset already exists")
        refuse_when_full(process.root, pool, f"cannot create snapshot '{wanted[0][0]}@{wanted[0][1]}'")
        pool.add_snapshots(wanted, used=SNAPSHOT_BYTES)
        contents.freeze(process.root, pool, wanted)
    pool.close()
    tell(process, {dataset for dataset, _ in wanted})
    return 0


def rollback(process: Process, words: list[str]) -> int:
    """``zfs rollback [-rRf] ds@snap``."""
    options = Options(words, "")
    name = only_name(options.names)
    pool = Pool(process.root)
    with pool:
        target = snapshot_named(pool, name)
        newer = newer_than(pool, target)
        in_the_way = [*newer, *newer_marks(pool, target)]
        if in_the_way and not options.flags & {"r", "R"}:
            listing = "\n".join(one.name for one in in_the_way)
            raise Refused(
                f"cannot rollback to '{name}': more recent snapshots or bookmarks exist\n"
                f"use '-r' to force deletion of the following snapshots and bookmarks:\n{listing}"
            )
        roll_back(pool, target, newer)
        contents.thaw(process.root, pool, target.dataset, contents.kept(process.root, target))
    pool.close()
    tell(process, {target.dataset})
    return 0


def newer_than(pool: Pool, target: Snapshot) -> list[Snapshot]:
    """The snapshots of the same dataset that are younger."""
    return [one for one in pool.snapshots(target.dataset) if one.createtxg > target.createtxg]


def roll_back(pool: Pool, target: Snapshot, newer: list[Snapshot]) -> None:
    """Go back to the snapshot; what is younger goes.

    Raises:
        Refused: a younger one is held or cloned.
    """
    for one in newer:
        if one.holds:
            raise Refused(f"cannot destroy '{one.name}': dataset is busy")
        if pool.clones(one.name):
            raise Refused(f"cannot rollback to '{target.name}': clones of previous snapshots exist")
    for one in newer:
        pool.remove_snapshot(one.dataset, one.short)
    for one in newer_marks(pool, target):
        unmark(pool, one)
    pool.roll_back(target)


def clone(process: Process, words: list[str]) -> int:
    """``zfs clone [-p] [-o p=v] ds@snap name``."""
    options = Options(words, "o")
    if len(options.names) != 2:  # noqa: PLR2004 - a source and a target
        raise Refused("missing source or target dataset argument\nusage: zfs clone ...", 2)
    source, name = options.names
    pool = Pool(process.root)
    with pool:
        origin = snapshot_named(pool, source)
        _may_create(process.root, pool, name, f"cannot create '{name}'", parents="p" in options.flags)
        parent = pool.dataset(origin.dataset)
        local = dict(_assignment(value) for value in options.values.get("o", []))
        if parent is not None and parent.type == "volume":
            local = {key: parent.local[key] for key in ("volsize", "volblocksize") if key in parent.local} | local
        pool.add(name, parent.type if parent else "filesystem", local, origin=source, refer=origin.refer, own=8192)
        contents.thaw(process.root, pool, name, contents.kept(process.root, origin))
    pool.close()
    return 0


def rename(process: Process, words: list[str]) -> int:
    """``zfs rename [-fpr] old new``."""
    options = Options(words, "")
    if len(options.names) != 2:  # noqa: PLR2004 - an old name and a new one
        raise Refused("missing source or target dataset argument\nusage: zfs rename ...", 2)
    old, new = options.names
    if "@" in old and new.startswith("@"):
        new = old.partition("@")[0] + new
    pool = Pool(process.root)
    with pool:
        dataset, _, short = old.partition("@")
        if (pool.snapshot_of(dataset, short) if short else pool.dataset(old)) is None:
            raise Refused(f"cannot open '{old}': dataset does not exist")
        target, _, target_short = new.partition("@")
        if (pool.snapshot_of(target, target_short) if target_short else pool.dataset(new)) is not None:
            raise Refused(f"cannot rename '{old}': dataset already exists")
        folder = contents.folder_of(process.root, pool, old)
        pool.rename(old, new)
        contents.follow(folder, contents.folder_of(process.root, pool, new))
    pool.close()
    return 0


def set_values(process: Process, words: list[str]) -> int:
    """``zfs set p=v [p=v ...] ds ...``."""
    pairs = [_assignment(word) for word in words if "=" in word]
    names = [word for word in words if "=" not in word]
    if not pairs or not names:
        raise Refused("missing arguments\nusage: zfs set <property=value> ... <filesystem|volume|snapshot> ...", 2)
    pool = Pool(process.root)
    with pool:
        for name in names:
            if pool.dataset(name) is None and "@" not in name:
                raise Refused(f"cannot open '{name}': dataset does not exist")
            for key, value in pairs:
                if key not in SETTABLE and ":" not in key:
                    raise Refused(f"cannot set property for '{name}': invalid property '{key}'")
                one = pool.dataset(name)
                if key in ("quota", "refquota") and value.isdigit() and one and 0 < int(value) < one.own:
                    raise Refused(f"cannot set property for '{name}': size is less than current used or reserved space")
            pool.set_local(name, dict(pairs))
    pool.close()
    tell(process, set(names))
    return 0


def inherit(process: Process, words: list[str]) -> int:
    """``zfs inherit [-rS] property ds ...``."""
    options = Options(words, "")
    if len(options.names) < 2:  # noqa: PLR2004 - a property and a dataset
        raise Refused("missing dataset argument\nusage: zfs inherit ...", 2)
    prop, *names = options.names
    pool = Pool(process.root)
    with pool:
        for name in names:
            if pool.dataset(name) is None:
                raise Refused(f"cannot open '{name}': dataset does not exist")
            for one in pool.datasets(name) if "r" in options.flags else [pool.dataset(name)]:
                if one is not None:
                    pool.set_local(one.name, {SHORT.get(prop, prop): None})
    pool.close()
    return 0


def snapshot_named(pool: Pool, name: str) -> Snapshot:
    """The snapshot of that name, or the platform's refusal."""
    dataset, _, short = name.partition("@")
    found = pool.snapshot_of(dataset, short)
    if found is None:
        raise Refused(f"cannot open '{name}': dataset does not exist")
    return found


def only_name(names: list[str]) -> str:
    """The one name of the command line."""
    if len(names) != 1:
        raise Refused("missing dataset argument" if not names else "too many arguments", 2)
    return names[0]


def _assignment(word: str) -> tuple[str, str]:
    key, _, value = word.partition("=")
    key = SHORT.get(key, key)
    return key, bytes_of(value) if key in SIZES else value


def tell(process: Process, datasets: set[str]) -> None:
    """Let followers of zone changes know: a VM object shows its snapshots and quota."""
    world = World(process.root)
    for name in sorted({dataset.split("/")[1] for dataset in datasets if dataset.count("/") == 1}):
        if exists(world.xml_path(name)):
            world.touched(name)
