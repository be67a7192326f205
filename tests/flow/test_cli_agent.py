from __future__ import annotations

import asyncio
import json
import time

import pytest
from cli_parts import chunter, running
from worlds import BASE_IMAGE

pytestmark = pytest.mark.counted


async def test_a_day_at_the_command_line(new_host, nsqd):
    """A real agent on a simulated host: listed, asked, commanded, refused, watched."""
    host = await new_host(zones=2).start().ready()
    listed = await chunter("hosts", "--wait", "1", "--json", nsqd=nsqd)
    assert [host.id] == [each["host"] for each in listed.document]
    name = listed.document[0]["alias"]

    told = await chunter("status", "--root", str(host.root), "--json")
    assert (0, host.id) == (told.status, told.document["host"])
    in_words = await chunter("status", "--root", str(host.root))
    assert (0, "") == (in_words.status, in_words.err)
    assert f"publishes to {nsqd.tcp_address}" in in_words.out

    machines = await chunter("call", "--host", name, "machine.list", "--json", nsqd=nsqd)
    uuid = machines.document["result"]["machines"][0]["uuid"]
    async with running("tail", "zone", environment={"CHUNTER_NSQD_HTTP": nsqd.http_address}) as watched:
        assert b"Following chunter.zone; ctrl-C ends.\n" == await watched.stderr.readline()
        stopped = await chunter("call", "--host", name, "machine.stop", "--uuid", uuid, "-p", "force=true", nsqd=nsqd)
        assert (0, "") == (stopped.status, stopped.err)
        assert "stopped" in stopped.out
        assert "installed" == json.loads(host.tool("vmadm", "get", uuid).stdout)["zone_state"]
        told: list[str] = []
        async with asyncio.timeout(20):
            while "stopped" not in told:
                told.append((await watched.stdout.readline()).decode().split()[4])
        assert "shutting_down" in told

    mistyped = await chunter("call", "--host", name, "machine.stop", "--uuid", uuid, "-p", "forse=true", nsqd=nsqd)
    assert (4, "") == (mistyped.status, mistyped.out)
    assert "did you mean force?" in mistyped.err

    assert 0 == await host.stop()
    gone = await chunter("status", "--root", str(host.root))
    assert (1, "") == (gone.status, gone.out)
    assert "no agent answers" in gone.err


@pytest.mark.alone
async def test_two_hosts_on_one_nsqd_are_found_and_told_apart(new_host, nsqd):
    """Both are listed within five seconds; each runs what is for it alone, and both what is for all."""
    hosts = [await host.ready() for host in (new_host().start(), new_host().start())]
    began = time.monotonic()
    listed = await chunter("hosts", "--json", nsqd=nsqd)
    assert time.monotonic() - began < 5.0
    assert sorted(host.id for host in hosts) == sorted(each["host"] for each in listed.document)

    made = {"brand": "joyent", "image_uuid": BASE_IMAGE, "alias": "only-here", "max_physical_memory": 256}
    first, second = hosts
    payload = f"payload={json.dumps(made)}"
    done = await chunter("call", "--host", first.id, "machine.create", "-p", payload, "--json", nsqd=nsqd)
    assert (0, first.id) == (done.status, done.document["host"])
    everybody = await chunter("call", "--host", "*", "machine.list", "-p", 'fields=["alias"]', "--json", nsqd=nsqd)
    answers = [json.loads(line) for line in everybody.out.splitlines()]
    assert {first.id: [{"alias": "only-here"}], second.id: []} == {
        one["host"]: one["result"]["machines"] for one in answers
    }


async def test_a_wrong_configuration_ends_the_agent_with_96(tmp_path):
    """Chunter run tells what is wrong and where."""
    (tmp_path / "chunter.conf").write_text("nonsense\n")
    ended = await chunter("run", "--root", str(tmp_path), "--config", str(tmp_path / "chunter.conf"))
    assert 96 == ended.status
    assert "chunter.conf" in ended.err


async def test_a_status_address_that_is_taken_ends_the_agent_with_95(nsqd, tmp_path):
    """One line says which address, why, and what to do."""
    listen = f"status_listen = {nsqd.http_address}\n"
    (tmp_path / "chunter.conf").write_text(f"platform_root = {tmp_path}\nnsqd = {nsqd.tcp_address}\n{listen}")
    ended = await chunter("run", "--root", str(tmp_path), "--config", str(tmp_path / "chunter.conf"))
    last = json.loads(ended.err.splitlines()[-1])
    assert (95, "agent.unlistenable", False) == (ended.status, last["event"], "exception" in last)
    assert last["reason"].startswith(f"status_listen = {nsqd.http_address} cannot be had: Address already in use; end")
