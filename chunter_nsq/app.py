"""The composition root: builds the agent, starts it in order, and stops it in order.

nsqd -> Consumer -> Dispatcher.accept -> journal -> lines -> handler -> tool
                                                      |          | events, result
                                                   outbox <------+<------ Ticker <- publishers
                                                      +-> Producer -> nsqd
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import signal
import sqlite3
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import handlers
import publishers
from chunter_nsq import __version__, identity, ledger, logs, reach, telemetry
from chunter_nsq.actions import Lane
from chunter_nsq.authority import Authority, KeysInvalid, read_keys
from chunter_nsq.backup.means import Backups
from chunter_nsq.backup.sweeping import Sweeping
from chunter_nsq.bus.consumer import Consumer
from chunter_nsq.bus.faults import PublishInvalid
from chunter_nsq.bus.producer import Producer
from chunter_nsq.condition import Condition
from chunter_nsq.config import Config, ConfigInvalid, Paths
from chunter_nsq.consoles import Consoles
from chunter_nsq.database import Database
from chunter_nsq.dispatcher import Dispatcher, Limits
from chunter_nsq.errors import ToolTimeout
from chunter_nsq.host import Host
from chunter_nsq.hostlock import HostLock
from chunter_nsq.imports import Imports
from chunter_nsq.inventory import Inventory
from chunter_nsq.journal import Journal
from chunter_nsq.lag import Lag
from chunter_nsq.memory import Memory
from chunter_nsq.messages.command import Addressee
from chunter_nsq.messages.events import Event, Note, timestamp
from chunter_nsq.outbox import Outbox
from chunter_nsq.release.state import Updates
from chunter_nsq.sitting import Means
from chunter_nsq.smartos.dladm import Dladm
from chunter_nsq.smartos.imgadm import Imgadm
from chunter_nsq.smartos.ipadm import Ipadm
from chunter_nsq.smartos.prtconf import Prtconf
from chunter_nsq.smartos.runner import Runner, current_command
from chunter_nsq.smartos.svcadm import Svcadm
from chunter_nsq.smartos.sysinfo import Sysinfo
from chunter_nsq.smartos.usbkey import Usbkey
from chunter_nsq.smartos.vmadm import Vmadm
from chunter_nsq.smartos.zfs import Zfs
from chunter_nsq.smartos.zfs_datasets import ZfsDatasets
from chunter_nsq.smartos.zlogin import ZLOGIN, Zlogin
from chunter_nsq.smartos.zoneadm import Zoneadm
from chunter_nsq.status.pages import Sources
from chunter_nsq.status.server import StatusServer
from chunter_nsq.strangers import Watch
from chunter_nsq.ticker import Listener, Ticker
from chunter_nsq.tools import Tools
from publishers.zones import Zones
from publishers.zoneview import Counts

log = logging.getLogger(__name__)

EXIT_OK, EXIT_FATAL, EXIT_CONFIG = 0, 95, 96
_DRAIN_SECONDS = 45.0
_FLUSH_SECONDS = 5.0
_PRUNE_SECONDS = 3600.0
_ZFS_SECONDS = 300.0
_LOOK_SECONDS = 30.0  # of tools that only look, at most; those that change something have machine_timeout


async def serve(paths: Paths) -> int:
    """Run the agent of a tree until SIGTERM or SIGINT.

    Returns:
        0 after an orderly end, 95 for what another start would not mend, 96 for a wrong configuration.
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
        agent = Agent(paths, config, host_id, authority)
        try:
            await agent.run()
        except (sqlite3.Error, OSError) as fault:
            log.critical("agent.failed", extra={"reason": str(fault)}, exc_info=True)
            return EXIT_FATAL
        finally:
            await asyncio.to_thread(telemetry.close)
    return EXIT_OK


