from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator
from contextlib import aclosing
from datetime import UTC, datetime, timedelta

import pytest
from bus_parts import eventually
from nsq_servers import Nsqd, Nsqlookupd, free_port
from responder import HOST, responding

from chunter_nsq.authority import Authority
from chunter_nsq.authority import Key as KnownKey
from chunter_nsq.channels import Channels
from chunter_nsq.client import Client, Key, NoResult, Unreachable
from chunter_nsq.nodes import find
from chunter_nsq.trail import Trails

VM = "5e0c6a2b-0000-4000-8000-000000000001"
DONE = {"status": "succeeded", "result": {"state": "stopped"}}


@pytest.fixture(scope="module")
def nsqd(tmp_path_factory) -> Iterator[Nsqd]:
    """One real nsqd for all."""
    with Nsqd(tmp_path_factory.mktemp("nsqd")) as server:
        yield server


def result(command: str, status: str, **more: object) -> dict[str, object]:
    """An event that tells a result."""
    return {"type": "chunter.result", "data": {"command": command, "host": HOST, "status": status, **more}}


async def test_a_command_carries_what_was_given_and_its_final_result_comes_back(nsqd):
    """What send was given stands in the command, nothing else, and wait returns the final result."""
    async with responding(nsqd, {"machine.stop": [{}, DONE]}) as agent, Client(nsqd_http=[nsqd.http_address]) as client:
        command = await client.send("machine.stop", host="hv1", uuid=VM, params={"force": True})
        final = await client.wait(command, 10)
    expected = {"id": command, "action": "machine.stop", "uuid": VM, "params": {"force": True}, "host": "hv1"}
    assert [expected] == agent.commands
    assert ("succeeded", {"state": "stopped"}, HOST) == (final["status"], final["result"], final["host"])


async def test_follow_tells_every_step_and_ends_with_the_final_result(nsqd):
    """accepted, each progress, then the final result, and no more."""
    steps = [{}, *({"status": "progress", "progress": {"done": done}} for done in (1, 2)), DONE]
    async with responding(nsqd, {"machine.create": steps}), Client(nsqd_http=[nsqd.http_address]) as client:
        command = await client.send("machine.create", host="*")
        seen = [data["status"] async for data in client.follow(command)]
    assert ["accepted", "progress", "progress", "succeeded"] == seen


async def test_results_that_came_before_anybody_followed_are_told_all_the_same(nsqd):
    """A follower that comes late hears the newest of each kind."""
    async with responding(nsqd, {"host.ping": [{}, DONE]}), Client(nsqd_http=[nsqd.http_address]) as client:
        command = await client.send("host.ping", host="hv1")
        await eventually(lambda: client._trails.of(command).is_ended)
        seen = [data["status"] async for data in client.follow(command)]
    assert ["accepted", "succeeded"] == seen


async def test_waiting_ends_with_what_was_heard_last(nsqd):
    """NoResult has the last result of a command that still runs."""
    async with responding(nsqd, {"machine.stop": [{}]}), Client(nsqd_http=[nsqd.http_address]) as client:
        command = await client.send("machine.stop", host="hv1", uuid=VM)
        with pytest.raises(NoResult, match="accepted") as caught:
            await client.wait(command, 0.5)
    assert caught.value.last is not None
    assert "accepted" == caught.value.last["status"]


async def test_waiting_for_nobody_says_that_nothing_was_heard(nsqd):
    """NoResult without a last result."""
    async with Client(nsqd_http=[nsqd.http_address]) as client:
        command = await client.send("host.ping", host="nobody")
        with pytest.raises(NoResult, match="nothing") as caught:
            await client.wait(command, 0.2)
    assert caught.value.last is None


async def test_a_command_that_nothing_is_heard_of_is_sent_again(nsqd):
    """A host that missed the command, or whose answer was lost, gets the same one once more."""
    nsqd.create("chunter.command", "somebody")  # so that nsqd does not keep the command for the first who comes
    async with Client(nsqd_http=[nsqd.http_address], silence_seconds=0.3) as client:
        command = await client.send("host.ping", host="late")
        async with responding(nsqd, {"host.ping": [DONE]}, host="late") as agent:
            final = await client.wait(command, 10)
    assert ("succeeded", command) == (final["status"], agent.commands[0]["id"])


