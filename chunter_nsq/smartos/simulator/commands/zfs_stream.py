"""zfs send and receive."""

from __future__ import annotations

import os
import sys

from chunter_nsq.smartos.simulator import contents
from chunter_nsq.smartos.simulator.bookmarks import SIGN, bookmark_named
from chunter_nsq.smartos.simulator.commands.zfs_change import newer_than, tell
from chunter_nsq.smartos.simulator.commands.zfs_list import Options
from chunter_nsq.smartos.simulator.host import facts
from chunter_nsq.smartos.simulator.pool import Pool, Snapshot
from chunter_nsq.smartos.simulator.poolhealth import refuse_when_full
from chunter_nsq.smartos.simulator.process import Refused
from chunter_nsq.smartos.simulator.stream import (
    BLOCK_BYTES,
    FILESYSTEM,
    RECORD_BYTES,
    VOLUME,
    Broken,
    Header,
    pieces,
    read_stream,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from chunter_nsq.smartos.simulator.process import Process

FULL_BYTES, INCREMENT_BYTES = 4 * 2**20, 512 * 1024


def send(process: Process, words: list[str]) -> int:
    """``zfs send [-pRvnPLecwh] [-i base | -I base] ds@snap``."""
    options = Options(words, "iI")
    if len(options.names) != 1:
        raise Refused("missing snapshot argument\nusage: zfs send ...", 2)
    name = options.names[0]
    dataset, _, short = name.partition("@")
    pool = Pool(process.root)
    snapshot = pool.snapshot_of(dataset, short)
    one = pool.dataset(dataset)
    if snapshot is None or one is None:
        raise Refused(f"cannot open '{name}': dataset does not exist")
    base = _base(pool, options, snapshot)
    pool.close()
    files = contents.kept(process.root, snapshot)
    known = facts(process.root)
    size = known.get("stream_bytes", FULL_BYTES) if base is None else known.get("increment_bytes", INCREMENT_BYTES)
    if options.flags & {"n", "v", "P"}:
        _estimate(process, options, name, base, size)
    if "n" in options.flags:
        return 0
    if os.isatty(1):
        raise Refused("Error: Stream can not be written to a terminal.\nYou must redirect standard output.")
    kind = VOLUME if one.type == "volume" else FILESYSTEM
    header = Header(name, snapshot.guid, base.guid if base else 0, kind, snapshot.creation)
    told = {
        "refer": snapshot.refer,
        "local": {key: one.local[key] for key in ("volsize", "volblocksize") if key in one.local},
    } | ({"files": files} if files is not None else {})
    for piece in pieces(header, told, size):
        process.emit(piece)
    return 0


def _base(pool: Pool, options: Options, snapshot: Snapshot) -> Snapshot | None:
    bases = [*options.values.get("i", []), *options.values.get("I", [])]
    if not bases:
        return None
    given = bases[-1]
    if SIGN in given:
        mark = bookmark_named(pool, given if not given.startswith(SIGN) else snapshot.dataset + given)
        if mark is None:
            raise Refused(f"warning: cannot send '{snapshot.name}': incremental source ({given}) does not exist")
        return _older(mark, snapshot)
    dataset, at, short = given.rpartition("@")
    base = pool.snapshot_of(dataset or snapshot.dataset, short)
    whole = f"{dataset or snapshot.dataset}@{short}"
    if base is None and not at:
        raise Refused(f"cannot open '{whole}': dataset does not exist")
    if base is None:
        raise Refused(f"warning: cannot send '{snapshot.name}': incremental source ({whole}) does not exist")
    return _older(base, snapshot)


def _older(base: Snapshot, snapshot: Snapshot) -> Snapshot:
    if base.dataset != snapshot.dataset or base.createtxg >= snapshot.createtxg:
        raise Refused(f"warning: cannot send '{snapshot.name}': not an earlier snapshot from the same fs")
    return base


def _estimate(process: Process, options: Options, name: str, base: Snapshot | None, size: int) -> None:
    total = 3 * RECORD_BYTES + 512 + -(-size // BLOCK_BYTES) * (BLOCK_BYTES + RECORD_BYTES)
    if "P" in options.flags:
        line = f"incremental\t{base.short}\t{name}\t{total}" if base else f"full\t{name}\t{total}"
        lines = [line, f"size\t{total}"]
    else:
        line = f"send from @{base.short} to {name}" if base else f"full send of {name}"
        lines = [f"{line} estimated size is {total}", f"total estimated size is {total}"]
    for line in lines:
        if "n" in options.flags:
            process.line(line)
        else:
            process.err(line)


def receive(process: Process, words: list[str]) -> int:
    """``zfs receive [-Fuvns] [-o p=v] [-x p] ds[@snap]``."""
    options = Options(words, "ox")
    if len(options.names) != 1:
        raise Refused("missing snapshot argument\nusage: zfs receive ...", 2)
    if os.isatty(0):
        raise Refused("Error: Backup stream can not be read from a terminal.\nYou must redirect standard input.")
    target, _, short = options.names[0].partition("@")
    try:
        header, told, length = read_stream(sys.stdin.buffer.read)
    except (Broken, ValueError) as fault:
        if "nothing" in str(fault):
            raise Refused("cannot receive: failed to read from stream") from fault
        if "magic" in str(fault):
            raise Refused("cannot receive: invalid stream (bad magic number)") from fault
        raise Refused("cannot receive new filesystem stream: invalid backup stream") from fault
    short = short or header.toname.partition("@")[2]
    pool = Pool(process.root)
    with pool:
        take = _take_increment if header.fromguid else _take_full
        mounts = header.kind != VOLUME and "u" not in options.flags
        take(process.root, pool, target, header, told, force="F" in options.flags)
        pool.add_received(target, short, guid=header.toguid, refer=int(told.get("refer", length)))
        _place(process.root, pool, f"{target}@{short}", told.get("files"), mounts=mounts and not header.fromguid)
    pool.close()
    tell(process, {target})
    return 0


def _place(root: str, pool: Pool, name: str, files: contents.Files | None, *, mounts: bool) -> None:
    """The files that a stream brought lie where its dataset is mounted, or wait until it is."""
    target, _, short = name.partition("@")
    snapshot = pool.snapshot_of(target, short)
    if mounts:
        pool.set_local(target, {contents.UNMOUNTED: None})
    if snapshot is not None and files is not None:
        contents.keep(root, snapshot, files)
    contents.thaw(root, pool, target, files)


def _take_full(root: str, pool: Pool, target: str, header: Header, told: dict[str, Any], *, force: bool) -> None:
    attempt = "cannot receive new filesystem stream"
    old = pool.dataset(target)
    if old is not None:
        if not force:
            raise Refused(f"{attempt}: destination '{target}' exists\nmust specify -F to overwrite it")
        snapshots = pool.snapshots(target)
        if snapshots:
            example = snapshots[0].name
            raise Refused(f"{attempt}: destination has snapshots (eg. {example})\nmust destroy them to overwrite it")
        contents.forget(root, pool, target)
        pool.set_sizes(target, int(told.get("refer", 0)), int(told.get("refer", 0)))
        return
    parent = target.rpartition("/")[0]
    if pool.dataset(parent) is None:
        raise Refused(f"cannot open '{parent}': dataset does not exist\n{attempt}: unable to restore to destination")
    refuse_when_full(root, pool, attempt)
    kind = "volume" if header.kind == VOLUME else "filesystem"
    local = dict(told.get("local", {}))
    if kind == "volume":
        local["refreservation"] = str(int(local.get("volsize", 0)) * 33 // 32)
    else:
        local[contents.UNMOUNTED] = "yes"
    pool.add(target, kind, local, refer=int(told.get("refer", 0)))


def _take_increment(root: str, pool: Pool, target: str, header: Header, _told: dict[str, Any], *, force: bool) -> None:
    attempt = "cannot receive incremental stream"
    if pool.dataset(target) is None:
        raise Refused(f"{attempt}: destination '{target}' does not exist")
    snapshots = pool.snapshots(target)
    base = next((one for one in snapshots if one.guid == header.fromguid), None)
    if base is None or (base is not snapshots[-1] and not force):
        raise Refused(f"{attempt}: most recent snapshot of {target} does not\nmatch incremental source")
    if not force and _is_modified(root, pool, base):
        raise Refused(f"{attempt}: destination {target} has been modified\nsince most recent snapshot")
    refuse_when_full(root, pool, attempt)
    for one in newer_than(pool, base):
        if one.holds:
            raise Refused(f"{attempt}: destination {target} has been modified\nsince most recent snapshot")
        pool.remove_snapshot(one.dataset, one.short)


def _is_modified(root: str, pool: Pool, base: Snapshot) -> bool:
    frozen = contents.kept(root, base)
    return frozen is not None and contents.live(root, pool, base.dataset) != frozen
