"""A hand from outside: services that fail, fall ill, or are as they came, without anybody having typed a command."""

from __future__ import annotations

import time

from chunter_nsq.smartos.simulator.smf import requests
from chunter_nsq.smartos.simulator.smf.patterns import matching
from chunter_nsq.smartos.simulator.smf.repository import Boot, Host, Repository, boots
from chunter_nsq.smartos.simulator.world import World

STATES = ("online", "offline", "disabled", "degraded", "maintenance", "uninitialized")
WORDS = (*STATES, "failing", "working", "fresh")


def lay(root: str, zone: str, pattern: str, word: str) -> str:
    """Do to a service of a zone what the word says; its FMRI.

    A state is reached at once. ``failing`` makes every start from now on fail, in later boots too, until ``working``.
    ``fresh`` forgets all that was done. An FMRI that the zone does not have becomes a service of it.

    Raises:
        ValueError: there is no such zone, it does not run, or the name means no service or several.
    """
    host = Host(root)
    boot = host.global_boot if zone == "global" else _boot(root, zone, needs_running=word in STATES)
    with host.lock():
        repository = Repository(host, boot)
        now = time.time()
        fmri = _one(pattern, [service.fmri for service in repository.services(now)])
        if word in STATES:
            requests.put(repository, fmri, now, word)
        elif word == "fresh":
            repository.records.pop(fmri, None)
        else:
            repository.record(fmri).failing = word == "failing"
        repository.save()
    return fmri


def _boot(root: str, name: str, *, needs_running: bool) -> Boot:
    zone = World(root).zone(name)
    if zone is None:
        raise ValueError(f"there is no zone {name}")
    found = boots([zone])
    if not found and needs_running:
        raise ValueError(f"zone {name} does not run, or has no services")
    return found[0] if found else Boot(zone.name, -1, 0.0, zone.path)


def _one(pattern: str, known: list[str]) -> str:
    found = matching(pattern, known)
    if len(found) == 1:
        return found[0]
    if found:
        raise ValueError(f"{pattern} means several services: {', '.join(found)}")
    if not pattern.startswith("svc:/") or pattern.count(":") < 2 or " " in pattern:  # noqa: PLR2004 - scheme, instance
        raise ValueError(
            f"{pattern} means no service; a new one needs its whole FMRI, such as svc:/application/x:default"
        )
    return pattern