async def test_answers_go_where_the_command_says(nsqd):
    """A reply_to topic is read instead of the result topic."""
    async with responding(nsqd, {"host.ping": [DONE]}) as agent, Client(nsqd_http=[nsqd.http_address]) as client:
        command = await client.send("host.ping", host="hv1", reply_to="my.results")
        final = await client.wait(command, 10)
    assert "succeeded" == final["status"]
    assert "my.results" == agent.commands[0]["reply_to"]


async def test_a_signature_is_one_that_an_agent_accepts(nsqd):
    """The signed command passes the agent's own check."""
    secret = b"0123456789abcdef"
    async with responding(nsqd, {"host.ping": [DONE]}) as agent, Client(nsqd_http=[nsqd.http_address]) as client:
        expires = datetime.now(UTC) + timedelta(hours=1)
        command = await client.send("host.ping", host="hv1", expires=expires, key=Key("ops", secret))
        await client.wait(command, 10)
    used = Authority({"ops": KnownKey("ops", secret)}).check(agent.commands[0], "host.ping", None)
    assert f"ops {agent.commands[0]['auth']['nonce']}" == used


async def test_hosts_are_those_that_answer_in_time(nsqd):
    """Every host that answered host.info, by alias, and no waiting beyond the time."""
    a, b = ({"host.info": [{"status": "succeeded", "result": {"alias": alias}}]} for alias in ("a", "b"))
    async with (
        responding(nsqd, b, host="h-b", alias="b"),
        responding(nsqd, a, host="h-a", alias="a"),
        Client(nsqd_http=[nsqd.http_address]) as client,
    ):
        begin = time.monotonic()
        found = await client.hosts(0.5)
    assert ["a", "b"] == [each["alias"] for each in found]
    assert 1.5 > time.monotonic() - begin


async def test_events_come_with_their_topics(nsqd):
    """Short names get the prefix, whole ones stay; what is no JSON object is passed over."""
    seen: list[tuple[str, str]] = []

    async def read(client: Client, topics: list[str]) -> None:
        async with aclosing(client.events(topics)) as events:
            async for topic, event in events:
                seen.append((topic, event["type"]))
                if len(seen) == 2:
                    break

    async with responding(nsqd, {}) as agent, Client(nsqd_http=[nsqd.http_address]) as client, asyncio.timeout(10):
        topics = ["zone", "other.topic"]
        reading = asyncio.create_task(read(client, topics))
        await client.subscribe(topics)
        nsqd.pub("chunter.zone", b"no json")
        await agent.tell("chunter.zone", {"event": "create"}, "chunter.zone.created", VM)
        await agent.tell("other.topic", {"event": "x"}, "x", VM)
        await reading
    assert [("chunter.zone", "chunter.zone.created"), ("other.topic", "x")] == sorted(seen)


async def test_nothing_is_left_on_nsqd(nsqd):
    """The client's channel ends with the client."""
    async with Client(nsqd_http=[nsqd.http_address]) as client:
        await client.subscribe(["result"])
        channel = client._channels.of("chunter.result")
        assert nsqd.channel("chunter.result", channel)
    assert not nsqd.channel("chunter.result", channel)


async def test_what_a_killed_client_left_goes(nsqd):
    """The next one that reads the topic deletes it; a channel of somebody who just began stays, and so do others."""
    left, young = "cli-00000001-0123456789abcdef", Channels("chunter").of("chunter.result")
    for channel in (left, young, "cli-mine"):
        nsqd.create("chunter.result", channel)
    async with Client(nsqd_http=[nsqd.http_address]) as client:
        await client.subscribe(["result"])
    assert {young, "cli-mine"} == {each["channel_name"] for each in nsqd.topic("chunter.result")["channels"]}


async def test_nothing_is_dropped_without_a_memory_queue(tmp_path):
    """Events that come together are all told, from an nsqd that has each on its disk first."""
    bodies = [json.dumps({"type": "x", "number": number}).encode() for number in range(50)]

    async def read(client: Client) -> list[int]:
        async with aclosing(client.events(["zone"])) as events:
            return [(await anext(events))[1]["number"] for _ in bodies]

    with Nsqd(tmp_path, ["-mem-queue-size=0", "-sync-every=1"]) as server:
        async with Client(nsqd_http=[server.http_address]) as client, asyncio.timeout(10):
            reading = asyncio.create_task(read(client))
            await client.subscribe(["zone"])
            server.post("/mpub?topic=chunter.zone", b"\n".join(bodies))
            numbers = await reading
    assert list(range(50)) == numbers


