"""What a new host with a real pool has in it: the dataset that stands for the pool, and small images."""

from __future__ import annotations

from pathlib import Path

from chunter_nsq.smartos.simulator import realzfs
from chunter_nsq.smartos.simulator.catalogue import IMAGES
from chunter_nsq.smartos.simulator.files import make_folder
from chunter_nsq.smartos.simulator.realpool import RealPool

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from chunter_nsq.smartos.simulator.realnames import RealNames

STANDARD = ("archive", "cores")
VOLUME_BYTES = 16 * 2**20


def furnish(names: RealNames) -> RealPool:
    """Make the dataset that the host's pool is, mounted where its zones are, with what every host has.

    Raises:
        ValueError: there is no such pool.
        FileExistsError: the dataset holds something already.
    """
    _prepare(names)
    pool = RealPool(names)
    for name in STANDARD:
        pool.add(f"zones/{name}", local={"mountpoint": "none"})
    for image in IMAGES:
        _image(names, pool, image)
    return pool


def _prepare(names: RealNames) -> None:
    if realzfs.run("zfs", ["list", "-H", names.pool]).status != 0:
        raise ValueError(f"this machine has no pool {names.pool!r}; zpool create makes one")
    there = realzfs.run("zfs", ["list", "-H", "-o", "name", "-r", names.base])
    if len(there.out.splitlines()) > 1:
        raise FileExistsError(f"{names.base} holds datasets already; a simulated host is made in one of its own")
    make_folder(f"{names.root}/zones")
    if there.status != 0:
        realzfs.zfs(names, "create", "-p", "-o", "mountpoint=/zones", "zones")
    else:
        realzfs.zfs(names, "set", "mountpoint=/zones", "zones")


def _image(names: RealNames, pool: RealPool, image: dict[str, Any]) -> None:
    name = f"zones/{image['uuid']}"
    if image["type"] == "zvol":
        pool.add(name, "volume", {"volsize": str(VOLUME_BYTES)})
    else:
        pool.add(name)
        root = Path(f"{names.root}/{name}/root/etc")
        root.mkdir(parents=True)
        (root / "motd").write_text(f"{image['name']} {image['version']}\n")
        realzfs.zfs(names, "set", "mountpoint=none", name)
    pool.add_snapshots([(name, "final")])
