from __future__ import annotations

import asyncio
import json
import logging

import pytest
from bus_parts import Inbox, connection, consuming, eventually, producing
from nsq_servers import Nsqd
from tornado.httpserver import HTTPServer
from tornado.testing import bind_unused_port
from tornado.web import Application, RequestHandler

from chunter_nsq.bus.consumer import Consumer
from chunter_nsq.bus.faults import PublishFailed


class Door(RequestHandler):
    """Lets the secret "good" publish to t and subscribe to it, and counts its calls."""

    def get(self):
        """Nsqd asks with the secret in the query."""
        self.application.settings["asked"].append(self.get_argument("secret"))
        if self.get_argument("secret") != self.application.settings["secret"]:
            self.set_status(403)
            return
        allowed = {"topic": "^t$", "channels": [".*"], "permissions": ["subscribe", "publish"]}
        self.finish(json.dumps({"ttl": 1, "identity": "agent", "authorizations": [allowed]}))


@pytest.fixture
async def door():
    """The settings of an authority that can be changed while it runs; "port" and "asked" among them."""
    listening, port = bind_unused_port()
    application = Application([("/auth", Door)], secret="good", asked=[], port=port)
    server = HTTPServer(application)
    server.add_socket(listening)
    yield application.settings
    server.stop()
    await server.close_all_connections()


@pytest.fixture
async def nsqd(tmp_path, door):
    """One that asks the door; its start is awaited in a thread, for the door answers on this loop."""
    server = Nsqd(tmp_path, [f"--auth-http-address=127.0.0.1:{door['port']}"])
    await asyncio.to_thread(server.start)
    yield server
    server.kill()


async def test_right_secret_opens(nsqd):
    """Publishing and subscribing work with the secret."""
    inbox = Inbox()
    settings = connection(nsqd, auth_secret="good")
    async with consuming(settings, "t", inbox.accept), producing(settings) as producer:
        await producer.publish("t", [b"x"])
        assert [b"x"] == await inbox.holds(1)


@pytest.mark.parametrize(("secret", "reason"), [("sesame", "E_AUTH_FAILED"), (None, "E_AUTH_FIRST")])
async def test_wrong_secret_is_told_and_tried_rarely(nsqd, door, caplog, secret, reason):
    """The reason stands in the state and once in the log, without the secret; the authority is not stormed."""
    caplog.set_level(logging.DEBUG, "chunter_nsq")
    consumer = Consumer(connection(nsqd, auth_secret=secret), "t", "c", Inbox().accept)
    await consumer.start()
    await eventually(lambda: consumer.state().last_error)
    assert reason in consumer.state().last_error
    assert not await consumer.wait_ready(2.0)
    assert len(door["asked"]) < 20
    ours = [str(vars(record)) for record in caplog.records if record.name.startswith(("chunter_nsq", "nsq"))]
    assert ours
    assert "sesame" not in "".join(ours)
    await consumer.close()


async def test_forbidden_topic_is_refused_unread(nsqd):
    """Nsqd's E_UNAUTHORIZED means not published; what is allowed can be published again soon."""
    async with producing(connection(nsqd, auth_secret="good")) as producer:
        with pytest.raises(PublishFailed, match="E_UNAUTHORIZED"):
            await producer.publish("other", [b"x"])
        assert await producer.wait_ready(5)
        await producer.publish("t", [b"x"])


async def test_revoked_secret_fails_publishing_and_comes_back(nsqd, door):
    """When the authority changes its mind a publish fails; when it changes it again publishing goes on."""
    async with producing(connection(nsqd, auth_secret="good")) as producer:
        await producer.publish("t", [b"a"])
        door["secret"] = "changed"
        await asyncio.sleep(1.2)
        with pytest.raises(PublishFailed, match="E_AUTH_FAILED"):
            await producer.publish("t", [b"b"])
        door["secret"] = "good"
        assert await producer.wait_ready(20)
        await producer.publish("t", [b"b"])
