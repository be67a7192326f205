from __future__ import annotations

import asyncio
import struct

import pytest

from chunter_nsq.bus.address import Address
from chunter_nsq.bus.link import Link
from chunter_nsq.bus.settings import Connection


@pytest.fixture
async def link():
    """A link that never dials."""
    address = Address("127.0.0.1", 1)
    link = Link(address, Connection(nsqd=(address,)))
    yield link
    link.close()


def frame(kind, body):
    """As nsqd frames it."""
    return struct.pack(">ii", len(body) + 4, kind) + body


@pytest.mark.parametrize("step", [1, 3, 8, 1000])
async def test_frames_are_whole_however_the_bytes_come(link, step):
    """Cut anywhere, the stream gives the same messages."""
    got = []
    link.deliver = lambda _link, body: got.append(body)
    bodies = [b"", b"a", b"b" * 100]
    stream = b"".join(frame(2, body) for body in bodies)
    for at in range(0, len(stream), step):
        link._feed(link._rest + stream[at : at + step])
    assert bodies == got


@pytest.mark.parametrize("start", [b"HTTP/1.1 400 Bad Request\r\n", b"\x00\x00\x00\x00\x00\x00\x00\x00", b"\xff" * 8])
async def test_what_is_no_nsqd_is_left(link, start):
    """A size that no frame can have ends the connection with a reason."""
    link._feed(start)
    assert link.closed.done()
    assert "does not speak as nsqd" in link.fault.message


async def test_first_reason_stays(link):
    """A later, more general reason does not hide the first."""
    link._feed(b"HTTP/1.1")
    link.close()
    assert "frame" in link.fault.message


async def test_identify_asks_for_nothing_dangerous(link):
    """No compression and no sampling; messages are sent unbuffered."""
    said = []
    link.on("identify", lambda data, **_: said.append(data))
    link.send = lambda _data: None
    link._on_connect()
    assert (False, False, 0, -1) == tuple(
        said[0][key] for key in ("snappy", "deflate", "sample_rate", "output_buffer_size")
    )
    assert "msg_timeout" not in said[0]


async def test_message_that_cannot_be_read_ends_the_connection(link, caplog):
    """A fault of ours in taking a frame is told with its traceback, and the connection does not go on half read."""

    def deliver(_link, _body):
        raise ValueError("too short")

    link.deliver = deliver
    chunk = asyncio.get_running_loop().create_future()
    chunk.set_result(frame(2, b"x"))
    link._on_chunk(chunk)
    assert "too short" in link.fault.message
    assert ["nsq.frame_unreadable"] == [record.getMessage() for record in caplog.records]
