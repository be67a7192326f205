"""host.*: the host itself."""

from __future__ import annotations

import logging
import time
from collections.abc import AsyncIterator, Collection

from chunter_nsq import __version__
from chunter_nsq.actions import Done, Lane, Yield, action
from chunter_nsq.errors import Fault, NotFound
from chunter_nsq.messages.catalogue import KINDS
from chunter_nsq.messages.command import Command
from chunter_nsq.messages.params import Replay
from chunter_nsq.mistyped import meant
from chunter_nsq.tools import Tools

log = logging.getLogger(__name__)


@action("host.ping", instant=True)
async def ping(tools: Tools, command: Command) -> AsyncIterator[Yield]:
    """Whether somebody is there."""
    del command
    host = tools.host
    uptime = round(time.monotonic() - host.started_monotonic, 3)
    yield Done({"version": __version__, "uptime_seconds": uptime, "simulated": host.simulated})


@action("host.info")
async def info(tools: Tools, command: Command) -> AsyncIterator[Yield]:
    """What the host announces; `resources` is empty only when the platform does not tell."""
    del command
    if not tools.memory.known:  # nobody has looked yet
        try:
            await tools.memory.figures()
        except Fault as fault:
            log.warning("host.unaccounted", extra={"reason": fault.message})
    yield Done(await tools.host.announcement(tools.actions, tools.config(), tools.memory.known))


@action(
    "host.replay",
    form=Replay,
    lane=Lane.TRANSFER,
    changes=False,
    errors={NotFound: "this host publishes nothing on that topic"},
)
async def replay(tools: Tools, command: Command) -> AsyncIterator[Yield]:
    """Publish a range of a topic's events again, with the ids they had."""
    params: Replay = command.params
    prefix = f"{tools.host.prefix}."
    known = await tools.outbox.topics() | {prefix + kind.topic for kind in KINDS if "{" not in kind.topic}
    if params.topic not in known:
        raise _nothing_on(params.topic, known, prefix)
    count = await tools.outbox.replay(params.topic, params.from_, params.to)
    yield Done({"topic": params.topic, "count": count})


def _nothing_on(topic: str, known: Collection[str], prefix: str) -> NotFound:
    names = {one.removeprefix(prefix): one for one in known}
    hint = meant(topic.removeprefix(prefix), names, names.__getitem__)
    sentence = f"This host publishes nothing on {topic}"
    return NotFound(f"{sentence}; {hint}" if hint else sentence, {"topic": topic})
