"""Whether a machine may go from its host: its newest backup is whole in the store, and nothing is newer than it.

Theory: whole is a chain of manifests, each read back with its checksum, down to a full backup, with every object that
they name there in its size and with its ETag, and the machine's configuration among them. The bytes themselves are not
read: that takes hours for what a look takes seconds, and backup.verify does it beforehand for whoever wants it. Newer
is what ZFS says was written since the backup's snapshot; where it cannot say (no such snapshot here, an old ZFS), the
machine must have stopped before the backup was made.

Not promised: that the store keeps what it has.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from chunter_nsq.backup import disks, keeping
from chunter_nsq.errors import InvalidState, NoRestorePath
from chunter_nsq.storage.chain import Points, restore_path
from chunter_nsq.storage.manifest import Manifest
from chunter_nsq.storage.transfer import Transfer
from chunter_nsq.storage.verify import Verdict, verify_catalogue
from chunter_nsq.tools import Tools

_REMEDY = "make one with backup.create, then send this again"


@dataclass(frozen=True, slots=True)
class Proof:
    """The newest backup, the chain that it needs (oldest first), and why the machine may still not go."""

    newest: Manifest
    chain: tuple[str, ...]
    unsaved: str | None

    def shown(self) -> dict[str, Any]:
        """For a result."""
        return {
            "backup": self.newest.snapshot.name,
            "created": self.newest.created,
            "chain": list(self.chain),
            "size": self.newest.size,
        }


async def of(tools: Tools, machine: Mapping[str, Any]) -> Proof:
    """What the store has of a machine.

    Raises:
        InvalidState: no backup, or none that is whole; it says what to do.
        StorageFailed, ChecksumMismatch: the store cannot be asked, or a manifest in it is damaged.
    """
    vm = str(machine["uuid"])
    stores = tools.backups.stores

    def work(means: Transfer) -> tuple[Manifest, tuple[str, ...]]:
        found = keeping.of_vm(means, vm)
        if not found:
            raise InvalidState(f"there is no backup of the machine {vm} in the store: {_REMEDY}")
        newest = max(found.values(), key=lambda one: datetime.fromisoformat(one.created))
        return newest, _whole(means, found, newest)

    newest, chain = await keeping.ask(stores, stores.account(None), work)
    return Proof(newest, chain, await _unsaved(tools, machine, newest))


def check(proof: Proof, vm: str) -> None:
    """Raises InvalidState when something would be lost with the machine."""
    if proof.unsaved is not None:
        name = proof.newest.snapshot.name
        raise InvalidState(
            f"the newest backup of the machine {vm}, {name} of {proof.newest.created}, is not all of it:"
            f" {proof.unsaved}; stop it and store an increment on {name}, or send force to give that up",
            {**proof.shown(), "unsaved": proof.unsaved},
        )


def _whole(means: Transfer, found: Points, newest: Manifest) -> tuple[str, ...]:
    name = newest.snapshot.name
    if all(file.dataset is not None for file in newest.files):
        raise InvalidState(
            f"the newest backup, {name}, has no configuration of the machine: {_REMEDY} (without xml false)",
            {"backup": name},
        )
    try:
        steps = restore_path(found, name).steps
    except NoRestorePath as fault:
        raise InvalidState(f"{fault.message}; make a full backup, then send this again", fault.details) from fault
    bad = [verdict for step in steps for verdict in verify_catalogue(means, step) if not verdict.good]
    if bad:
        raise _broken(name, bad)
    return tuple(step.snapshot.name for step in steps)


def _broken(name: str, bad: list[Verdict]) -> InvalidState:
    faults = [fault for verdict in bad for fault in verdict.faults]
    return InvalidState(
        f"the newest backup, {name}, is not whole: {faults[0]['message']}; make a full backup, then send this again",
        {"backup": name, "faults": faults},
    )


async def _unsaved(tools: Tools, machine: Mapping[str, Any], newest: Manifest) -> str | None:
    guids, name = newest.snapshot.guids, newest.snapshot.name
    for dataset in await disks.datasets(tools.zfs, machine):
        if dataset not in guids:
            return f"{dataset} is not in it"
        snapshot = f"{dataset}@{name}"
        is_here = await tools.zfs.exists(snapshot)
        if is_here and str(await tools.backups.datasets.guid(snapshot)) == guids[dataset]:
            written = await tools.backups.datasets.written_bytes(snapshot)
            if written is not None:
                if written:
                    return f"{written} bytes were written to {dataset} since then"
                continue
        if not _stopped_before(machine, newest.created):
            return "the machine ran after it was made, and ZFS cannot say whether it wrote anything"
    return None


def _stopped_before(machine: Mapping[str, Any], created: str) -> bool:
    if machine.get("state") != "stopped":
        return False
    stopped = machine.get("exit_timestamp")
    return not stopped or datetime.fromisoformat(stopped) <= datetime.fromisoformat(created)
