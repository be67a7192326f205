"""svcadm: changes of services, that take place after the command has returned."""

from __future__ import annotations

import time

from chunter_nsq.smartos.simulator import pace as paces
from chunter_nsq.smartos.simulator import services
from chunter_nsq.smartos.simulator.commands.svcs import matches
from chunter_nsq.smartos.simulator.process import Refused
from chunter_nsq.smartos.simulator.world import World

TYPE_CHECKING = False
if TYPE_CHECKING:
    from chunter_nsq.smartos.simulator.pace import Pace
    from chunter_nsq.smartos.simulator.process import Process
    from chunter_nsq.smartos.simulator.services import Service

USAGE = "Usage: svcadm [-v] [-Z | -z zone] [cmd [args ... ]]"
TARGETS = {"enable": "online", "disable": "disabled", "restart": "online", "clear": "online", "refresh": "", "mark": ""}
SICK = ("maintenance", "degraded")


def run(process: Process, _pace: Pace) -> int:
    """Do what the arguments say; the exit status."""
    words = list(process.arguments)
    zone, verbose = "global", False
    while words and words[0].startswith("-"):
        option = words.pop(0)
        if option == "-z" and words:
            zone = words.pop(0)
        verbose = verbose or option == "-v"
    if not words or words[0] not in TARGETS:
        raise Refused(USAGE, 2)
    verb, *rest = words
    patterns = [word for word in rest if not word.startswith("-")]
    state = patterns.pop(0) if verb == "mark" and patterns else TARGETS[verb]
    if not patterns:
        raise Refused(USAGE, 2)
    _check_zone(process.root, zone)
    settle = paces.seconds(process.root, "svcadm settle") if "-s" not in rest else 0.0
    with services.lock(process.root, zone):
        known = services.load(process.root, zone, time.time())
        for pattern in patterns:
            _change(process, known, pattern, verb, state, settle, verbose=verbose)
        services.save(process.root, zone, known)
    return 0


def _check_zone(root: str, zone: str) -> None:
    if zone == "global":
        return
    found = World(root).zone(zone)
    if found is None:
        raise Refused(f"svcadm: invalid zone '{zone}'")
    if found.state != "running" or found.brand not in services.BRANDS:
        raise Refused(f"svcadm: Could not bind to repository server for zone {zone}: repository server unavailable")


def _change(
    process: Process, known: list[Service], pattern: str, verb: str, state: str, settle: float, *, verbose: bool
) -> None:
    found = [one for one in known if matches(one.fmri, pattern)]
    if not found:
        raise Refused(f"svcadm: Pattern '{pattern}' doesn't match any instances")
    if len(found) > 1:
        names = "\n".join(f"\t{one.fmri}" for one in found)
        raise Refused(f"svcadm: Pattern '{pattern}' matches multiple instances:\n{names}")
    one = found[0]
    if verb == "clear" and one.state not in SICK:
        raise Refused(f'svcadm: Instance "{one.fmri}" is not in a maintenance or degraded state.')
    if (verb == "enable" and one.state == "online") or (verb == "restart" and one.state != "online"):
        return
    if verb == "mark" and state not in SICK:
        raise Refused(USAGE, 2)
    if state and one.state != state:
        one.following, one.due = state, time.time() + settle
        one.settle(time.time())
    elif verb == "restart":
        one.since = time.time()
    if verbose:
        done = {"enable": "enabled", "disable": "disabled"}.get(verb)
        process.line(f"{one.fmri} {done}." if done else f"Action {verb} set for {one.fmri}.")
