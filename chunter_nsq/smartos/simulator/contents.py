"""The files of simulated datasets: what a snapshot froze, what a stream carries, where they are mounted.

Theory: a mounted dataset's files lie in the host's own folders, for anybody to change. A snapshot keeps a copy of
them under its guid, an unmounted dataset all it has under its own. Datasets and snapshots that came into being with
the host have sizes and no files.

Not promised: owners, times, devices; anything for datasets that are not below ``zones``, whose folders are the host's.
"""

from __future__ import annotations

import binascii
import os

from chunter_nsq.smartos.simulator import jsontext
from chunter_nsq.smartos.simulator.files import exists, is_folder, make_folder, move, read_bytes, remove, write_bytes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from chunter_nsq.smartos.simulator.pool import Dataset, Pool, Snapshot

PLACE = "var/simulator/contents"
UNMOUNTED = "unmounted"
# Path to mode and content: base64 of a file, ">target" of a link, "" of a folder with its mode.
Files = dict[str, list[str | int]]


def folder_of(root: str, pool: Pool, name: str) -> str | None:
    """Where a file system below ``zones`` is mounted; None where it is not."""
    one = pool.dataset(name)
    if one is None or one.type != "filesystem" or "/" not in name or UNMOUNTED in one.local:
        return None
    return _place(root, pool, name)


def _place(root: str, pool: Pool, name: str) -> str | None:
    suffix = ""
    while name:
        one = pool.dataset(name)
        mountpoint = one.local.get("mountpoint") if one else None
        if mountpoint is not None:
            folder = mountpoint.rstrip("/") + suffix
            return root + folder if folder.startswith("/zones/") else None
        name, _, last = name.rpartition("/")
        suffix = f"/{last}{suffix}"
    return None


def gather(folder: str, besides: Iterable[str] = ()) -> Files:
    """The files in a folder, but for those of the folders ``besides``."""
    found: Files = {}
    skipped = set(besides)
    pending = [folder]
    while pending:
        here = pending.pop()
        with os.scandir(here) as entries:
            for entry in entries:
                path = entry.path[len(folder) + 1 :]
                mode = entry.stat(follow_symlinks=False).st_mode & 0o7777
                if entry.is_symlink():
                    found[path] = [mode, ">" + os.readlink(entry.path)]  # noqa: PTH115 - starts must be quick
                elif entry.is_dir():
                    if entry.path not in skipped:
                        found[path] = [mode]
                        pending.append(entry.path)
                elif entry.is_file():
                    found[path] = [mode, binascii.b2a_base64(read_bytes(entry.path) or b"", newline=False).decode()]
    return dict(sorted(found.items()))


def scatter(folder: str, files: Files) -> None:
    """Have exactly these files in a folder."""
    clear(folder)
    make_folder(folder)
    for path, (mode, *content) in files.items():
        target = f"{folder}/{path}"
        if not content:
            make_folder(target)
        elif str(content[0]).startswith(">"):
            os.symlink(str(content[0])[1:], target)  # noqa: PTH211 - starts must be quick
        else:
            write_bytes(target, binascii.a2b_base64(str(content[0])))
        if not content or not str(content[0]).startswith(">"):
            os.chmod(target, int(mode))  # noqa: PTH101 - starts must be quick


def clear(folder: str) -> None:
    """Have no such folder."""
    if exists(folder):
        import shutil  # noqa: PLC0415 - seldom is there something to clear

        shutil.rmtree(folder, ignore_errors=True)


def live(root: str, pool: Pool, name: str) -> Files | None:
    """What a dataset holds now; None when it has no files."""
    folder = folder_of(root, pool, name)
    if folder is None:
        one = pool.dataset(name)
        return kept(root, one) if one and UNMOUNTED in one.local else None
    if not is_folder(folder):
        return None
    inside = [folder_of(root, pool, one.name) for one in pool.datasets(name) if one.name != name]
    return gather(folder, [one for one in inside if one is not None])


def kept(root: str, item: Snapshot | Dataset) -> Files | None:
    """The files that are kept for a snapshot or an unmounted dataset."""
    content = read_bytes(f"{root}/{PLACE}/{item.guid}")
    if content is None:
        return None
    files: Files = jsontext.loads(content)
    return files


def keep(root: str, item: Snapshot | Dataset, files: Files | None) -> None:
    """Keep files for a snapshot or an unmounted dataset."""
    path = f"{root}/{PLACE}/{item.guid}"
    if files is None:
        remove(path)
        return
    make_folder(f"{root}/{PLACE}")
    write_bytes(path, jsontext.dumps(files).encode())


def freeze(root: str, pool: Pool, names: Iterable[tuple[str, str]]) -> None:
    """Snapshots that were just made get the files of their datasets."""
    for dataset, short in () if pool.real else names:
        one = pool.snapshot_of(dataset, short)
        files = live(root, pool, dataset) if one is not None else None
        if one is not None and files:
            keep(root, one, files)


def thaw(root: str, pool: Pool, dataset: str, files: Files | None) -> None:
    """A dataset has these files from now on, mounted or not; None leaves it as it is."""
    one = pool.dataset(dataset)
    folder = folder_of(root, pool, dataset)
    if pool.real or files is None or one is None:
        return
    if folder is not None:
        scatter(folder, files)
    elif UNMOUNTED in one.local:
        keep(root, one, files)


def forget(root: str, pool: Pool, name: str) -> None:
    """A dataset is about to go: its files, and what its snapshots keep, go first."""
    if pool.real:
        return
    folder = folder_of(root, pool, name)
    if folder is not None:
        clear(folder)
    one = pool.dataset(name)
    if one is not None:
        keep(root, one, None)
    for snapshot in pool.snapshots(name):
        keep(root, snapshot, None)


def follow(old: str | None, new: str | None) -> None:
    """A mounted dataset's folder follows its new name."""
    if old is not None and new is not None and old != new and is_folder(old) and not exists(new):
        make_folder(new.rpartition("/")[0])
        move(old, new)
