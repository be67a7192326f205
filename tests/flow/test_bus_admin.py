from __future__ import annotations

import pytest
from bus_parts import Inbox, connection, consuming
from nsq_servers import Nsqd, Nsqlookupd
from tornado.httpserver import HTTPServer
from tornado.testing import bind_unused_port
from tornado.web import Application, RequestHandler

from chunter_nsq.bus import admin
from chunter_nsq.bus.address import Address
from chunter_nsq.bus.admin import ChannelClient, Node, Unanswered
from chunter_nsq.bus.faults import PublishInvalid


@pytest.fixture(scope="module")
def lookupd(tmp_path_factory):
    """One to ask."""
    with Nsqlookupd(tmp_path_factory.mktemp("lookupd")) as server:
        yield server


@pytest.fixture(scope="module")
def nsqd(tmp_path_factory, lookupd):
    """One that registers there."""
    with Nsqd(tmp_path_factory.mktemp("nsqd"), lookupd=[lookupd]) as server:
        yield server


async def test_clients_of_a_channel_are_listed(nsqd):
    """Everyone on the channel is named by host and program; a channel that is not there has nobody."""
    ours = connection(nsqd, user_agent="chunter/1", hostname="host-a")
    foreign = connection(nsqd, user_agent="other/2", hostname="host-b")
    async with consuming(ours, "t", Inbox().accept), consuming(foreign, "t", Inbox().accept):
        clients = await admin.channel_clients(nsqd.http_address, "t", "c")
        assert {("host-a", "chunter/1"), ("host-b", "other/2")} == {
            (each.hostname, each.user_agent) for each in clients
        }
        assert all(isinstance(each, ChannelClient) and each.remote_address.startswith("127.0.0.1:") for each in clients)
    assert () == await admin.channel_clients(nsqd.http_address, "t", "nobody")
    assert () == await admin.channel_clients(nsqd.http_address, "absent", "c")


async def test_channels_that_nobody_reads_are_told_and_deleted(nsqd):
    """Only those of the topic; deleting what is not there is no fault."""
    for topic, channel in (("idle", "left"), ("idle", "c"), ("other", "left")):
        nsqd.create(topic, channel)
    async with consuming(connection(nsqd), "idle", Inbox().accept):
        assert ("left",) == await admin.idle_channels(nsqd.http_address, "idle")
    for _ in range(2):
        await admin.delete_channel(nsqd.http_address, "idle", "left")
    assert not nsqd.channel("idle", "left")
    assert nsqd.channel("other", "left")
    assert () == await admin.idle_channels(nsqd.http_address, "absent")
    await admin.delete_channel(nsqd.http_address, "absent", "left")


async def test_created_topic_and_channel_are_there_and_looked_up(nsqd, lookupd):
    """Making both may be repeated; nsqlookupd names their nsqd."""
    for _ in range(2):
        await admin.create_topic_channel(nsqd.http_address, "made", "c")
    assert nsqd.channel("made", "c")["depth"] == 0
    expected = (Node(Address.parse(nsqd.tcp_address), nsqd.http_address),)
    assert expected == await admin.lookup_producers(lookupd.http_address, "made")
    assert expected == await admin.lookup_nodes(lookupd.http_address)
    assert () == await admin.lookup_producers(lookupd.http_address, "unknown")


async def test_published_over_http_arrives(nsqd):
    """One body, as it is."""
    await admin.publish_http(nsqd.http_address, "http", b'{"a":\n1}')
    assert nsqd.topic("http")["message_count"] == 1


@pytest.mark.parametrize(("topic", "body"), [("a b", b"x"), ("t", b""), ("t", b"x" * 1048577)])
async def test_what_nsqd_would_refuse_is_not_sent_over_http(nsqd, topic, body):
    """Names and sizes are checked on this way too."""
    with pytest.raises(PublishInvalid):
        await admin.publish_http(nsqd.http_address, topic, body)


async def test_info_names_version_and_ports(nsqd):
    """What nsqd says of itself."""
    said = await admin.info(nsqd.http_address)
    assert nsqd.tcp_port == said["tcp_port"]
    await admin.ping(nsqd.http_address)


async def test_nobody_there_is_said_in_a_sentence(tmp_path):
    """A refused connection becomes a fault with the address in it."""
    absent = Nsqd(tmp_path)
    with pytest.raises(Unanswered, match=absent.http_address):
        await admin.info(absent.http_address)


async def test_wrong_server_is_said_in_a_sentence(lookupd):
    """Nsqd's questions to an nsqlookupd end in a fault, with the status where there is one."""
    with pytest.raises(Unanswered) as caught:
        await admin.channel_clients(lookupd.http_address, "t", "c")
    assert caught.value.details == {"status": 404}


@pytest.mark.parametrize(
    "body",
    [
        b"not json",
        b"[]",
        b"{}",
        b'{"producers":[{}]}',
        b'{"producers":[{"broadcast_address":"a","tcp_port":0,"http_port":1}]}',
    ],
)
async def test_strange_answers_are_faults(body):
    """What an nsqlookupd would not say is a fault, never a crash in the caller."""

    class Strange(RequestHandler):
        def get(self):
            self.finish(body)

    listening, port = bind_unused_port()
    server = HTTPServer(Application([("/nodes", Strange), ("/stats", Strange)]))
    server.add_socket(listening)
    try:
        with pytest.raises(Unanswered):
            await admin.lookup_nodes(f"127.0.0.1:{port}")
        with pytest.raises(Unanswered):
            await admin.channel_clients(f"127.0.0.1:{port}", "t", "c")
    finally:
        server.stop()
        await server.close_all_connections()
