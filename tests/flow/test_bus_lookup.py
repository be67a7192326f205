from __future__ import annotations

import pytest
from bus_parts import Inbox, connection, consuming, eventually, producing
from nsq_servers import Nsqd, Nsqlookupd

from chunter_nsq.bus import guard
from chunter_nsq.bus.address import Address
from chunter_nsq.bus.addressbook import AddressBook
from chunter_nsq.bus.consumer import Consumer


@pytest.fixture
def lookupd(tmp_path):
    """One to ask."""
    with Nsqlookupd(tmp_path / "lookupd") as server:
        yield server


@pytest.fixture
def nsqd(tmp_path, lookupd):
    """One that registers there."""
    with Nsqd(tmp_path / "nsqd", lookupd=[lookupd]) as server:
        yield server


async def test_topic_that_nobody_has_is_made(lookupd, nsqd, caplog):
    """Topic and channel are made on the known nsqd, quietly, so that a subscription stands before the first message."""
    inbox = Inbox()
    async with consuming(connection(lookupd=(lookupd.http_address,)), "t", inbox.accept):
        nsqd.pub("t", b"x")
        assert [b"x"] == await inbox.holds(1)
    assert [] == [record for record in caplog.records if record.levelname == "WARNING"]


async def test_second_nsqd_is_found_while_running(lookupd, nsqd, tmp_path):
    """An nsqd where the topic appears later is consumed from too."""
    inbox = Inbox()
    async with consuming(connection(lookupd=(lookupd.http_address,)), "t", inbox.accept) as consumer:
        with Nsqd(tmp_path / "second", lookupd=[lookupd]) as second:
            second.pub("t", b"there")
            assert [b"there"] == await inbox.holds(1)
            assert {nsqd.tcp_address, second.tcp_address} == set(consumer.state().connected)


async def test_lost_lookupd_does_not_matter_to_what_is_known(lookupd, nsqd):
    """With nsqlookupd gone, consuming goes on, and an nsqd that restarts meanwhile is found again."""
    inbox = Inbox()
    async with consuming(connection(lookupd=(lookupd.http_address,)), "t", inbox.accept) as consumer:
        lookupd.kill()
        nsqd.kill()
        await eventually(lambda: not consumer.state().connected)
        nsqd.start()
        assert await consumer.wait_ready(10)
        nsqd.pub("t", b"x")
        assert [b"x"] == await inbox.holds(1)


async def test_what_was_known_is_known_after_a_start_without_lookupd(lookupd, nsqd, tmp_path):
    """Who starts while nsqlookupd is down consumes and publishes where it was named the last time."""
    remembering = connection(lookupd=(lookupd.http_address,), memory=tmp_path / "memory")
    async with consuming(remembering, "t", Inbox().accept), producing(remembering):
        await eventually(lambda: {"t.nsqd", "publish.nsqd"} <= {one.name for one in remembering.memory.glob("*")})
    lookupd.kill()

    inbox = Inbox()
    async with consuming(remembering, "t", inbox.accept), producing(remembering) as producer:
        await producer.publish("t", [b"x"])
        assert [b"x"] == await inbox.holds(1)


async def test_a_damaged_memory_is_told_and_no_more(tmp_path, caplog):
    """A file that holds no addresses counts as empty, with a line in the log, and is written anew."""
    book = AddressBook(tmp_path / "t.nsqd")
    assert (frozenset(), []) == (book.read(), caplog.records)
    (tmp_path / "t.nsqd").write_bytes(b"10.0.0.1:4150\n\xff")
    assert frozenset() == book.read()
    assert ["nsq.addressbook_unreadable"] == [record.message for record in caplog.records]
    book.write({Address("::1", 4150), Address("hv1", 4150)})
    assert {Address("::1", 4150), Address("hv1", 4150)} == book.read()


async def test_all_lookupd_are_asked_and_merged(lookupd, nsqd, tmp_path):
    """One dead nsqlookupd and two living ones with an nsqd each give both nsqd."""
    dead = Nsqlookupd(tmp_path / "dead")
    with Nsqlookupd(tmp_path / "other") as other, Nsqd(tmp_path / "second", lookupd=[other]) as second:
        for server in (nsqd, second):
            server.create("t", "c")
        addresses = (dead.http_address, lookupd.http_address, other.http_address)
        inbox = Inbox()
        async with consuming(connection(lookupd=addresses), "t", inbox.accept) as consumer:
            await eventually(lambda: len(consumer.state().connected) == 2)
            assert dead.http_address in consumer.state().last_error


async def test_lookupd_that_comes_later_is_used(tmp_path):
    """A consumer started before everything else is served as soon as it is there."""
    lookupd = Nsqlookupd(tmp_path / "lookupd")
    inbox = Inbox()
    consumer = Consumer(connection(lookupd=(lookupd.http_address,)), "t", "c", inbox.accept)
    await consumer.start()
    assert not await consumer.wait_ready(0.3)
    with lookupd, Nsqd(tmp_path / "nsqd", lookupd=[lookupd]) as nsqd:
        nsqd.pub("t", b"x")
        assert [b"x"] == await inbox.holds(1)
        await consumer.close()


async def test_producer_finds_an_nsqd_through_lookupd(lookupd, nsqd):
    """Without a fixed address, any nsqd that nsqlookupd knows is published to."""
    async with producing(connection(lookupd=(lookupd.http_address,))) as producer:
        await producer.publish("t", [b"x"])
    assert nsqd.topic("t")["message_count"] == 1


async def test_nsqd_that_is_gone_is_forgotten_in_time(lookupd, nsqd, tmp_path, monkeypatch):
    """An address that nsqlookupd has not named for long is no longer tried; a connected one always stays."""
    monkeypatch.setattr(guard, "FORGET_SECONDS", 1.0)
    nsqd.create("t", "c")
    second = Nsqd(tmp_path / "second", lookupd=[lookupd]).start()
    second.create("t", "c")
    async with consuming(connection(lookupd=(lookupd.http_address,)), "t", Inbox().accept) as consumer:
        await eventually(lambda: len(consumer.state().connected) == 2)
        second.kill()
        await eventually(lambda: second.tcp_address in (consumer.state().last_error or ""))
        await eventually(lambda: consumer.state().last_error is None)
        assert (nsqd.tcp_address,) == consumer.state().connected
