"""A bare pynsq echo: a Reader, a Writer, one PUB for each answer; nothing is written to disk, nothing is remembered.

``python -m benchmarks.peers.pynsq_echo ADDRESS COMMANDS RESULTS MAX_IN_FLIGHT early|late``: with ``early`` a message is
finished as soon as its answer is handed to the Writer (an answer may be lost), with ``late`` once nsqd said OK to it.
"""

from __future__ import annotations

import functools
import sys
from typing import Any

import nsq
from tornado.ioloop import IOLoop

from benchmarks.peers.echo import echo


def main(address: str, commands: str, results: str, max_in_flight: str, finish: str) -> None:
    """Serve until killed."""
    writer = nsq.Writer([address])

    def answer_early(message: Any) -> bool:
        writer.pub(results, echo(message.body))
        return True

    def answer_late(message: Any) -> None:
        message.enable_async()
        writer.pub(results, echo(message.body), functools.partial(_told, message))

    nsq.Reader(
        commands,
        "echo",
        message_handler=answer_early if finish == "early" else answer_late,
        nsqd_tcp_addresses=[address],
        max_in_flight=int(max_in_flight),
    )
    IOLoop.current().start()


def _told(message: Any, _conn: Any, data: Any) -> None:
    if data == b"OK":
        message.finish()
    else:
        message.requeue()


if __name__ == "__main__":
    main(*sys.argv[1:])
