"""The HTTP doors of nsqd and nsqlookupd: for the command line, for discovery, and for a look at our own channel.

No AUTH guards these doors, and none of them speaks TLS here. Every function raises :class:`Unanswered` with a sentence
to show.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from tornado.httpclient import AsyncHTTPClient, HTTPClientError, HTTPRequest

from chunter_nsq.bus.address import Address
from chunter_nsq.bus.faults import NsqFault, PublishInvalid
from chunter_nsq.bus.names import MESSAGE_BYTES, checked_name

CONNECT_SECONDS = 2.0
REQUEST_SECONDS = 5.0
_NOT_FOUND = 404


class Unanswered(NsqFault):
    """No answer, not 200, or not the JSON expected; ``details.status`` is the HTTP status, when there was one."""


@dataclass(frozen=True, slots=True)
class Node:
    """An nsqd as nsqlookupd names it; ``http`` is ``host:port``, None when it has no such door."""

    tcp: Address
    http: str | None


@dataclass(frozen=True, slots=True)
class ChannelClient:
    """One connection that consumes from a channel."""

    hostname: str
    user_agent: str
    remote_address: str
    in_flight: int


async def info(http_address: str) -> dict[str, Any]:
    """What nsqd says of itself: version, broadcast_address, tcp_port, start_time ..."""
    return await _object(http_address, "/info")


async def ping(http_address: str) -> None:
    """Returns when nsqd (or nsqlookupd) says that it is well; a full disk shows here, if only for a moment."""
    await _fetch(http_address, "/ping", {})


async def channel_clients(http_address: str, topic: str, channel: str) -> tuple[ChannelClient, ...]:
    """Who consumes from the channel on this nsqd; empty when there is no such channel."""
    query = {"format": "json", "topic": topic, "channel": channel, "include_clients": "true", "include_mem": "false"}
    stats = await _object(http_address, "/stats", query)
    with _reading(http_address, "/stats"):
        return tuple(
            ChannelClient(client["hostname"], client["user_agent"], client["remote_address"], client["in_flight_count"])
            for found in stats["topics"] or ()
            for subscribed in found["channels"] or ()
            if found["topic_name"] == topic and subscribed["channel_name"] == channel
            for client in subscribed["clients"] or ()
        )


async def idle_channels(http_address: str, topic: str) -> tuple[str, ...]:
    """The channels of the topic that nobody reads on this nsqd; empty when there is no such topic."""
    query = {"format": "json", "topic": topic, "include_clients": "false", "include_mem": "false"}
    stats = await _object(http_address, "/stats", query)
    with _reading(http_address, "/stats"):
        return tuple(
            str(channel["channel_name"])
            for found in stats["topics"] or ()
            for channel in found["channels"] or ()
            if found["topic_name"] == topic and channel["client_count"] == 0
        )


async def delete_channel(http_address: str, topic: str, channel: str) -> None:
    """Takes it away with all that it kept; it may be gone already."""
    try:
        await _fetch(http_address, "/channel/delete", {"topic": topic, "channel": channel}, post=b"")
    except Unanswered as fault:
        if fault.details.get("status") != _NOT_FOUND:
            raise


async def create_topic_channel(http_address: str, topic: str, channel: str) -> None:
    """Makes both, so that the channel gets its copy of everything from now on; both may exist already."""
    checked_name("topic", topic)
    checked_name("channel", channel)
    await _fetch(http_address, "/topic/create", {"topic": topic}, post=b"")
    await _fetch(http_address, "/channel/create", {"topic": topic, "channel": channel}, post=b"")


async def publish_http(http_address: str, topic: str, body: bytes) -> None:
    """Publishes one message.

    Raises:
        PublishInvalid: a bad topic, an empty body or one above 1 MiB; nothing was sent.
    """
    try:
        checked_name("topic", topic)
    except ValueError as error:
        raise PublishInvalid(str(error)) from error
    if not 0 < len(body) <= MESSAGE_BYTES:
        raise PublishInvalid(f"a message has 1 to {MESSAGE_BYTES} bytes, not {len(body)}")
    await _fetch(http_address, "/pub", {"topic": topic}, post=body)


async def lookup_producers(lookupd: str, topic: str) -> tuple[Node, ...]:
    """The nsqd that have the topic; empty when nobody knows it."""
    try:
        answer = await _object(lookupd, "/lookup", {"topic": topic})
    except Unanswered as fault:
        if fault.details.get("status") == _NOT_FOUND:
            return ()
        raise
    return _nodes(lookupd, answer)


async def lookup_nodes(lookupd: str) -> tuple[Node, ...]:
    """Every nsqd that this nsqlookupd knows."""
    return _nodes(lookupd, await _object(lookupd, "/nodes"))


def _nodes(lookupd: str, answer: dict[str, Any]) -> tuple[Node, ...]:
    try:
        return tuple(_node(each) for each in answer["producers"])
    except (KeyError, TypeError, ValueError) as error:
        raise Unanswered(f"nsqlookupd {lookupd} answered in a form that is not its own: {error!r}") from error


def _node(producer: dict[str, Any]) -> Node:
    host, http_port = str(producer["broadcast_address"]), int(producer["http_port"])
    return Node(Address(host, int(producer["tcp_port"])), str(Address(host, http_port)) if http_port else None)


@contextmanager
def _reading(http_address: str, path: str) -> Iterator[None]:
    try:
        yield
    except (KeyError, TypeError) as error:
        raise Unanswered(f"{http_address} answered {path} in a form that is not nsqd's: {error!r}") from error


async def _object(address: str, path: str, query: dict[str, str] | None = None) -> dict[str, Any]:
    body = await _fetch(address, path, query or {})
    try:
        answer = json.loads(body)
    except ValueError as error:
        raise Unanswered(f"{address}{path} answered what is not JSON") from error
    if not isinstance(answer, dict):
        raise Unanswered(f"{address}{path} answered no JSON object")
    return answer


async def _fetch(address: str, path: str, query: dict[str, str], post: bytes | None = None) -> bytes:
    request = HTTPRequest(
        f"http://{address}{path}?{urlencode(query)}",
        method="GET" if post is None else "POST",
        body=post,
        headers={"Accept": "application/vnd.nsq; version=1.0"},
        connect_timeout=CONNECT_SECONDS,
        request_timeout=REQUEST_SECONDS,
        follow_redirects=False,
    )
    client = AsyncHTTPClient(force_instance=True)
    try:
        response = await client.fetch(request)
    except HTTPClientError as error:
        said = error.response.body.decode("utf-8", "replace")[:200] if error.response else ""
        raise Unanswered(f"{address}{path}: {error.code} {said or error.message}", {"status": error.code}) from error
    except (OSError, ValueError) as error:
        raise Unanswered(f"{address} cannot be reached: {error}") from error
    finally:
        client.close()
    return bytes(response.body)
