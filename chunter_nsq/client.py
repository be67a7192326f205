"""Sends commands to agents and follows what becomes of them; for controllers, and for the command line.

    async with Client(nsqd_http=["127.0.0.1:4151"]) as client:
        command = await client.send("machine.stop", host="hv1", uuid=vm, params={"force": True})
        result = await client.wait(command, timeout_seconds=60)
        if result["status"] != "succeeded":
            print(result["error"]["message"])

Results are the ``data`` of CloudEvents: dicts with command, action, uuid, host, status, result, error, progress,
received, started, finished, duplicate.

Theory: commands go out by HTTP, so that one POST says whether nsqd has them. Answers are read from every nsqd that is
known, through a channel of this client's own, which is made before the command leaves and deleted with the client.
A host never runs an id twice, but tells again what became of it: so whoever follows a command through a long silence
has it sent again, and a result that was lost (a connection broke, nsqd was killed) is found all the same.

Not promised: that a result comes once only; events while no connection stands; every sample (see channels.py); bounds
for what nobody takes out of ``events``. The first channel of a topic gets what nsqd kept until then.
"""

from __future__ import annotations

import asyncio
import json
import logging
import secrets
import socket
import time
import uuid as uuids
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass, field
from datetime import datetime
from types import TracebackType
from typing import Any, Self

from chunter_nsq import __version__, nodes
from chunter_nsq.authority import signature
from chunter_nsq.bus.address import Address
from chunter_nsq.bus.consumer import Consumer, Delivery
from chunter_nsq.bus.settings import Connection, Tls
from chunter_nsq.channels import Channels, is_stale
from chunter_nsq.nodes import Nodes, Unreachable
from chunter_nsq.trail import FINAL, Data, Trails

__all__ = ["FINAL", "Client", "Key", "NoResult", "Unreachable"]

log = logging.getLogger(__name__)

READY_SECONDS = 5.0
LONGEST_SILENCE_SECONDS = 60.0
# Topics that have the prefix before them.
SHORT_NAMES = frozenset(
    {
        *("command", "result", "announce", "zone", "service", "zpool", "arc", "memory"),
        *("snapshot", "backup", "metric", "deadletter"),
    }
)


class NoResult(TimeoutError):
    """No final result in time; ``last`` is what was heard last of the command, None for nothing at all."""

    def __init__(self, message: str, last: Data | None) -> None:
        super().__init__(message)
        self.last = last


@dataclass(frozen=True, slots=True)
class Key:
    """What a command is signed with."""

    name: str
    secret: bytes = field(repr=False)


