from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import time

import pytest
from core_parts import Nsqd, opened_outbox, told

TOPICS = ("zone", "service", "arc")

# Writes events as fast as it can and says of each when it is on disk; what it publishes goes to a file.
AGENT = """
import asyncio, os, sys
from pathlib import Path
from chunter_nsq.database import Database
from chunter_nsq.messages.events import Event
from chunter_nsq.outbox import Outbox

path, first, last_words = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
log = os.open(path.parent / "published", os.O_WRONLY | os.O_APPEND | os.O_CREAT)

async def publish(topic, bodies):
    os.write(log, b"\\n" + b"".join(body + b"\\n" for body in bodies))
    await asyncio.sleep(0.002)

async def main():
    database = Database(path)
    await database.open()
    outbox = Outbox(database, prefix="chunter", host="h", limit_bytes=2**30, retention_seconds=3600)
    await outbox.open()
    outbox.attach(publish, ZeroDivisionError)

    async def write(number):
        topic = ("zone", "service", "arc")[number % 3]
        await outbox.put([Event(topic, "chunter.test", "h", {"number": number})])
        os.write(1, b"%d\\n" % number)

    def die(connection):
        outbox.write(connection, [Event("zone", "chunter.test", "h", {"number": -1})])
        os._exit(9)

    number = first
    while True:
        works = [write(n) for n in range(number, number + 50)]
        number += 50
        if last_words and number > first + 300:
            database.submit(die)
        await asyncio.gather(*works)

asyncio.run(main())
"""


def run_until_killed(path, first, seconds):
    """Run the agent and kill it after ``seconds``, or let it die of itself in the middle of a group; what it said."""
    argv = [sys.executable, "-c", AGENT, str(path), str(first), "" if seconds else "die"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE) as process:
        said = process.stdout.readline()
        if seconds:
            time.sleep(seconds)
            process.send_signal(signal.SIGKILL)
        said += process.stdout.read()
    assert process.returncode == (-9 if seconds else 9)
    return {int(line) for line in said.split(b"\n")[:-1]}


def whole_lines(path):
    """What was published, without a line that death cut off."""
    return [line for line in path.read_bytes().split(b"\n") if line.endswith(b"}}")]


def stored(connection, topic):
    """What a topic has in the file, by sequence."""
    rows = connection.execute(
        "SELECT place % 1099511627776 - count + 1, body FROM events WHERE place / 1099511627776 ="
        " (SELECT number FROM topics WHERE name = ?) ORDER BY place",
        (f"chunter.{topic}",),
    )
    return [event for first, body in rows for event in enumerate(body.split(b"\n"), first)]


@pytest.mark.parametrize("endings", [(0.0, 0.05), (0.02, 0.13, 0.3)], ids=["inside a group", "at any time"])
async def test_killed_agent_loses_nothing_that_it_said_was_written(tmp_path, endings):
    """Whatever moment an agent is killed at, what it acknowledged is there once, in gapless order, and is sent."""
    path = tmp_path / "chunter.db"
    acknowledged, first = set(), 0
    for seconds in endings:
        said = run_until_killed(path, first, seconds and seconds + random.uniform(0, 0.02))  # noqa: S311 - jitter
        acknowledged |= said
        first = max(acknowledged) + 1000
    nsqd = Nsqd()
    async with opened_outbox(path, nsqd) as outbox:
        assert await outbox.flush(20)
        files = await outbox._database.submit(lambda c: {topic: stored(c, topic) for topic in TOPICS})
    numbers = [json.loads(body)["data"]["number"] for rows in files.values() for _, body in rows]
    assert set() == acknowledged - set(numbers)
    assert (len(numbers), set()) == (len(set(numbers)), {-1} & set(numbers))
    for topic, rows in files.items():
        assert list(range(1, len(rows) + 1)) == [sequence for sequence, _ in rows]
        sent = [line for line in whole_lines(tmp_path / "published") if f".chunter.{topic}.".encode() in line[:80]]
        sent += [body for name, body in nsqd.taken if name == f"chunter.{topic}"]
        assert [body for _, body in rows] == list(dict.fromkeys(sent))


async def test_restart_with_a_lagging_mark_sends_again_what_may_be_sent(tmp_path):
    """When the mark in the file lags, everything behind it is sent again, with the same bytes and in order."""
    first, second = Nsqd(), Nsqd()
    path = tmp_path / "chunter.db"
    async with opened_outbox(path, first) as outbox:
        await outbox.put([told(number=number) for number in range(20)])
        assert await outbox.flush(5)
        database = outbox._database
        await database.submit(lambda _: None)
        await database.submit(lambda c: c.execute("UPDATE topics SET sent = 7"))
    async with opened_outbox(path, second) as outbox:
        await outbox.put([told(number=20)])
        assert await outbox.flush(5)
    assert (list(range(8, 22)), first.taken[7:]) == (second.sequences("chunter.zone"), second.taken[:13])
