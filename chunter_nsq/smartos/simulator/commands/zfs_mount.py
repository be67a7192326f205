"""zfs mount and unmount: the files of a dataset come into the host's folders, or go out of them."""

from __future__ import annotations

from chunter_nsq.smartos.simulator import contents
from chunter_nsq.smartos.simulator.commands.zfs_list import Options
from chunter_nsq.smartos.simulator.pool import Dataset, Pool
from chunter_nsq.smartos.simulator.process import Refused

TYPE_CHECKING = False
if TYPE_CHECKING:
    from chunter_nsq.smartos.simulator.process import Process


def mount(process: Process, words: list[str]) -> int:
    """``zfs mount [-vO] [-o opts] name``; without a name it lists what is mounted."""
    options = Options(words, "o")
    pool = Pool(process.root)
    with pool:
        for name in options.names:
            one = _filesystem(pool, name)
            if contents.UNMOUNTED not in one.local:
                raise Refused(f"cannot mount '{name}': filesystem already mounted")
            files = contents.kept(process.root, one)
            pool.set_local(name, {contents.UNMOUNTED: None})
            contents.keep(process.root, one, None)
            contents.thaw(process.root, pool, name, files or {})
    pool.close()
    return 0


def unmount(process: Process, words: list[str]) -> int:
    """``zfs unmount [-f] name`` or a mountpoint."""
    options = Options(words, "o")
    pool = Pool(process.root)
    with pool:
        for given in options.names:
            name = given.lstrip("/")
            one = _filesystem(pool, name)
            if contents.UNMOUNTED in one.local:
                raise Refused(f"cannot unmount '{given}': not currently mounted")
            folder = contents.folder_of(process.root, pool, name)
            contents.keep(process.root, one, contents.live(process.root, pool, name))
            pool.set_local(name, {contents.UNMOUNTED: "yes"})
            if folder is not None:
                contents.clear(folder)
    pool.close()
    return 0


def _filesystem(pool: Pool, name: str) -> Dataset:
    one = pool.dataset(name)
    if one is None:
        raise Refused(f"cannot open '{name}': dataset does not exist")
    if one.type != "filesystem":
        raise Refused(f"cannot open '{name}': operation not applicable to datasets of this type")
    return one
