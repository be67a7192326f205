"""Runs the agent: its parts are started in order, and stopped in reverse."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import signal
import sqlite3
import sys
from pathlib import Path

from chunter_nsq import __version__, identity, logs, telemetry
from chunter_nsq.authority import Authority, KeysInvalid, read_keys
from chunter_nsq.bus.faults import PublishInvalid
from chunter_nsq.config import Config, ConfigInvalid, Paths
from chunter_nsq.messages.events import Event
from chunter_nsq.parts import Parts
from chunter_nsq.portrait import Portrait
from chunter_nsq.smartos.runner import current_command
from chunter_nsq.smartos.zlogin import ZLOGIN
from chunter_nsq.status.server import StatusServer, Unlistenable

log = logging.getLogger(__name__)

EXIT_OK, EXIT_FATAL, EXIT_CONFIG = 0, 95, 96
_DRAIN_SECONDS = 45.0
_FLUSH_SECONDS = 5.0
_PRUNE_SECONDS = 3600.0


async def serve(paths: Paths) -> int:
    """Run the agent of a tree until SIGTERM or SIGINT.

    Returns:
        0 after an orderly end, 95 when it cannot go on as things are on this host, 96 for a wrong configuration.
    """
    logs.configure()
    try:
        config = Config.load(paths.config)
        authority = _authority(config)
    except (ConfigInvalid, KeysInvalid) as fault:
        print(fault, file=sys.stderr)  # noqa: T201 - every fault with its line, for the eyes of an operator
        return EXIT_CONFIG
    scrubber = logs.Scrubber(config.secrets())
    logs.configure(config.log_level, config.log_format, context=current_command, scrubber=scrubber)
    try:
        host_id = identity.host_id(paths, config.topic_prefix)
        lock = identity.instance_lock(paths)
    except identity.IdentityUnusable as fault:
        log.critical("agent.nameless", extra={"reason": str(fault)})
        return EXIT_CONFIG
    except identity.AlreadyRunning as fault:
        log.critical("agent.second", extra={"reason": str(fault)})
        return EXIT_FATAL
    with lock:
        telemetry.start(config, host_id, scrubber)
        agent = Agent(Parts(paths, config, host_id, authority))
        try:
            await agent.run()
        except Unlistenable as fault:
            log.critical("agent.unlistenable", extra={"reason": str(fault)})
            return EXIT_FATAL
        except (sqlite3.Error, OSError) as fault:
            log.critical("agent.failed", extra={"reason": str(fault)}, exc_info=True)
            return EXIT_FATAL
        finally:
            await asyncio.to_thread(telemetry.close)
    return EXIT_OK


class Agent:
    """Its parts, running."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._tasks: list[asyncio.Task[None]] = []

    async def run(self) -> None:
        """Start, wait for a signal, stop."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._parts.stopping.set)
        loop.add_signal_handler(signal.SIGHUP, self._reload)
        async with contextlib.AsyncExitStack() as stack:
            await self._start(stack)
            _settle_memory()
            host = self._parts.host
            log.info("agent.started", extra={"host": host.id, "alias": host.alias, "version": __version__})
            await self._parts.stopping.wait()
            log.info("agent.stopping")
            await self._drain()
        log.info("agent.stopped")

    async def _start(self, stack: contextlib.AsyncExitStack) -> None:
        """In order; what is started last is stopped first."""
        parts = self._parts
        # The journal comes first: without it nothing may be accepted.
        await parts.database.open()
        stack.push_async_callback(parts.database.close)
        await parts.outbox.open()
        stack.push_async_callback(parts.outbox.close)
        await parts.tools.backups.ages.load()
        # Tools may run from here on, and none may outlive us.
        stack.push_async_callback(parts.runner.close)
        for orphan in await parts.runner.orphans():
            if orphan.command is None or orphan.argv[0] == ZLOGIN:  # nobody reads what it says any more
                await parts.runner.end_orphan(orphan)
        await parts.host.refresh()
        parts.dispatcher.called(parts.host.alias)
        # The way out is open before anything has something to say.
        await parts.producer.start()
        stack.push_async_callback(parts.producer.close)
        stack.push_async_callback(parts.consoles.close_all)
        parts.outbox.attach(parts.publish, PublishInvalid)
        parts.lag.start()
        stack.push_async_callback(parts.lag.close)
        parts.ticker.start(parts.publishers)
        stack.push_async_callback(parts.ticker.stop)
        # What an earlier agent left comes before what is new: order per VM holds across restarts.
        recovered = await parts.dispatcher.recover()
        if recovered:
            log.warning("agent.recovering", extra={"commands": recovered})
        for consumer in parts.consumers:
            await consumer.start()
            stack.push_async_callback(consumer.close)
        if parts.listen[1]:
            server = StatusServer(Portrait(parts).sources(), parts.outbox, parts.config.topic_prefix)
            server.listen(*parts.listen)
            stack.callback(server.close)
        if parts.dispatcher.authority.keys is None:
            log.warning("agent.unsigned_commands", extra={"remedy": "set command_keys to take signed commands only"})
        self._tasks.append(asyncio.create_task(self._housekeeping(), name="housekeeping"))
        # Beside everything else: it may have to wait for a store.
        self._tasks.append(asyncio.create_task(parts.sweeping.run(), name="sweeping"))
        stack.push_async_callback(self._end_tasks)

    async def _drain(self) -> None:
        """No new work, then let work end, then say goodbye; heartbeats go on meanwhile."""
        parts, host = self._parts, self._parts.host
        for consumer in parts.consumers:
            await consumer.pause()
        await parts.dispatcher.drain(_DRAIN_SECONDS)
        await parts.ticker.stop()
        leaving = {"event": "leaving", "data": {"host": host.id, "alias": host.alias}}
        await parts.outbox.put([Event("announce", "chunter.host.leaving", host.id, leaving)])
        if not await parts.outbox.flush(_FLUSH_SECONDS):
            log.warning("agent.unsent", extra={"events": parts.outbox.state().waiting})

    async def _end_tasks(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _housekeeping(self) -> None:
        while True:
            try:
                await self._parts.journal.prune()
            except sqlite3.Error:
                log.exception("agent.prune_failed")
            await asyncio.sleep(_PRUNE_SECONDS)

    def _reload(self) -> None:
        """SIGHUP: take up what may change while the agent runs; a wrong file changes nothing."""
        try:
            newer = Config.load(self._parts.paths.config)
            authority = _authority(newer)
        except (ConfigInvalid, KeysInvalid) as fault:
            log.error("config.refused", extra={"reason": str(fault)})  # noqa: TRY400 - the fault is the operator's
            return
        self._parts.reload(newer, authority)
        log.info("config.reloaded")


def _settle_memory() -> None:
    """What is there after the start stays: the collector need not look at it again and again.

    The database's thread takes and gives the interpreter with each statement; waiting less for it doubles its pace.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)
    sys.setswitchinterval(0.0005)


def _authority(config: Config) -> Authority:
    return Authority(read_keys(Path(config.command_keys)) if config.command_keys else None)
