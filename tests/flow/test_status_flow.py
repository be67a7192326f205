"""The status listener of a real agent."""

from __future__ import annotations

import json
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
