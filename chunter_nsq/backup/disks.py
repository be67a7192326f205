"""What a machine consists of on the pool: its root, its disks, what is delegated to it, and all below these."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from chunter_nsq.errors import NotFound
from chunter_nsq.smartos.zfs import Zfs
from chunter_nsq.smartos.zfs_datasets import ZfsDatasets

POOL = "zones"
PROPERTIES = (
    "type", "mounted", "mountpoint", "zoned", "compression", "recordsize", "quota", "refquota", "reservation",
    "refreservation", "compressratio",
)  # fmt: skip


def root_of(vm: str) -> str:
    """The dataset of a machine's root."""
    return f"{POOL}/{vm}"


def named_by(machine: Mapping[str, Any]) -> list[str]:
    """The datasets that a machine's configuration names, the root first, each once."""
    disks = [disk.get("zfs_filesystem") for disk in machine.get("disks") or ()]
    named = [machine.get("zfs_filesystem"), *disks, *(machine.get("datasets") or ())]
    return list(dict.fromkeys(str(name) for name in named if name))


async def datasets(zfs: Zfs, machine: Mapping[str, Any]) -> list[str]:
    """All datasets of a machine, parents before what is below them, the root first; raises NotFound."""
    found: list[str] = []
    for name in named_by(machine):
        if name not in found:
            found += [one.name for one in await zfs.datasets(name) if one.name not in found]
    if not found:
        raise NotFound(f"the machine {machine.get('uuid')} has no dataset")
    return found


def suffix(vm: str, dataset: str) -> str:
    """What the key of a dataset's stream has behind the snapshot's name: nothing, ``-disk0``, ``-data``, ..."""
    root = root_of(vm)
    if dataset == root:
        return ""
    if dataset.startswith(f"{root}-"):
        return dataset.removeprefix(root)
    if dataset.startswith(f"{root}/"):
        return f"-{dataset.removeprefix(f'{root}/')}"
    return f"-{dataset.partition('/')[2]}"


def dataset_of(vm: str, ending: str) -> str:
    """The dataset that a key of the original stands for."""
    return root_of(vm) + ending


def tops(names: Iterable[str]) -> list[str]:
    """Those that are not below another one of them: renaming these moves all."""
    known = list(names)
    return [name for name in known if not any(name.startswith(f"{other}/") for other in known)]


@dataclass(frozen=True, slots=True)
class Moved:
    """Datasets of a machine under other names: of a copy beside it, or of another machine."""

    vm: str
    root: str

    def __call__(self, dataset: str) -> str:
        """The name there."""
        own = root_of(self.vm)
        if dataset == own or dataset.startswith((f"{own}/", f"{own}-")):
            return self.root + dataset.removeprefix(own)
        return f"{dataset}{self.root.removeprefix(own)}"


async def properties(zfs: ZfsDatasets, names: Iterable[str]) -> dict[str, dict[str, str]]:
    """What a stream does not carry, of each dataset."""
    return {name: await zfs.get(name, PROPERTIES) for name in names}
