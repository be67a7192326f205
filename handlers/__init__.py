"""One module per family of actions; ``actions`` is the table of all of them."""

from __future__ import annotations

from types import ModuleType

from chunter_nsq.actions import Action
from handlers import (
    backup,
    backups,
    change,
    command,
    console,
    creation,
    execution,
    firewall,
    host,
    image,
    lock,
    machine,
    service,
    snapshot,
    store,
    update,
)

FAMILIES: tuple[ModuleType, ...] = (
    host,
    update,
    machine,
    creation,
    change,
    execution,
    console,
    image,
    snapshot,
    store,
    backup,
    backups,
    service,
    firewall,
    lock,
    command,
)


def actions() -> dict[str, Action]:
    """Every action by its name."""
    return {one.name: one for family in FAMILIES for one in vars(family).values() if isinstance(one, Action)}