def test_samples_come_through_channels_that_keep_nothing():
    """Nsqd does not write them to its disk; whose next may be long in coming is kept."""
    channels = Channels("mine")
    assert channels.of("mine.metric").endswith("#ephemeral")
    assert channels.of("mine.zone") == channels.of("metric") == channels.of("chunter.metric")
    assert not channels.of("mine.zone").endswith("#ephemeral")


async def test_a_dead_nsqd_is_passed_over(nsqd):
    """One nsqd that answers is enough."""
    doors = [f"127.0.0.1:{free_port()}", nsqd.http_address]
    async with responding(nsqd, {"host.ping": [DONE]}), Client(nsqd_http=doors) as client:
        final = await client.wait(await client.send("host.ping", host="hv1"), 10)
    assert "succeeded" == final["status"]


async def test_no_nsqd_at_all_is_named():
    """The fault names the address that was tried."""
    door = f"127.0.0.1:{free_port()}"
    with pytest.raises(Unreachable, match=door):
        async with Client(nsqd_http=[door]):
            pass


async def test_an_nsqd_that_ended_meanwhile_is_a_fault_and_no_silence(tmp_path):
    """A command that no nsqd took was not sent."""
    with Nsqd(tmp_path) as server:
        async with Client(nsqd_http=[server.http_address]) as client:
            await client.subscribe(["result"])
            server.kill()
            with pytest.raises(Unreachable, match="cannot be reached"):
                await client.send("host.ping", host="hv1")


async def test_nsqd_are_found_through_nsqlookupd(tmp_path):
    """Without any nsqd named, those that nsqlookupd knows are used."""
    with Nsqlookupd(tmp_path) as lookupd, Nsqd(tmp_path, lookupd=[lookupd]) as server:
        await eventually(lambda: lookupd.get("/nodes")["producers"])
        async with (
            responding(server, {"host.ping": [DONE]}),
            Client(lookupd_http=[lookupd.http_address]) as client,
        ):
            final = await client.wait(await client.send("host.ping", host="hv1"), 10)
    assert "succeeded" == final["status"]


async def test_a_nsqlookupd_without_nsqd_is_named(tmp_path):
    """An empty nsqlookupd is a fault with its address."""
    with Nsqlookupd(tmp_path) as lookupd, pytest.raises(Unreachable, match="knows no nsqd"):
        await find([], [lookupd.http_address])


@pytest.mark.parametrize("given", [{}, {"nsqd_http": ["nonsense"]}, {"lookupd_http": ["http://x:4161"]}])
def test_addresses_are_checked_when_the_client_is_made(given):
    """None at all, and what is no address, is refused at once."""
    with pytest.raises(ValueError, match=r"nsqd|host:port"):
        Client(**given)


def test_a_secret_is_not_shown():
    """The repr of a key keeps its secret."""
    assert "hush" not in repr(Key("ops", b"hush"))


def test_a_result_that_came_twice_is_told_once():
    """The same result to the letter is no news; a different one is."""
    trails = Trails()
    queue = trails.of("c").join()
    for done in (1, 1, 2):
        trails.add(result("c", "progress", progress={"done": done}))
    assert 2 == queue.qsize()


def test_results_of_other_commands_are_not_kept():
    """Only commands with a trail are remembered, and only results."""
    trails = Trails()
    trails.of("mine")
    trails.add(result("other", "succeeded"))
    trails.add({"type": "chunter.zone.state", "data": {"command": "mine"}})
    trails.add(json.loads('{"type": "chunter.result", "data": 5}'))
    assert (1, 0) == (len(trails), trails.of("mine").join().qsize())


def test_above_the_limit_the_oldest_unfollowed_trail_is_forgotten():
    """Somebody's trail is never taken away."""
    trails = Trails(limit=2)
    trails.of("a").join()
    trails.of("b")
    trails.of("c")
    trails.add(result("b", "accepted"))
    assert (2, 0) == (len(trails), trails._trails["c"].join().qsize())
    assert {"a", "c"} == set(trails._trails)


def test_a_trail_ends_with_its_last_follower():
    """After the final result the last follower takes the trail along."""
    trails = Trails()
    first, second = trails.of("c").join(), trails.of("c").join()
    trails.add(result("c", "succeeded"))
    trails.leave("c", first)
    assert 1 == len(trails)
    trails.leave("c", second)
    assert 0 == len(trails)
