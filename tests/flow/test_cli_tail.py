from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest
from cli_parts import chunter, running
from nsq_servers import Nsqd
from responder import HOST, Responder, responding

pytestmark = pytest.mark.counted

VM = "5e0c6a2b-0000-4000-8000-000000000001"
STATE = {"event": "state", "data": "running", "previous": "booting", "zone_state": "running"}


@pytest.fixture(scope="module")
def nsqd(tmp_path_factory) -> Iterator[Nsqd]:
    """One real nsqd for all."""
    with Nsqd(tmp_path_factory.mktemp("nsqd")) as server:
        yield server


@asynccontextmanager
async def tailing(nsqd: Nsqd, *arguments: str) -> AsyncIterator[tuple[asyncio.subprocess.Process, Responder]]:
    """``chunter tail`` that follows already, and somebody who publishes."""
    async with responding(nsqd, {}) as agent:
        door = {"CHUNTER_NSQD_HTTP": nsqd.http_address}
        async with running("tail", *arguments, environment=door) as process, asyncio.timeout(20):
            first = await process.stderr.readline()
            assert first.startswith(b"Following "), first
            yield process, agent


async def test_events_are_told_in_words_and_names_are_learned(nsqd):
    """Time, topic, who, and what; an alias takes the place of a uuid once it was heard."""
    async with tailing(nsqd, "zone", "--count", "3") as (process, agent):
        await agent.tell("chunter.zone", STATE, "chunter.zone.state", VM)
        await agent.tell("chunter.zone", {"data": {"config": {"alias": "web"}}}, "chunter.zone.update", VM)
        await agent.tell("chunter.zone", {"event": "delete"}, "chunter.zone.deleted", VM)
        out, err = await process.communicate()
    expected = [
        "10:00:00.123  zone       5e0c6a2b      is running (was booting)",
        "10:00:00.123  zone       web           configuration: alias web",
        "10:00:00.123  zone       web           is gone",
    ]
    assert (0, b"", expected) == (process.returncode, err, out.decode().splitlines())


async def test_json_is_each_event_as_it_is(nsqd):
    """One CloudEvent a line, topics by whole names too."""
    async with tailing(nsqd, "chunter.zone", "my.results", "--json", "--count", "2") as (process, agent):
        await agent.tell("chunter.zone", STATE, "chunter.zone.state", VM)
        await agent.tell("my.results", {"command": "c"})
        out, _ = await process.communicate()
    events = [json.loads(line) for line in out.splitlines()]
    assert {"chunter.zone.state", "chunter.result"} == {event["type"] for event in events}
    assert "1.0" == events[0]["specversion"]


async def test_heartbeats_are_left_out_unless_they_are_asked_for(nsqd):
    """Without topics announcements are told, and the pulse is not."""
    async with tailing(nsqd, "--count", "1") as (process, agent):
        await agent.tell("chunter.announce", {"event": "heartbeat", "data": {}}, "chunter.host.heartbeat")
        await agent.tell("chunter.announce", {"event": "leaving", "data": {"alias": "hv1"}}, "chunter.host.leaving")
        out, _ = await process.communicate()
    assert out.decode().endswith("host hv1 leaves\n")
    async with tailing(nsqd, "announce", "--count", "1") as (process, agent):
        await agent.tell("chunter.announce", {"event": "heartbeat", "data": {}}, "chunter.host.heartbeat")
        out, _ = await process.communicate()
    assert b"lives" in out


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
async def test_ctrl_c_ends_it_well(nsqd, number):
    """Status 0 and no more words, also when it is told to end or its terminal is closed; no channel is left."""
    topic = f"my.{number.name}"
    async with tailing(nsqd, topic) as (process, _):
        process.send_signal(number)
        out, err = await process.communicate()
    assert (0, b"", b"") == (process.returncode, out, err)
    assert not nsqd.topic(topic)["channels"]


async def test_it_ends_after_the_time_it_was_given(nsqd):
    """--for seconds, with nothing to tell."""
    ended = await chunter("tail", "zone", "--for", "0.2", nsqd=nsqd)
    assert (0, "") == (ended.status, ended.out)


async def test_a_name_that_is_no_topic_is_wrong_usage(nsqd):
    """Status 2 before anything is asked for."""
    ended = await chunter("tail", "no topic", nsqd=nsqd)
    assert (2, "") == (ended.status, ended.out)
    assert "no topic" in ended.err


async def test_a_mistyped_topic_is_told_with_what_was_meant(nsqd):
    """It is followed all the same: anybody may publish on a topic of that name."""
    ended = await chunter("tail", "zoen", "--for", "0.2", nsqd=nsqd)
    hint = "Agents publish nothing on zoen by themselves; did you mean zone?"
    assert (0, [hint, "Following zoen; ctrl-C ends."]) == (ended.status, ended.err.splitlines())


async def test_hosts_that_answer_are_listed(nsqd):
    """One row for each, by alias."""
    told = {"alias": "hv1", "host": HOST, "ip": "10.0.0.1", "version": "1", "capabilities": ["zone"], "simulated": True}
    async with responding(nsqd, {"host.info": [{"status": "succeeded", "result": told}]}):
        listed = await chunter("hosts", "--wait", "0.5", nsqd=nsqd)
        document = await chunter("hosts", "--wait", "0.5", "--json", nsqd=nsqd)
    assert ["hv1", HOST, "10.0.0.1", "1", "yes", "zone"] == listed.out.splitlines()[1].split()
    assert (0, [told]) == (document.status, document.document)


async def test_no_host_at_all_is_status_1(nsqd):
    """In words, or as an empty list."""
    listed = await chunter("hosts", "--wait", "0.2", nsqd=nsqd)
    assert (1, "") == (listed.status, listed.out)
    assert "no host answered" in listed.err
    document = await chunter("hosts", "--wait", "0.2", "--json", nsqd=nsqd)
    assert (1, [], "") == (document.status, document.document, document.err)
