"""Bodies into PUB and MPUB commands that nsqd takes whole."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence

from chunter_nsq.bus.faults import PublishInvalid
from chunter_nsq.bus.names import BODY_BYTES, MESSAGE_BYTES, checked_name

_SIZE = struct.Struct(">i")


def batches(topic: str, bodies: Sequence[bytes]) -> list[tuple[int, bytes]]:
    """Commands in order, each with the number of bodies in it: PUB for one, MPUB for as many as fit into 5 MiB.

    Raises:
        PublishInvalid: the topic, or the first body that is no bytes, empty or above 1 MiB; nothing is to be sent then.
    """
    try:
        name = checked_name("topic", topic).encode("ascii")
    except ValueError as error:
        raise PublishInvalid(str(error)) from error
    for place, body in enumerate(bodies):
        if not isinstance(body, bytes) or not 0 < len(body) <= MESSAGE_BYTES:
            what = f"{len(body)} bytes" if isinstance(body, bytes) else type(body).__name__
            raise PublishInvalid(f"a message has 1 to {MESSAGE_BYTES} bytes; number {place} is {what}", {"body": place})
    return [(len(group), _command(name, group)) for group in _groups(bodies)]


def singles(topic: str, bodies: Sequence[bytes]) -> list[tuple[int, bytes]]:
    """The same as one PUB each."""
    return [(1, _command(topic.encode("ascii"), [body])) for body in bodies]


def _groups(bodies: Sequence[bytes]) -> Iterator[Sequence[bytes]]:
    begin, size = 0, _SIZE.size
    for place, body in enumerate(bodies):
        needed = _SIZE.size + len(body)
        if size + needed > BODY_BYTES:
            yield bodies[begin:place]
            begin, size = place, _SIZE.size
        size += needed
    if begin < len(bodies):
        yield bodies[begin:]


def _command(topic: bytes, bodies: Sequence[bytes]) -> bytes:
    if len(bodies) == 1:
        return b"PUB %b\n%b%b" % (topic, _SIZE.pack(len(bodies[0])), bodies[0])
    parts = [_SIZE.pack(len(bodies))]
    for body in bodies:
        parts += (_SIZE.pack(len(body)), body)
    whole = b"".join(parts)
    return b"MPUB %b\n%b%b" % (topic, _SIZE.pack(len(whole)), whole)
