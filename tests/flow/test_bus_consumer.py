from __future__ import annotations

import asyncio
import logging
import time
import uuid

import pytest
from bus_parts import Inbox, connection, consuming, eventually, producing
from nsq_servers import Nsqd

from chunter_nsq.bus.address import Address
from chunter_nsq.bus.consumer import Consumer


@pytest.fixture(scope="module")
def nsqd(tmp_path_factory):
    """One for the tests that leave it alone."""
    with Nsqd(tmp_path_factory.mktemp("nsqd"), ["--msg-timeout=60s"]) as server:
        yield server


@pytest.fixture
def topic():
    """A new one for each test."""
    return f"t.{uuid.uuid4().hex[:12]}"


async def test_accepted_message_is_finished(nsqd, topic):
    """A message that accept took is gone from nsqd, and carries what nsqd knows of it."""
    inbox = Inbox()
    async with consuming(connection(nsqd), topic, inbox.accept) as consumer:
        nsqd.pub(topic, b"hello")
        await inbox.holds(1)
        await eventually(lambda: nsqd.channel(topic, "c")["in_flight_count"] == 0)
        delivery = inbox.deliveries[0]
        assert (b"hello", topic, nsqd.tcp_address, 1) == (
            delivery.body,
            delivery.topic,
            delivery.nsqd,
            delivery.attempts,
        )
        assert len(delivery.message_id) == 16
        assert abs(delivery.timestamp_ns / 1e9 - time.time()) < 5
        state = consumer.state()
        assert ((nsqd.tcp_address,), 0, 1, 1, 0) == (
            state.connected,
            state.in_flight,
            state.received,
            state.finished,
            state.requeued,
        )
    assert nsqd.channel(topic, "c")["depth"] == 0


@pytest.mark.alone
async def test_failed_accept_is_logged_and_comes_again(nsqd, topic, caplog):
    """A raising accept leaves one traceback without the body; the message returns later, and others do not wait."""
    inbox = Inbox()

    async def accept(delivery):
        if delivery.body == b"poison" and delivery.attempts == 1:
            raise OSError("disk full")
        await inbox.accept(delivery)

    async with consuming(connection(nsqd), topic, accept, requeue_seconds=1.0):
        begin = time.monotonic()
        nsqd.mpub(topic, [b"poison", b"good"])
        assert [b"good"] == await inbox.holds(1)
        assert time.monotonic() - begin < 0.9
        assert [b"good", b"poison"] == await inbox.holds(2)
    assert inbox.deliveries[1].attempts == 2
    records = [record for record in caplog.records if record.getMessage() == "nsq.accept_failed"]
    assert len(records) == 1
    assert records[0].exc_info[0] is OSError
    assert "poison" not in caplog.text


async def test_message_is_never_given_up(nsqd, topic):
    """Whatever number of attempts it takes, the message is delivered again."""
    inbox = Inbox()

    async def accept(delivery):
        if delivery.attempts < 9:
            raise ValueError("not yet")
        await inbox.accept(delivery)

    async with consuming(connection(nsqd), topic, accept, requeue_seconds=0.0):
        nsqd.pub(topic, b"stubborn")
        await inbox.holds(1)
    assert inbox.deliveries[0].attempts == 9


async def test_accept_that_returns_nothing_awaitable_is_a_failure(nsqd, topic, caplog):
    """A plain function that returns None is not taken for acceptance."""
    async with consuming(connection(nsqd), topic, lambda _delivery: None, requeue_seconds=60.0) as consumer:
        nsqd.pub(topic, b"x")
        await eventually(lambda: consumer.state().requeued == 1)
        assert consumer.state().finished == 0
    assert "nsq.accept_failed" in caplog.text


async def test_future_from_accept_is_enough(nsqd, topic):
    """Accept may hand out one future for many messages; they are finished when it is done."""
    shared = asyncio.get_running_loop().create_future()
    async with consuming(connection(nsqd), topic, lambda _delivery: shared) as consumer:
        nsqd.mpub(topic, [b"a", b"b", b"c"])
        await eventually(lambda: consumer.state().in_flight == 3)
        shared.set_result(None)
        await eventually(lambda: nsqd.channel(topic, "c")["in_flight_count"] == 0)
        assert consumer.state().finished == 3


async def test_order_of_arrival_is_kept(nsqd, topic):
    """Five thousand messages reach accept in the order in which one nsqd took them."""
    bodies = [b"%d" % number for number in range(5000)]
    nsqd.create(topic, "c")
    nsqd.mpub(topic, bodies)
    inbox = Inbox()
    async with consuming(connection(nsqd), topic, inbox.accept):
        assert bodies == await inbox.holds(len(bodies))


