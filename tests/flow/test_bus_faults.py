from __future__ import annotations

import asyncio
import logging
import time
from contextlib import asynccontextmanager

import pytest
from bus_parts import Inbox, connection, consuming, eventually, producing
from nsq_servers import Nsqd

from chunter_nsq.bus.address import Address
from chunter_nsq.bus.consumer import Consumer
from chunter_nsq.bus.faults import PublishFailed, PublishUncertain
from chunter_nsq.bus.producer import Producer


@pytest.fixture
def nsqd(tmp_path):
    """One to harm."""
    with Nsqd(tmp_path / "nsqd") as server:
        yield server


@asynccontextmanager
async def server(answer):
    """Something that is no nsqd; ``answer`` serves each connection. Gives its address and who is connected."""
    open_now = set()

    async def serve(reader, writer):
        open_now.add(writer)
        try:
            await answer(reader, writer)
        except OSError:
            pass
        finally:
            open_now.discard(writer)
            writer.close()

    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield Address("127.0.0.1", listening.sockets[0].getsockname()[1]), open_now
    finally:
        listening.close()
        for writer in list(open_now):
            writer.close()
        await listening.wait_closed()
        await asyncio.sleep(0.05)


async def silent(reader, _writer):
    """Reads and says nothing."""
    while await reader.read(1000):
        pass


async def test_killed_nsqd_is_found_again(nsqd, monkeypatch):
    """After kill -9 and a new start, consuming and publishing go on, even when the host's clock was set back."""
    inbox = Inbox()
    async with consuming(connection(nsqd), "t", inbox.accept), producing(connection(nsqd)) as producer:
        await producer.publish("t", [b"before"])
        await inbox.holds(1)
        real = time.time
        monkeypatch.setattr(time, "time", lambda: real() - 3600.0)
        nsqd.kill()
        await eventually(lambda: not producer.state().connected)
        nsqd.start()
        begin = time.monotonic()
        assert await producer.wait_ready(10)
        await producer.publish("t", [b"after"])
        assert [b"before", b"after"] == await inbox.holds(2, 10)
        assert time.monotonic() - begin < 10


@pytest.mark.alone
async def test_publish_to_a_hung_nsqd_is_uncertain_within_the_limit(nsqd):
    """A stopped nsqd costs a publish its time limit, no more; once it wakes up, publishing goes on."""
    async with producing(connection(nsqd)) as producer:
        nsqd.pause()
        begin = time.monotonic()
        with pytest.raises(PublishUncertain):
            await producer.publish("t", [b"x"])
        assert 0.9 < time.monotonic() - begin < 2.0
        with pytest.raises(PublishFailed):
            await producer.publish("t", [b"y"])
        nsqd.resume()
        assert await producer.wait_ready(10)
        await producer.publish("t", [b"z"])
        assert producer.state().uncertain == 1


async def test_killed_while_publishing_is_uncertain_at_once(nsqd):
    """A connection that ends before the answer does not keep the publish waiting."""
    async with producing(connection(nsqd, publish_timeout_seconds=30.0)) as producer:
        nsqd.pause()
        call = asyncio.create_task(producer.publish("t", [b"x"]))
        await asyncio.sleep(0.1)
        nsqd.kill()
        with pytest.raises(PublishUncertain):
            await asyncio.wait_for(call, 3)


@pytest.mark.alone
async def test_watchdog_leaves_a_silent_nsqd_and_returns(nsqd):
    """A consumer notices an nsqd without heartbeats in time, and comes back when it wakes up."""
    inbox = Inbox()
    async with consuming(connection(nsqd), "t", inbox.accept) as consumer:
        nsqd.pause()
        seconds = await eventually(lambda: not consumer.state().connected, 12)
        assert 5.0 < seconds < 9.0
        assert "silent" in consumer.state().last_error
        nsqd.resume()
        assert await consumer.wait_ready(10)
        nsqd.pub("t", b"awake")
        assert [b"awake"] == await inbox.holds(1)


@pytest.mark.alone
async def test_heartbeats_keep_an_idle_connection(nsqd):
    """Without any message the connection stays, because heartbeats are answered and counted."""
    async with consuming(connection(nsqd), "t", Inbox().accept) as consumer:
        ages = []
        for _ in range(25):
            await asyncio.sleep(0.1)
            ages.append(consumer.state().last_frame_age_seconds)
        assert max(ages) < 1.5
        assert (nsqd.tcp_address,) == consumer.state().connected


