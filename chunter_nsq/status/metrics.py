"""The agent's figures for Prometheus; names, units and types by its conventions."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import Any

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.exposition import generate_latest
from prometheus_client.registry import Collector, CollectorRegistry

_MIB = 2**20


class Figures(Collector):
    """Makes the families from the agent's state; see ``Agent.state`` and ``Agent.figures`` for its members."""

    def __init__(self, state: dict[str, Any], figures: dict[str, Any]) -> None:
        self._state = state
        self._figures = figures

    def collect(self) -> Iterator[Metric]:
        """All families."""
        yield from self._agent()
        yield from self._commands()
        yield from self._publishers()
        yield from self._tools()
        yield from self._machines()
        yield from self._backups()

    def _agent(self) -> Iterator[Metric]:
        state, outbox = self._state, self._state["outbox"]
        about = {"host": state["host"], "alias": state["alias"], "version": state["version"]}
        yield InfoMetricFamily("chunter_agent", "What runs here.", value=about)
        yield gauge("chunter_uptime_seconds", "Since the agent was started.", state["uptime_seconds"])
        yield gauge("chunter_ready", "1 when commands are read and events are sent.", 0 if state["missing"] else 1)
        yield gauge(
            "chunter_loop_lag_seconds", "The longest delay of the loop within ten seconds.", state["lag_seconds"]
        )
        yield gauge("chunter_outbox_waiting_events", "Events that are not sent yet.", outbox["waiting"])
        yield gauge("chunter_outbox_stored_bytes", "Events on disk, those kept for replay too.", outbox["stored_bytes"])
        yield counter("chunter_outbox_dropped_events", "Statistics dropped for space.", {(): outbox["dropped"]}, ())
        connected = {("publish",): len(state["nsq"]["producer"]["connected"])}
        connected |= {(one["topic"],): len(one["connected"]) for one in state["nsq"]["consumers"]}
        yield gauges("chunter_nsqd_connections", "Connections to nsqd.", connected, ("purpose",))

        says = "Clients on this host's channel that are not this agent; each takes commands away."
        yield gauge("chunter_foreign_clients", says, len(state["foreign_clients"]))

    def _commands(self) -> Iterator[Metric]:
        yield gauge("chunter_commands_running", "Commands that run, queries left out.", len(self._state["running"]))
        queues = {(lane,): count for lane, count in self._state["queues"].items()}
        yield gauges("chunter_commands_queued", "Commands that wait or run, by lane.", queues, ("lane",))
        says = "Commands that ended, by action and how."
        yield counter("chunter_commands", says, self._figures["commands"], ("action", "status"))

    def _publishers(self) -> Iterator[Metric]:
        sources = self._state["publishers"]
        failing = {(one["name"],): one["failures"] for one in sources}
        late = {(one["name"],): one["late_seconds"] for one in sources}
        yield gauges("chunter_publisher_failures", "Failures in a row; 0 is well.", failing, ("publisher",))
        missed = {(one["name"],): one["missed"] for one in sources}
        yield gauges("chunter_publisher_late_seconds", "How late it was asked last, or is.", late, ("publisher",))
        says = "Whole intervals that passed without it being asked."
        yield counter("chunter_publisher_missed_intervals", says, missed, ("publisher",))
        says = "Zone events, by what showed them: the platform's stream, or only the list."
        yield counter("chunter_zone_events", says, self._figures["zone_events"], ("found_by",))

    def _tools(self) -> Iterator[Metric]:
        counts = self._figures["tools"]
        label = ("tool",)
        runs = {(tool,): one.starts for tool, one in counts.items()}
        failures = {(tool,): one.failures for tool, one in counts.items()}
        seconds = {(tool,): one.seconds for tool, one in counts.items()}
        yield counter("chunter_tool_runs", "Platform tools that were started.", runs, label)
        yield counter("chunter_tool_failures", "Those that failed.", failures, label)
        yield counter("chunter_tool_seconds", "How long they ran in all.", seconds, label)
        yield gauge("chunter_tools_running", "Platform tools that run now.", len(self._state["tools"]))

    def _machines(self) -> Iterator[Metric]:
        labels = ("uuid", "alias", "brand", "state")
        machines = self._figures["machines"]
        present = {(one.uuid, one.alias, one.brand, one.state): 1.0 for one in machines}
        memory = {(one.uuid, one.alias): one.memory_mib * _MIB for one in machines}
        yield gauges("chunter_vm_info", "The machines of this host; always 1.", present, labels)
        yield gauges("chunter_vm_memory_limit_bytes", "Memory given to a machine.", memory, ("uuid", "alias"))
        figures = {(name.removesuffix("-memory"),): mib * _MIB for name, mib in self._figures["memory"].items()}
        yield gauges("chunter_host_memory_bytes", "The memory accounting.", figures, ("kind",))

    def _backups(self) -> Iterator[Metric]:
        now = time.time()
        aliases = {one.uuid: one.alias for one in self._figures["machines"]}
        made = {(vm, aliases[vm]): now - at for vm, at in self._figures["backups"].items() if vm in aliases}
        says = "Since a machine's newest good backup was finished; none, no figure."
        yield gauges("chunter_vm_backup_age_seconds", says, made, ("uuid", "alias"))
        proved = self._figures["verifications"].items()
        found = {(vm, aliases[vm], level): now - at for (vm, level), at in proved if vm in aliases}
        says = "Since a backup of a machine was last found good, by how closely it was looked at."
        yield gauges("chunter_vm_backup_verified_age_seconds", says, found, ("uuid", "alias", "level"))


def text(state: dict[str, Any], figures: dict[str, Any]) -> bytes:
    """The page in Prometheus' text form."""
    registry = CollectorRegistry()
    registry.register(Figures(state, figures))
    return generate_latest(registry)


def gauge(name: str, says: str, value: float) -> Metric:
    """A figure without labels."""
    return GaugeMetricFamily(name, says, value=value)


def gauges(name: str, says: str, values: Mapping[Any, float], labels: tuple[str, ...]) -> Metric:
    """A figure for each set of labels."""
    family = GaugeMetricFamily(name, says, labels=labels)
    for key, value in values.items():
        family.add_metric(key, value)
    return family


def counter(name: str, says: str, values: Mapping[Any, float], labels: tuple[str, ...]) -> Metric:
    """A figure that only grows; Prometheus adds ``_total`` to the name."""
    family = CounterMetricFamily(name, says, labels=labels)
    for key, value in values.items():
        family.add_metric(key, value)
    return family