class Client:
    """See the head of this module. Made anywhere, used on one event loop, as an async context manager."""

    def __init__(
        self,
        *,
        nsqd_http: Sequence[str] = (),
        lookupd_http: Sequence[str] = (),
        prefix: str = "chunter",
        tls: Tls | None = None,
        auth_secret: str | None = None,
        silence_seconds: float = 6.0,
    ) -> None:
        """Addresses are ``host:port`` of HTTP doors; ``tls`` and ``auth_secret`` are for nsqd's TCP port.

        ``silence_seconds`` without a word of a command that is followed, and it is sent again; then twice as long, up
        to a minute. Running work is heard of every 5 s.

        Raises:
            ValueError: no address at all, or one that is none.
        """
        if not nsqd_http and not lookupd_http:
            raise ValueError("neither an nsqd nor an nsqlookupd is named")
        for text in (*nsqd_http, *lookupd_http):
            Address.parse(text)
        self.prefix = prefix
        self._nsqd_http = tuple(nsqd_http)
        self._lookupd_http = tuple(lookupd_http)
        self._tls = tls
        self._auth_secret = auth_secret
        self._silence_seconds = silence_seconds
        self._nodes = Nodes((), ())
        self._channels = Channels(prefix)
        self._consumers: dict[str, asyncio.Task[Consumer]] = {}
        self._trails = Trails()
        self._listeners: dict[asyncio.Queue[tuple[str, Data]], frozenset[str]] = {}

    async def __aenter__(self) -> Self:
        """Raises Unreachable when no nsqd is found."""
        self._nodes = await nodes.find(self._nsqd_http, self._lookupd_http)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for task in self._consumers.values():
            task.cancel()
        ended = await asyncio.gather(*self._consumers.values(), return_exceptions=True)
        await asyncio.gather(*(one.close(grace_seconds=0.5) for one in ended if isinstance(one, Consumer)))
        await asyncio.gather(*(self._nodes.delete(topic, self._channels.of(topic)) for topic in self._consumers))

    def topic(self, name: str) -> str:
        """The whole name of a topic: ``zone`` and ``command.<host>`` get the prefix, others are whole already."""
        return f"{self.prefix}.{name}" if name.partition(".")[0] in SHORT_NAMES else name

    async def send(
        self,
        action: str,
        *,
        host: str | Sequence[str],
        uuid: str | None = None,
        params: Mapping[str, Any] | None = None,
        id: str | None = None,  # noqa: A002 - the member's name
        reply_to: str | None = None,
        expires: datetime | str | None = None,
        key: Key | None = None,
    ) -> str:
        """Publishes a command for a host id, an alias, a list of those or ``"*"``; its id.

        The subscription to its results stands before it leaves. ``expires`` needs its time zone.

        Raises:
            Unreachable: no nsqd took it, or none lets us read the answers; nothing is known to be sent.
            chunter_nsq.bus.faults.PublishInvalid: above 1 MiB.
        """
        command_id = id or str(uuids.uuid4())
        members: dict[str, Any] = {
            "id": command_id,
            "action": action,
            "uuid": uuid,
            "params": None if params is None else dict(params),
            "host": host if isinstance(host, str) else list(host),
            "reply_to": reply_to,
            "expires": expires.isoformat() if isinstance(expires, datetime) else expires,
        }
        document = {name: value for name, value in members.items() if value is not None}

        async def publish() -> None:
            signed = document if key is None else _signed(document, key)
            body = json.dumps(signed, allow_nan=False).encode("ascii")
            await self._nodes.publish(f"{self.prefix}.command", body)

        self._trails.of(command_id).ask_again = publish
        await self.subscribe([reply_to or "result"])
        await publish()
        return command_id

    async def wait(self, command_id: str, timeout_seconds: float) -> Data:
        """The final result. Raises NoResult when none came within the time."""
        last: Data | None = None
        try:
            async with asyncio.timeout(timeout_seconds):
                async for data in self.follow(command_id):
                    last = data
        except TimeoutError:
            heard = "nothing" if last is None else f"last: {last.get('status')}"
            raise NoResult(f"no final result of {command_id} within {timeout_seconds:g} s ({heard})", last) from None
        if last is None:
            raise AssertionError("a trail ends with a final result")
        return last

    async def follow(self, command_id: str) -> AsyncGenerator[Data, None]:
        """Results of one command from the first on: accepted, progress ..., and the final one; then it ends.

        A command that this client did not send is followed from now on, and a progress is told only while it is news.
        """
        async with aclosing(self.answers(command_id)) as answers:
            async for data in answers:
                yield data
                if data.get("status") in FINAL:
                    break

    async def answers(self, command_id: str) -> AsyncGenerator[Data, None]:
        """As ``follow``, but of all hosts that a command was for, and without an end of its own."""
        await self.subscribe(["result"])
        trail = self._trails.of(command_id)
        queue = trail.join()
        silence = self._silence_seconds
        try:
            while True:
                try:
                    async with asyncio.timeout(silence):  # wait_for may lose a cancellation that meets an answer
                        data = await queue.get()
                except TimeoutError:
                    silence = min(2 * silence, LONGEST_SILENCE_SECONDS)
                    with suppress(Unreachable):  # the next silence ends too
                        await trail.ask_again()
                else:
                    silence = self._silence_seconds
                    yield data
        finally:
            self._trails.leave(command_id, queue)

    async def hosts(self, seconds: float) -> list[Data]:
        """What every host tells of itself that answers host.info within the time, by alias."""
        command = await self.send("host.info", host="*")
        found: dict[str, Data] = {}
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                async for data in self.answers(command):
                    if data.get("status") == "succeeded" and isinstance(data.get("result"), dict):
                        found[str(data.get("host"))] = data["result"]
        return sorted(found.values(), key=lambda each: (str(each.get("alias")), str(each.get("host"))))

    async def events(self, topics: Sequence[str]) -> AsyncGenerator[tuple[str, Data], None]:
        """Topic and event, as they come, from when the subscriptions stand (``subscribe`` first to know when)."""
        queue: asyncio.Queue[tuple[str, Data]] = asyncio.Queue()
        self._listeners[queue] = frozenset(map(self.topic, topics))
        try:
            await self.subscribe(topics)
            while True:
                yield await queue.get()
        finally:
            del self._listeners[queue]

    async def subscribe(self, topics: Sequence[str]) -> None:
        """Returns when everything published to these topics from now on will be heard. Raises Unreachable."""
        names = [self.topic(name) for name in topics]
        for name in names:
            task = self._consumers.get(name)
            if task is None or (task.done() and (task.cancelled() or task.exception() is not None)):
                self._consumers[name] = asyncio.create_task(self._consume(name), name=f"subscribe {name}")
        # one caller's timeout must not end what others wait for
        await asyncio.gather(*(asyncio.shield(self._consumers[name]) for name in names))

    async def _consume(self, topic: str) -> Consumer:
        channel = self._channels.of(topic)
        await self._nodes.create(topic, channel)
        await self._nodes.sweep(topic, is_stale)
        connection = Connection(
            nsqd=self._nodes.tcp,
            lookupd=self._lookupd_http,
            tls=self._tls,
            auth_secret=self._auth_secret,
            user_agent=f"chunter-client/{__version__}",
            hostname=socket.gethostname(),
        )
        consumer = Consumer(connection, topic, channel, self._accept)
        await consumer.start()
        is_ready = False
        try:
            is_ready = await consumer.wait_ready(READY_SECONDS)
        finally:
            reason = consumer.state().last_error
            if not is_ready:
                await consumer.close(grace_seconds=0)
        if not is_ready:
            raise Unreachable(reason or f"no nsqd let us read {topic}")
        return consumer

    async def _accept(self, delivery: Delivery) -> None:
        try:
            event = json.loads(delivery.body)
        except ValueError:
            event = None
        if not isinstance(event, dict):
            log.warning("client.not_an_event", extra={"topic": delivery.topic})
            return
        self._trails.add(event)
        for queue, topics in self._listeners.items():
            if delivery.topic in topics:
                queue.put_nowait((delivery.topic, event))


def _signed(document: Mapping[str, Any], key: Key) -> dict[str, Any]:
    auth = {"key": key.name, "ts": int(time.time()), "nonce": secrets.token_hex(16)}
    return {**document, "auth": {**auth, "hmac": signature({**document, "auth": auth}, key.secret)}}