async def test_black_hole_does_not_hold_up_the_other_nsqd(nsqd):
    """A server that accepts and stays silent is given up after the handshake's limit; no socket leaks."""
    inbox = Inbox()
    async with server(silent) as (hole, open_now):
        both = connection(
            nsqd=(hole, Address.parse(nsqd.tcp_address)),
            handshake_timeout_seconds=0.3,
            reconnect_seconds=0.05,
            longest_reconnect_seconds=0.1,
        )
        async with consuming(both, "t", inbox.accept) as consumer, producing(both) as producer:
            await producer.publish("t", [b"x"])
            assert [b"x"] == await inbox.holds(1)
            await eventually(lambda: consumer.state().last_error)
            assert "did not shake hands" in consumer.state().last_error
            for _ in range(20):
                await asyncio.sleep(0.05)
                assert len(open_now) <= 2
        await eventually(lambda: not open_now)


async def test_no_nsqd_at_the_port_is_told_once(caplog):
    """A server of another kind is left with a reason, one line in the log for many attempts, and no traceback."""

    async def web(reader, writer):
        await reader.read(10)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await writer.drain()

    async with server(web) as (address, _open):
        producer = Producer(connection(nsqd=(address,), reconnect_seconds=0.01, longest_reconnect_seconds=0.02))
        await producer.start()
        await asyncio.sleep(0.5)
        assert "does not speak as nsqd does" in producer.state().last_error
        await producer.close()
    assert ["nsq.disconnected"] == [record.getMessage() for record in caplog.records]


async def test_refused_connects_are_told_once(tmp_path, caplog):
    """Many attempts at a port where nobody listens make one line, and nothing from tornado or asyncio."""
    caplog.set_level(logging.INFO)
    settings = connection(Nsqd(tmp_path), reconnect_seconds=0.01, longest_reconnect_seconds=0.02)
    consumer = Consumer(settings, "t", "c", Inbox().accept)
    await consumer.start()
    await asyncio.sleep(0.5)
    await consumer.close()
    assert ["nsq.disconnected"] == [record.getMessage() for record in caplog.records]


async def test_next_nsqd_takes_over_publishing(nsqd, tmp_path):
    """The first address is published to; when it dies, the second one is."""
    with Nsqd(tmp_path / "second") as second:
        async with producing(connection(nsqd, second)) as producer:
            await eventually(lambda: len(producer.state().connected) == 2)
            await producer.publish("t", [b"a"])
            nsqd.kill()
            await eventually(lambda: (second.tcp_address,) == producer.state().connected)
            await producer.publish("t", [b"b"])
        assert second.topic("t")["message_count"] == 1


async def test_answer_after_the_connection_was_lost_counts_as_nothing(nsqd):
    """An accept that ends after its connection finishes nothing; the message comes again and is accepted then."""
    gate, inbox = asyncio.Event(), Inbox()

    async def accept(delivery):
        await inbox.accept(delivery)
        await gate.wait()

    async with consuming(connection(nsqd), "t", accept) as consumer:
        nsqd.pub("t", b"x")
        await inbox.holds(1)
        nsqd.stop()
        await eventually(lambda: not consumer.state().connected)
        gate.set()
        nsqd.start()
        await inbox.holds(2)
        await eventually(lambda: consumer.state().finished == 1)
    assert nsqd.channel("t", "c")["depth"] == 0


async def test_deleted_channel_is_subscribed_again(nsqd):
    """An operator who deletes the channel interrupts us for a moment only."""
    inbox = Inbox()
    async with consuming(connection(nsqd), "t", inbox.accept) as consumer:
        nsqd.post("/channel/delete?topic=t&channel=c")
        await eventually(lambda: not consumer.state().connected)
        assert await consumer.wait_ready(5)
        nsqd.pub("t", b"x")
        await inbox.holds(1)


async def test_restarts_lose_nothing(nsqd):
    """Through four orderly restarts, whatever is published again until nsqd said OK is received."""
    inbox, sent = Inbox(), [b"%d" % number for number in range(400)]

    async def publish(producer):
        for at in range(0, 400, 4):
            while True:
                try:
                    await producer.publish("t", sent[at : at + 4])
                except PublishFailed:
                    await producer.wait_ready(5)
                except PublishUncertain:
                    continue
                else:
                    break
            await asyncio.sleep(0.02)

    async with consuming(connection(nsqd), "t", inbox.accept), producing(connection(nsqd)) as producer:
        publishing = asyncio.create_task(publish(producer))
        for _ in range(4):
            await asyncio.sleep(0.3)
            await asyncio.to_thread(nsqd.restart)
        await publishing
        await eventually(lambda: set(sent) == set(inbox.bodies), 15)
