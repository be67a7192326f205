"""The status listener of a real agent."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

from prometheus_client.parser import text_string_to_metric_families
from worlds import Ears, Host


async def test_the_figures_are_prometheus_figures(ears: Ears, new_host: Callable[..., Host]) -> None:
    """/metrics parses, its names follow the conventions, and commands, tools and machines are counted."""
    host = await new_host(zones=2).start().ready()
    await ears.result(host.send("host.ping"))
    await ears.result(host.send("machine.lost"))
    await ears.when(lambda: ears.of("chunter.memory.update") != [])
    status, body = await host.get("/metrics")

    assert 200 == status
    families = {family.name: family for family in text_string_to_metric_families(body.decode())}
    assert all(name.startswith("chunter_") for name in families)
    samples = {(s.name, *sorted(s.labels.values())): s.value for f in families.values() for s in f.samples}
    assert 1 == samples["chunter_commands_total", "host.ping", "succeeded"]
    assert 1 == samples["chunter_commands_total", "rejected", "unknown"]
    assert samples["chunter_tool_runs_total", "zoneadm"] >= 1
    aliases = {s.labels["alias"] for s in families["chunter_vm_info"].samples}
    assert {"zone0", "zone1"} == aliases
    assert 130934 * 2**20 == samples["chunter_host_memory_bytes", "total"]
    assert 1 == samples["chunter_ready",]
    assert {"list", "stream"} == {s.labels["found_by"] for s in families["chunter_zone_events"].samples}


UNITS = frozenset({"seconds", "bytes"})  # the base units of what is measured here
OTHER_UNITS = frozenset(
    (
        "ms", "us", "ns", "msec", "nsec", "milliseconds", "minutes", "hours", "days", "kb", "mb", "gb", "kib", "mib",
        "gib", "megabytes", "bits", "percent",
    )
)  # fmt: skip


async def test_names_and_units_follow_the_conventions(ears: Ears, new_host: Callable[..., Host]) -> None:
    """Each figure: snake case, base units at its end, a counter in _total and nothing else, help, VMs with an alias."""
    host = await new_host(zones=1).start().ready()
    await ears.result(host.send("host.ping"))
    await ears.when(lambda: ears.of("chunter.memory.update") != [] and ears.of("chunter.zone.state") != [])
    families = list(text_string_to_metric_families((await host.get("/metrics"))[1].decode()))

    assert len(families) == len({family.name for family in families}) > 20
    for family in families:
        words = family.name.split("_")
        assert re.fullmatch("chunter(_[a-z][a-z0-9]*)+", family.name), family.name
        assert [] == [word for word in words[:-1] if word in UNITS], family.name
        assert [] == [word for word in words if word in OTHER_UNITS], family.name
        assert family.type in {"counter", "gauge"}, (family.name, family.type)
        assert family.documentation, family.name
        ends = {"_total"} if family.type == "counter" else {""}
        assert ends >= {sample.name.removeprefix(family.name) for sample in family.samples}, family.name
        assert words[-1] not in {"total", "count", "sum", "bucket"}, family.name
        labels = [sample.labels for sample in family.samples]
        assert all(re.fullmatch("[a-z_]+", name) for one in labels for name in one), family.name
        assert all("alias" in one for one in labels if words[1] == "vm"), family.name
    named = {family.name for family in families}
    assert {
        "chunter_loop_lag_seconds", "chunter_commands_queued", "chunter_outbox_waiting_events",
        "chunter_outbox_stored_bytes", "chunter_tool_runs", "chunter_tool_seconds", "chunter_publisher_late_seconds",
        "chunter_publisher_missed_intervals", "chunter_zone_events",
    } <= named  # fmt: skip


async def test_readiness_follows_nsqd(host: Host) -> None:
    """Without nsqd the agent lives but is not ready, and says why."""
    assert (200, b"ok\n") == await host.get("/healthz")
    host.nsqd.kill()
    while (await host.get("/readyz"))[0] == 200:
        pass
    status, body = await host.get("/readyz")
    assert 503 == status
    assert b"no nsqd to publish to" in body
    host.nsqd.start()
    await host.ready()
    assert "missing" in json.loads((await host.get("/api/status"))[1])
