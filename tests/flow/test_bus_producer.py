from __future__ import annotations

import asyncio
import uuid

import pytest
from bus_parts import Inbox, connection, consuming, eventually, producing
from nsq_servers import Nsqd

from chunter_nsq.bus.faults import PublishFailed, PublishInvalid
from chunter_nsq.bus.producer import Producer


@pytest.fixture(scope="module")
def nsqd(tmp_path_factory):
    """One for the tests that leave it alone."""
    with Nsqd(tmp_path_factory.mktemp("nsqd")) as server:
        yield server


@pytest.fixture
def topic():
    """A new one for each test."""
    return f"t.{uuid.uuid4().hex[:12]}"


async def test_published_means_nsqd_has_it(nsqd, topic):
    """When publish returns, the messages are at nsqd, one or several."""
    async with producing(connection(nsqd)) as producer:
        await producer.publish(topic, [b"one"])
        await producer.publish(topic, [b"two", b"three"])
        await producer.publish(topic, [])
        assert nsqd.topic(topic)["depth"] == 3
        assert (3, 0, 0, 0) == (
            producer.state().published,
            producer.state().outstanding,
            producer.state().failed,
            producer.state().uncertain,
        )


async def test_order_of_publishing_is_kept(nsqd, topic):
    """Messages come out in the order of the calls, batches or not."""
    bodies = [b"%d" % number for number in range(600)]
    inbox = Inbox()
    async with producing(connection(nsqd)) as producer, consuming(connection(nsqd), topic, inbox.accept):
        for at in range(0, 500, 100):
            await producer.publish(topic, bodies[at : at + 100])
        for body in bodies[500:]:
            await producer.publish(topic, [body])
        assert bodies == await inbox.holds(600)


async def test_more_than_one_command_holds_is_split(nsqd, topic):
    """Twelve MiB in one call arrive whole."""
    async with producing(connection(nsqd, publish_timeout_seconds=10.0)) as producer:
        await producer.publish(topic, [b"x" * (1024 * 1024)] * 12)
        assert nsqd.topic(topic)["message_count"] == 12


@pytest.mark.parametrize("bodies", [[b""], [b"good", b"x" * (1024 * 1024 + 1)], ["text"]])
async def test_bad_body_does_not_harm_the_next(nsqd, topic, bodies):
    """What nsqd would close the connection for is refused here; nothing of it is sent, and the next publish works."""
    async with producing(connection(nsqd)) as producer:
        with pytest.raises(PublishInvalid):
            await producer.publish(topic, bodies)
        await producer.publish(topic, [b"next"])
        assert nsqd.topic(topic)["depth"] == 1


async def test_bad_topic_does_not_harm_the_next(nsqd, topic):
    """A topic with a space, which nsqd would cut in two, is refused here."""
    async with producing(connection(nsqd)) as producer:
        with pytest.raises(PublishInvalid):
            await producer.publish(f"{topic} tail", [b"x"])
        await producer.publish(topic, [b"next"])
        assert nsqd.topic(topic)["depth"] == 1


async def test_narrower_limits_of_nsqd_are_found_out(tmp_path, topic):
    """An nsqd with a smaller message limit names the one body it will not take; those before it are published once."""
    with Nsqd(tmp_path, ["--max-msg-size=1000"]) as narrow:
        async with producing(connection(narrow)) as producer:
            with pytest.raises(PublishInvalid) as caught:
                await producer.publish(topic, [b"a", b"b", b"x" * 1001, b"c"])
            assert (2, 2) == (caught.value.confirmed, caught.value.details["body"])
            await producer.wait_ready(5)
            await producer.publish(topic, [b"c"])
            assert narrow.topic(topic)["message_count"] == 3


async def test_nobody_there_fails_at_once(tmp_path):
    """Without a connection a publish is known not to be sent, and says why."""
    producer = Producer(connection(Nsqd(tmp_path)))
    await producer.start()
    await eventually(lambda: producer.state().last_error)
    with pytest.raises(PublishFailed, match="cannot be reached"):
        await producer.publish("t", [b"x"])
    assert producer.state().failed == 1
    await producer.close()


async def test_many_publishes_at_once_get_their_own_answers(nsqd, topic):
    """Two hundred side by side all return; one cancelled among them does not shift the answers."""
    async with producing(connection(nsqd)) as producer:
        calls = [asyncio.create_task(producer.publish(topic, [b"%d" % number])) for number in range(200)]
        await asyncio.sleep(0)
        calls[3].cancel()
        results = await asyncio.gather(*calls, return_exceptions=True)
        assert [3] == [place for place, result in enumerate(results) if result is not None]
        assert nsqd.topic(topic)["message_count"] >= 199


async def test_close_waits_for_answers_and_leaves_nothing(nsqd, topic):
    """What was sent before close is answered; afterwards no task is left and nothing can be published."""
    async with producing(connection(nsqd)) as producer:
        calls = [asyncio.create_task(producer.publish(topic, [b"x" * 100000])) for _ in range(16)]
        await asyncio.sleep(0)
        await producer.close()
        await asyncio.gather(*calls)
        with pytest.raises(PublishFailed):
            await producer.publish(topic, [b"x"])
    assert {asyncio.current_task()} == asyncio.all_tasks()