async def test_largest_message_arrives(nsqd, topic):
    """One MiB, nsqd's limit, passes."""
    body = b"x" * (1024 * 1024)
    inbox = Inbox()
    async with consuming(connection(nsqd), topic, inbox.accept):
        nsqd.pub(topic, body)
        assert [body] == await inbox.holds(1)


async def test_no_more_than_max_in_flight_at_once(nsqd, topic):
    """Nsqd holds the fourth message back as long as three have no answer."""
    gate = asyncio.Event()

    async def accept(_delivery):
        await gate.wait()

    async with consuming(connection(nsqd), topic, accept, max_in_flight=3) as consumer:
        nsqd.mpub(topic, [b"%d" % number for number in range(10)])
        await eventually(lambda: consumer.state().in_flight == 3)
        await asyncio.sleep(0.3)
        assert consumer.state().received == 3
        gate.set()
        await eventually(lambda: consumer.state().finished == 10)


async def test_pause_leaves_messages_at_nsqd(nsqd, topic):
    """Paused, nothing is taken; resumed, all of it is."""
    inbox = Inbox()
    async with consuming(connection(nsqd), topic, inbox.accept) as consumer:
        await consumer.pause()
        nsqd.pub(topic, b"later")
        await asyncio.sleep(0.3)
        assert inbox.bodies == []
        await consumer.resume()
        assert [b"later"] == await inbox.holds(1)


async def test_close_gives_back_what_was_not_accepted(nsqd, topic):
    """Another consumer gets the unanswered messages at once, not after nsqd's time limit of a minute."""
    bodies = [b"%d" % number for number in range(200)]

    async def never(_delivery):
        await asyncio.Event().wait()

    async with consuming(connection(nsqd), topic, never) as stuck:
        nsqd.mpub(topic, bodies)
        await eventually(lambda: stuck.state().in_flight == 200)
        await stuck.close(grace_seconds=0.1)
    assert nsqd.channel(topic, "c")["in_flight_count"] == 0
    inbox = Inbox()
    async with consuming(connection(nsqd), topic, inbox.accept):
        assert set(bodies) == set(await inbox.holds(200, 2.0))
    assert {2} == {delivery.attempts for delivery in inbox.deliveries}


async def test_close_under_load_strands_nothing(nsqd, topic):
    """Closed in the middle of a stream, every message is either finished or free for the next consumer at once."""
    bodies = [b"%d" % number for number in range(20000)]
    nsqd.create(topic, "c")
    nsqd.mpub(topic, bodies)
    first, second = Inbox(), Inbox()
    async with consuming(connection(nsqd), topic, first.accept) as consumer:
        await first.holds(1000)
        await consumer.close()
    assert 1000 <= len(first.bodies) < 20000
    assert nsqd.channel(topic, "c")["in_flight_count"] == 0
    async with consuming(connection(nsqd), topic, second.accept):
        await second.holds(20000 - len(first.bodies), 10.0)
    assert sorted(bodies) == sorted(first.bodies + second.bodies)


async def test_close_lets_running_accepts_answer(nsqd, topic):
    """Within the grace time an accepted message is finished, not given back."""

    async def accept(_delivery):
        await asyncio.sleep(0.3)

    async with consuming(connection(nsqd), topic, accept) as consumer:
        nsqd.pub(topic, b"x")
        await eventually(lambda: consumer.state().in_flight == 1)
        await consumer.close(grace_seconds=5.0)
        assert consumer.state().finished == 1
    channel = nsqd.channel(topic, "c")
    assert (0, 0) == (channel["depth"], channel["in_flight_count"])


async def test_closed_is_closed(nsqd, topic, caplog):
    """After close no task is left, nobody connects again, and the channel has no client."""
    caplog.set_level(logging.INFO)
    async with consuming(connection(nsqd), topic, Inbox().accept) as consumer:
        await consumer.close()
        await consumer.close()
    assert {asyncio.current_task()} == asyncio.all_tasks()
    await asyncio.sleep(1.2)
    assert nsqd.channel(topic, "c")["clients"] == []
    assert consumer.state().connected == ()


async def test_close_before_anything_was_reached(tmp_path):
    """A consumer whose nsqd never was there closes at once."""
    absent = Nsqd(tmp_path)
    consumer = Consumer(connection(absent, handshake_timeout_seconds=10.0), "t", "c", Inbox().accept)
    await consumer.start()
    assert not await consumer.wait_ready(0.2)
    await eventually(lambda: consumer.state().last_error)
    assert "cannot be reached" in consumer.state().last_error
    async with asyncio.timeout(2):
        await consumer.close()
    assert {asyncio.current_task()} == asyncio.all_tasks()


