"""The parts of an agent, each put together with those that it needs; none of them is started here.

nsqd -> Consumer -> Dispatcher.accept -> journal -> lines -> handler -> tool
                                                      |          | events, result
                                                   outbox <------+<------ Ticker <- publishers
                                                      +-> Producer -> nsqd
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import handlers
import publishers
from chunter_nsq import logs, reach
from chunter_nsq.actions import Lane
from chunter_nsq.authority import Authority
from chunter_nsq.backup.means import Backups
from chunter_nsq.backup.sweeping import Sweeping
from chunter_nsq.bus.consumer import Consumer
from chunter_nsq.bus.faults import PublishInvalid
from chunter_nsq.bus.producer import Producer
from chunter_nsq.bus.settings import Connection
from chunter_nsq.condition import Condition
from chunter_nsq.config import Config, Paths
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
from chunter_nsq.messages.events import Event, Note
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
from chunter_nsq.smartos.zlogin import Zlogin
from chunter_nsq.smartos.zoneadm import Zoneadm
from chunter_nsq.strangers import Watch
from chunter_nsq.ticker import Listener, Ticker
from chunter_nsq.tools import Tools

_ZFS_SECONDS = 300.0
_LOOK_SECONDS = 30.0  # of tools that only look, at most; those that change something have machine_timeout


class Parts:
    """All of them, for one agent; ``stopping`` is set when it is to end."""

    def __init__(self, paths: Paths, config: Config, host_id: str, authority: Authority) -> None:
        self.paths = paths
        self.config = config
        self.stopping = asyncio.Event()
        self.is_announced = False
        root = Path(config.platform_root)
        listen_host, _, listen_port = config.status_listen.rpartition(":")
        self.listen = (listen_host.strip("[]"), int(listen_port or 0))
        look_seconds = min(_LOOK_SECONDS, config.machine_timeout_seconds)
        self.runner = Runner(root, run_dir=paths.run, timeout_seconds=look_seconds)
        self.host = Host(
            id=host_id,
            prefix=config.topic_prefix,
            simulated=(root / "var" / "simulator").is_dir(),
            configured_ip=config.ip,
            status_port=self.listen[1],
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
        self.host_lock = HostLock()
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
            host_lock=self.host_lock,
        )
        self.topics = sorted(self.dispatcher.addressee.command_topics)
        connection = reach.connection(config, host_id)
        lasting = replace(connection, memory=paths.nsqd)
        self.producer = Producer(lasting)
        self.consoles = Consoles(self._means(connection))
        self.strangers = Watch(connection, config.nsqd_http, self.topics, reach.USER_AGENT)
        self.ticker = Ticker(self._told, host_id)
        self.tools = self._tools(connection)
        self.dispatcher.execution.tools = self.tools
        self.sweeping = Sweeping(self.outbox, self.tools.zfs, self.tools.backups, self._is_under_way)
        self.publishers = publishers.schedule(self.tools)
        self.dispatcher.execution.listeners = [one.tell for one in self.publishers if isinstance(one, Listener)]
        self.consumers = [Consumer(lasting, topic, host_id, self.dispatcher.accept) for topic in self.topics]

    def _means(self, connection: Connection) -> Means:
        """What a console needs."""
        return Means(
            runner=self.runner,
            publish=self.producer.publish,
            permanent=PublishInvalid,
            listen=lambda topic, accept: Consumer(connection, topic, self.host.id, accept, max_in_flight=1),
            check=lambda document, uuid: self.dispatcher.authority.check(document, "console.open", uuid),
            is_signed=lambda: self.dispatcher.authority.keys is not None,
            idle_seconds=lambda: self.config.console_idle_seconds,
            host=self.host.id,
            prefix=self.config.topic_prefix,
        )

    def _tools(self, connection: Connection) -> Tools:
        """What handlers and publishers work with."""
        imgadm, prtconf, inventory = Imgadm(self.runner), Prtconf(self.runner), Inventory(self.vmadm)
        return Tools(
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
            host_lock=self.host_lock,
            actions=self.actions,
            lag_seconds=self.lag.seconds,
            sources=self.ticker.state,
            strangers=self.strangers,
            condition=Condition(connection, self.config.nsqd_http),
            updates=Updates(self.paths.update),
            stopping=self.stopping,
        )

    def reload(self, newer: Config, authority: Authority) -> None:
        """Take up what may change while the agent runs."""
        self.config = self.config.reloaded(newer)
        logs.set_level(self.config.log_level)
        self.outbox.limit_bytes = self.config.outbox_limit_bytes
        self.outbox.retention_seconds = self.config.event_retention_seconds
        self.vmadm.timeout_seconds = self.config.machine_timeout_seconds
        self.dispatcher.reload(authority, _limits(self.config))
        self.ticker.reschedule(self.publishers)

    async def publish(self, topic: str, bodies: Sequence[bytes]) -> None:
        """The way out; what nsqd takes first of the announcements is what an update waits for."""
        await self.producer.publish(topic, bodies)
        self.is_announced = self.is_announced or topic == f"{self.config.topic_prefix}.announce"

    # -- what parts ask of each other

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

    async def _settle_orphans(self, command_id: str, timeout_seconds: float) -> None:
        """Wait for the tools of a command that outlived an earlier agent."""
        for orphan in await self.runner.orphans():
            if orphan.command == command_id and not await self.runner.wait_orphan(orphan, timeout_seconds):
                raise ToolTimeout(
                    f"{orphan.argv[0]} of an earlier agent still runs as process {orphan.pid}",
                    {"argv": list(orphan.argv), "timeout_seconds": timeout_seconds},
                )


def _limits(config: Config) -> Limits:
    lanes = {Lane.QUERY: config.lane_query, Lane.MACHINE: config.lane_machine, Lane.TRANSFER: config.lane_transfer}
    return Limits(lanes, config.machine_timeout_seconds)
