"""Backups that are there: listed, looked at, thinned out."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from functools import partial
from typing import Any

from chunter_nsq.backup import plan, told
from chunter_nsq.backup.ages import Ages
from chunter_nsq.backup.stores import Stores
from chunter_nsq.errors import NotFound
from chunter_nsq.messages.events import Note
from chunter_nsq.storage import catalogue
from chunter_nsq.storage.account import Account
from chunter_nsq.storage.chain import deletion, points
from chunter_nsq.storage.manifest import Manifest
from chunter_nsq.storage.patience import Patience
from chunter_nsq.storage.progress import Meter
from chunter_nsq.storage.prune import Keep, Pruning, prune
from chunter_nsq.storage.transfer import T, Transfer, in_thread
from chunter_nsq.storage.verify import Verdict

QUICK = Patience(total_seconds=15.0, first_seconds=0.2, longest_seconds=3.0)


async def ask(stores: Stores, account: Account, work: Callable[[Transfer], T], patience: Patience = QUICK) -> T:
    """Some requests to a store, in a thread; cancelled they hang up."""
    with stores.transfer(account, patience=patience) as means:
        return await in_thread(lambda: work(means), means.stop)


async def listed(stores: Stores, account: Account, vm: str | None, after: str | None, limit: int) -> dict[str, Any]:
    """A page of backups by their manifests; ``after`` is what to ask with for more, null at the end."""

    def work(means: Transfer) -> catalogue.Page:
        read = partial(catalogue.page, means.bucket, vm, after=after or "", limit=limit)
        return means.attempt(read, "list the backups")

    found = await ask(stores, account, work)
    return {
        "backups": [told.listed(one) for one in found.manifests],
        "after": found.after,
        "unreadable": list(found.unreadable),
    }


def of_vm(means: Transfer, vm: str) -> dict[str, Manifest]:
    """All backups of a machine by the names of their snapshots; one that cannot be read stops everything."""
    keys = means.attempt(lambda: list(catalogue.manifest_keys(means.bucket, vm)), f"list the backups of {vm}")
    return points(means.attempt(partial(catalogue.load, means.bucket, key), f"read {key}") for key in keys)


def machines(means: Transfer) -> list[str]:
    """Those that have backups in the store."""
    keys = means.attempt(lambda: list(catalogue.manifest_keys(means.bucket)), "list the backups")
    return sorted({key.partition("/")[0] for key in keys})


async def one(stores: Stores, account: Account, vm: str, snapshot: str) -> Manifest:
    """A backup. Raises NotFound."""

    def work(means: Transfer) -> Manifest | None:
        return means.attempt(lambda: plan.find(means.bucket, vm, snapshot), f"look for the backup {snapshot}")

    found = await ask(stores, account, work)
    if found is None:
        raise NotFound(f"there is no backup {snapshot} of {vm} in the store", {"snapshot": snapshot})
    return found


async def to_delete(
    stores: Stores, account: Account, vm: str, snapshot: str, *, force: bool
) -> tuple[list[Manifest], Manifest | None]:
    """What goes with a backup, in the order in which it may, and the newest that stays.

    Raises:
        InvalidState: others need it, and ``force`` was not given.
    """

    def work(means: Transfer) -> tuple[list[Manifest], Manifest | None]:
        found = of_vm(means, vm)
        names = deletion(found, snapshot, force=force)
        return [found[name] for name in names], newest(found, names)

    return await ask(stores, account, work)


def newest(found: Mapping[str, Manifest], without: Collection[str] = ()) -> Manifest | None:
    """Of some backups the one that was finished last; None when there is none."""
    stay = [one for name, one in found.items() if name not in without]
    return max(stay, key=lambda one: one.finished, default=None)


async def newest_but(stores: Stores, account: Account, vm: str, snapshot: str) -> Manifest | None:
    """The newest backup of a machine that is not this one."""
    return await ask(stores, account, lambda means: newest(of_vm(means, vm), (snapshot,)))


def remembered(ages: Ages, vm: str, stays: Manifest | None) -> Note:
    """What is known of a machine's backups from now on, when ``stays`` is the newest of them."""
    if stays is None:
        return ages.forget(vm)
    return ages.made(vm, stays.snapshot.name, datetime.fromisoformat(stays.finished).timestamp())


async def remove(stores: Stores, account: Account, manifests: list[Manifest]) -> int:
    """Delete backups in this order; bytes freed."""
    return await ask(stores, account, lambda means: sum(catalogue.remove(means, one) for one in manifests))


async def pruning(
    stores: Stores, account: Account, vm: str | None, keep: Mapping[str, int]
) -> list[tuple[str, Pruning, list[Manifest], Manifest | None]]:
    """For each machine what is kept and why, what goes, and the newest that stays."""
    rule = Keep.from_dict(keep)

    def work(means: Transfer) -> list[tuple[str, Pruning, list[Manifest], Manifest | None]]:
        told_of = []
        for name in [vm] if vm is not None else machines(means):
            found = of_vm(means, name)
            chosen = prune(found, rule)
            going = [found[each] for each in chosen.deleted]
            told_of.append((name, chosen, going, newest(found, chosen.deleted)))
        return told_of

    return await ask(stores, account, work)


async def verified(
    stores: Stores, account: Account, meter: Meter, look: Callable[[Transfer], tuple[Verdict, ...]]
) -> tuple[Verdict, ...]:
    """What a look at all files of a backup finds."""
    with stores.transfer(account, meter=meter) as means:
        return await in_thread(lambda: look(means), means.stop)