async def test_several_nsqd_are_all_consumed(nsqd, topic, tmp_path):
    """With room for one message only, one on an idle nsqd does not wait for the other nsqd's."""
    inbox = Inbox()
    with Nsqd(tmp_path) as other:
        async with consuming(connection(nsqd, other), topic, inbox.accept, max_in_flight=1) as consumer:
            await eventually(lambda: len(consumer.state().connected) == 2)
            for number in range(5):
                nsqd.pub(topic, b"a%d" % number)
            other.pub(topic, b"b")
            await inbox.holds(6, 3.0)
    assert {nsqd.tcp_address, other.tcp_address} == {delivery.nsqd for delivery in inbox.deliveries}


@pytest.mark.parametrize(("topic_name", "channel"), [("a b", "c"), ("t", "c/d"), ("t" * 65, "c"), ("t", "")])
async def test_bad_names_are_refused_at_once(nsqd, topic_name, channel):
    """A topic or channel that nsqd would refuse fails when the consumer is made."""
    with pytest.raises(ValueError, match="name"):
        Consumer(connection(nsqd), topic_name, channel, Inbox().accept)


async def test_late_answer_does_not_finish_the_second_delivery(nsqd, topic):
    """Past the time that nsqd is asked to wait, a message comes again; only what is in flight is answered then."""
    gates, inbox = [asyncio.Event(), asyncio.Event()], Inbox()

    async def accept(delivery):
        await inbox.accept(delivery)
        await gates[delivery.attempts - 1].wait()

    async with consuming(connection(nsqd, message_timeout_seconds=1.0), topic, accept) as consumer:
        nsqd.pub(topic, b"x")
        await inbox.holds(2)
        gates[0].set()
        await asyncio.sleep(0.1)
        assert (1, 0) == (consumer.state().in_flight, consumer.state().finished)
        gates[1].set()
        await eventually(lambda: consumer.state().finished == 1)
    assert nsqd.channel(topic, "c")["depth"] == 0


async def test_more_in_flight_than_nsqd_allows_is_cut(nsqd, topic):
    """RDY stays within nsqd's limit of 2500, above which it would close the connection."""
    inbox = Inbox()
    async with consuming(connection(nsqd), topic, inbox.accept, max_in_flight=9000):
        nsqd.pub(topic, b"x")
        await inbox.holds(1)


@pytest.mark.parametrize("host", ["localhost", "::1"])
async def test_names_and_v6_addresses_are_reached(topic, tmp_path, host):
    """A name with several addresses, or an IPv6 literal, is as good as an IPv4 address."""
    inbox = Inbox()
    with Nsqd(tmp_path, host="127.0.0.1" if host == "localhost" else host) as server:
        address = Address(host, server.tcp_port)
        async with consuming(connection(nsqd=(address,)), topic, inbox.accept):
            server.pub(topic, b"x")
            await inbox.holds(1)
    assert str(address) == inbox.deliveries[0].nsqd


async def test_unknown_host_is_a_reason(topic):
    """A name that nobody knows is told in the state, and does not stop the loop."""
    consumer = Consumer(connection(nsqd=(Address("nowhere.invalid", 4150),)), topic, "c", Inbox().accept)
    await consumer.start()
    await eventually(lambda: consumer.state().last_error)
    assert "nowhere.invalid" in consumer.state().last_error
    await consumer.close()


async def test_thousands_of_messages_each_second(nsqd, topic):
    """Twenty thousand bodies out and five thousand in take less than a second of ours, far more than an agent needs."""
    bodies = [b"%d" % number + b"x" * 300 for number in range(20000)]
    nsqd.create(topic, "c")
    inbox = Inbox()
    async with producing(connection(nsqd)) as producer:
        begin = time.process_time()
        for at in range(0, len(bodies), 500):
            await producer.publish(topic, bodies[at : at + 500])
        out = len(bodies) / (time.process_time() - begin)
    begin = time.process_time()
    async with consuming(connection(nsqd), topic, inbox.accept):
        await inbox.holds(len(bodies), 30.0)
    assert out > 20000
    assert len(bodies) / (time.process_time() - begin) > 5000


async def test_nsqd_with_a_narrower_time_limit_is_taken_as_it_is(topic, tmp_path):
    """A refused message timeout is not asked for again; the connection comes with nsqd's own."""
    inbox = Inbox()
    with Nsqd(tmp_path, ["--msg-timeout=3s", "--max-msg-timeout=5s"]) as narrow:
        async with consuming(connection(narrow), topic, inbox.accept):
            narrow.pub(topic, b"x")
            await inbox.holds(1)