class Agent:
    """Everything that runs, in one place."""

    def __init__(self, paths: Paths, config: Config, host_id: str, authority: Authority) -> None:
        self.paths = paths
        self.config = config
        self._stop = asyncio.Event()
        self._is_announced = False
        root = Path(config.platform_root)
        listen_host, _, listen_port = config.status_listen.rpartition(":")
        self._listen = (listen_host.strip("[]"), int(listen_port or 0))
        look_seconds = min(_LOOK_SECONDS, config.machine_timeout_seconds)
        self.runner = Runner(root, run_dir=paths.run, timeout_seconds=look_seconds)
        self.host = Host(
            id=host_id,
            prefix=config.topic_prefix,
            simulated=(root / "var" / "simulator").is_dir(),
            configured_ip=config.ip,
            status_port=self._listen[1],
            sysinfo_tool=Sysinfo(self.runner),
            dladm=Dladm(self.runner),
            ipadm=Ipadm(self.runner),
            usbkey=Usbkey(root),
        )
        self.database = Database(paths.database)
        self.outbox = Outbox(
            self.database,
            prefix=config.topic_prefix,
            host=host_id,
            limit_bytes=config.outbox_limit_bytes,
            retention_seconds=config.event_retention_seconds,
        )
        self.journal = Journal(self.database, self.outbox, host_id)
        self.actions = handlers.actions()
        self.vmadm = Vmadm(self.runner, config.machine_timeout_seconds)
        self.lag = Lag()
        host_lock = HostLock()
        self.dispatcher = Dispatcher(
            actions=self.actions,
            journal=self.journal,
            outbox=self.outbox,
            addressee=Addressee(host_id, "", config.topic_prefix),
            authority=authority,
            allows=self._allows,
            limits=_limits(config),
            current=current_command,
            settle_orphans=self._settle_orphans,
            host_lock=host_lock,
        )
        connection, topics = reach.connection(config, host_id), sorted(self.dispatcher.addressee.command_topics)
        self.strangers = Watch(connection, config.nsqd_http, topics, reach.USER_AGENT)
        imgadm, prtconf, inventory = Imgadm(self.runner), Prtconf(self.runner), Inventory(self.vmadm)
        lasting = replace(connection, memory=paths.nsqd)
        self.producer = Producer(lasting)
        self.consoles = Consoles(
            Means(
                runner=self.runner,
                publish=self.producer.publish,
                permanent=PublishInvalid,
                listen=lambda topic, accept: Consumer(connection, topic, host_id, accept, max_in_flight=1),
                check=lambda document, uuid: self.dispatcher.authority.check(document, "console.open", uuid),
                is_signed=lambda: self.dispatcher.authority.keys is not None,
                idle_seconds=lambda: self.config.console_idle_seconds,
                host=host_id,
                prefix=config.topic_prefix,
            )
        )
        self.ticker = Ticker(self._told, host_id)
        self.tools = Tools(
            config=lambda: self.config,
            host=self.host,
            runner=self.runner,
            zoneadm=Zoneadm(self.runner),
            vmadm=self.vmadm,
            zfs=Zfs(self.runner, _ZFS_SECONDS),
            imgadm=imgadm,
            imports=Imports(imgadm, ZfsDatasets(self.runner), self.outbox),
            prtconf=prtconf,
            svcadm=Svcadm(self.runner),
            zlogin=Zlogin(self.runner),
            consoles=self.consoles,
            backups=Backups(self.runner, lambda: self.config, self.outbox),
            inventory=inventory,
            memory=Memory(prtconf, inventory, lambda: self.config.reserved_memory_bytes // 2**20),
            outbox=self.outbox,
            work=self.dispatcher,
            host_lock=host_lock,
            actions=self.actions,
            lag_seconds=self.lag.seconds,
            sources=self.ticker.state,
            strangers=self.strangers,
            condition=Condition(connection, config.nsqd_http),
            updates=Updates(paths.update),
            stopping=self._stop,
        )
        self.dispatcher.execution.tools = self.tools
        self.sweeping = Sweeping(self.outbox, self.tools.zfs, self.tools.backups, self._is_under_way)
        self.publishers = publishers.schedule(self.tools)
        self.dispatcher.execution.listeners = [one.tell for one in self.publishers if isinstance(one, Listener)]
        self.consumers = [Consumer(lasting, topic, host_id, self.dispatcher.accept) for topic in topics]
        self._tasks: list[asyncio.Task[None]] = []

    def _told(self, events: Sequence[Event | Note]) -> asyncio.Future[None]:
        """What publishers tell is written, and consoles see what becomes of their machines."""
        self.consoles.saw(events)
        return self.outbox.put(events)

    def _allows(self, group: str) -> bool:
        """By the configuration as it is now."""
        return self.config.allows(group)

    def _is_under_way(self, command_id: str) -> bool:
        """Whether a command waits or runs, or others wait for what it began."""
        return self.dispatcher.is_known(command_id) or self.tools.imports.is_for(command_id)

    async def run(self) -> None:
        """Start, wait for a signal, stop."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop.set)
        loop.add_signal_handler(signal.SIGHUP, self._reload)
        async with contextlib.AsyncExitStack() as stack:
            await self._start(stack)
            _settle_memory()
            log.info("agent.started", extra={"host": self.host.id, "alias": self.host.alias, "version": __version__})
            await self._stop.wait()
            log.info("agent.stopping")
            await self._drain()
        log.info("agent.stopped")

    async def _start(self, stack: contextlib.AsyncExitStack) -> None:
        """In order; what is started last is stopped first."""
        # The journal comes first: without it nothing may be accepted.
        await self.database.open()
        stack.push_async_callback(self.database.close)
        await self.outbox.open()
        stack.push_async_callback(self.outbox.close)
        await self.tools.backups.ages.load()
        # Tools may run from here on, and none may outlive us.
        stack.push_async_callback(self.runner.close)
        for orphan in await self.runner.orphans():
            if orphan.command is None or orphan.argv[0] == ZLOGIN:  # nobody reads what it says any more
                await self.runner.end_orphan(orphan)
        await self.host.refresh()
        self.dispatcher.called(self.host.alias)
        # The way out is open before anything has something to say.
        await self.producer.start()
        stack.push_async_callback(self.producer.close)
        stack.push_async_callback(self.consoles.close_all)
        self.outbox.attach(self._publish, PublishInvalid)
        self.lag.start()
        stack.push_async_callback(self.lag.close)
        self.ticker.start(self.publishers)
        stack.push_async_callback(self.ticker.stop)
        # What an earlier agent left comes before what is new: order per VM holds across restarts.
        recovered = await self.dispatcher.recover()
        if recovered:
            log.warning("agent.recovering", extra={"commands": recovered})
        for consumer in self.consumers:
            await consumer.start()
            stack.push_async_callback(consumer.close)
        if self._listen[1]:
            sources = Sources(self.state, self.metrics, self.tools.inventory.known, self._recent)
            server = StatusServer(sources, self.outbox, self.config.topic_prefix)
            server.listen(*self._listen)
            stack.callback(server.close)
        if self.dispatcher.authority.keys is None:
            log.warning("agent.unsigned_commands", extra={"remedy": "set command_keys to take signed commands only"})
        self._tasks.append(asyncio.create_task(self._housekeeping(), name="housekeeping"))
        # Beside everything else: it may have to wait for a store.
        self._tasks.append(asyncio.create_task(self.sweeping.run(), name="sweeping"))
        stack.push_async_callback(self._end_tasks)

    async def _publish(self, topic: str, bodies: Sequence[bytes]) -> None:
        """The way out; what nsqd takes first on this topic is what an update waits for."""
        await self.producer.publish(topic, bodies)
        self._is_announced = self._is_announced or topic == f"{self.config.topic_prefix}.announce"

    async def _drain(self) -> None:
        """No new work, then let work end, then say goodbye; heartbeats go on meanwhile."""
        for consumer in self.consumers:
            await consumer.pause()
        await self.dispatcher.drain(_DRAIN_SECONDS)
        await self.ticker.stop()
        leaving = {"event": "leaving", "data": {"host": self.host.id, "alias": self.host.alias}}
        await self.outbox.put([Event("announce", "chunter.host.leaving", self.host.id, leaving)])
        if not await self.outbox.flush(_FLUSH_SECONDS):
            log.warning("agent.unsent", extra={"events": self.outbox.state().waiting})

    async def _end_tasks(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _housekeeping(self) -> None:
        while True:
            try:
                await self.journal.prune()
            except sqlite3.Error:
                log.exception("agent.prune_failed")
            await asyncio.sleep(_PRUNE_SECONDS)

    async def _settle_orphans(self, command_id: str, timeout_seconds: float) -> None:
        """Wait for the tools of a command that outlived an earlier agent."""
        for orphan in await self.runner.orphans():
            if orphan.command == command_id and not await self.runner.wait_orphan(orphan, timeout_seconds):
                raise ToolTimeout(
                    f"{orphan.argv[0]} of an earlier agent still runs as process {orphan.pid}",
                    {"argv": list(orphan.argv), "timeout_seconds": timeout_seconds},
                )

    def _reload(self) -> None:
        """SIGHUP: take up what may change while the agent runs; a wrong file changes nothing."""
        try:
            newer = Config.load(self.paths.config)
            authority = _authority(newer)
        except (ConfigInvalid, KeysInvalid) as fault:
            log.error("config.refused", extra={"reason": str(fault)})  # noqa: TRY400 - the fault is the operator's
            return
        self.config = self.config.reloaded(newer)
        logs.set_level(self.config.log_level)
        self.outbox.limit_bytes = self.config.outbox_limit_bytes
        self.outbox.retention_seconds = self.config.event_retention_seconds
        self.vmadm.timeout_seconds = self.config.machine_timeout_seconds
        self.dispatcher.reload(authority, _limits(self.config))
        self.ticker.reschedule(self.publishers)
        log.info("config.reloaded")

    def _recent(self, count: int) -> asyncio.Future[list[dict[str, Any]]]:
        """The newest commands, without their contents."""
        return self.database.submit(lambda connection: ledger.newest(connection, count))

    def metrics(self) -> bytes:
        """What /metrics tells."""
        from chunter_nsq.status import metrics  # noqa: PLC0415 - memory that only those pay who scrape

        return metrics.text(self.state(), self.figures())

    def figures(self) -> dict[str, Any]:
        """What /metrics tells beyond the state; keys of counters are tuples of label values."""
        counts = next((one.counts for one in self.publishers if isinstance(one, Zones)), Counts())
        return {
            "commands": dict(self.dispatcher.ended),
            "zone_events": {(found_by,): count for found_by, count in counts.as_dict().items()},
            "tools": self.runner.durations(),
            "machines": self.tools.inventory.known(),
            "memory": self.host.resources,
            "backups": self.tools.backups.ages.backups,
            "verifications": self.tools.backups.ages.verifications,
        }

    def state(self) -> dict[str, Any]:
        """What /api/status tells; ``missing`` says in words what keeps the agent from being ready."""
        consumers = [consumer.state() for consumer in self.consumers]
        producer = self.producer.state()
        outbox = self.outbox.state()
        missing = [] if producer.connected else ["no nsqd to publish to"]
        missing += [] if all(one.connected for one in consumers) else ["no nsqd to read commands from"]
        return {
            "host": self.host.id,
            "alias": self.host.alias,
            "version": __version__,
            "started": timestamp(self.host.started),
            "uptime_seconds": round(time.monotonic() - self.host.started_monotonic, 3),
            "simulated": self.host.simulated,
            "missing": missing,
            "announced": self._is_announced,
            "nsq": {
                "producer": {"connected": list(producer.connected), "last_error": producer.last_error},
                "consumers": [
                    {"topic": topic, "connected": list(one.connected), "in_flight": one.in_flight}
                    for topic, one in zip(sorted(self.dispatcher.addressee.command_topics), consumers, strict=True)
                ],
            },
            "foreign_clients": [one.as_dict() for one in self.strangers.found],
            "outbox": {"waiting": outbox.waiting, "stored_bytes": outbox.stored_bytes, "dropped": outbox.dropped},
            "memory": dict(self.host.resources),
            "running": self.dispatcher.running(),
            "queued": self.dispatcher.queued,
            "queues": self.dispatcher.queues(),
            "tools": [{"argv": list(one.argv), "pid": one.pid} for one in self.runner.active()],
            "publishers": self.ticker.state(),
            "lag_seconds": round(self.lag.seconds(), 3),
        }


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


def _limits(config: Config) -> Limits:
    lanes = {Lane.QUERY: config.lane_query, Lane.MACHINE: config.lane_machine, Lane.TRANSFER: config.lane_transfer}
    return Limits(lanes, config.machine_timeout_seconds)
