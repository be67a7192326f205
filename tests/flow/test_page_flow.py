"""The live page and its stream, of a real agent."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import browser
import pytest
from worlds import Ears, Host


@pytest.fixture
def host(shared: Host) -> Host:
    """One for all who watch it only."""
    return shared


@asynccontextmanager
async def stream(host: Host) -> AsyncIterator[asyncio.StreamReader]:
    """``/events``, its head read."""
    reader, writer = await asyncio.open_connection("127.0.0.1", host.status_port)
    try:
        writer.write(b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n")
        head = await reader.readuntil(b"\r\n\r\n")
        assert b"200 OK" in head
        assert b"text/event-stream" in head
        yield reader
    finally:
        writer.close()


async def told(reader: asyncio.StreamReader) -> tuple[str, dict]:
    """The next event of a stream: its name and its document; chunked encoding is taken off."""
    size = int(await reader.readline(), 16)
    chunk = (await reader.readexactly(size + 2))[:-2].decode()
    name, data = chunk.strip().split("\n")
    return name.removeprefix("event: "), json.loads(data.removeprefix("data: "))


async def test_who_watches_gets_the_status_and_each_event_in_short(host: Host) -> None:
    """First the status, then what happens; a result's content is not among it."""
    async with asyncio.timeout(20), stream(host) as reader:
        name, status = await told(reader)
        assert ("status", host.id) == (name, status["host"])
        command = host.send("host.info")
        while True:
            name, event = await told(reader)
            if name == "event" and event["type"] == "result":
                break
    assert {"id", "time", "topic", "type", "subject", "says"} == set(event)
    assert ("result", host.id, "host.info succeeded") == (event["topic"], event["subject"], event["says"])
    (told_of,) = (one for one in json.loads((await host.get("/api/commands"))[1]) if one["command"] == command)
    assert ("host.info", "succeeded") == (told_of["action"], told_of["status"])
    assert {"result", "document"} & set(told_of) == set()


async def test_rates_are_counted_while_somebody_watches(host: Host) -> None:
    """Each status after the first has the number of events of each topic since the one before."""
    async with asyncio.timeout(20), stream(host) as reader:
        assert {} == (await told(reader))[1]["events"]
        for _ in range(3):
            host.send("host.ping")
        counted = 0
        while counted < 3:
            name, document = await told(reader)
            counted += document["events"].get("result", 0) if name == "status" else 0
    assert 3 == counted


async def test_too_many_are_sent_away_and_come_in_when_others_left(new_host: Callable[..., Host]) -> None:
    """Sixteen may watch; an agent that ends does not wait for them."""
    host = await new_host().start().ready()
    async with asyncio.timeout(30):
        watching = [stream(host) for _ in range(16)]
        for one in watching:
            await one.__aenter__()
        assert 503 == (await host.get("/events"))[0]
        await watching.pop().__aexit__(None, None, None)
        while (await head(host)) != b"HTTP/1.1 200 OK":
            pass
        assert 0 == await host.stop(20)
        for one in watching:
            await one.__aexit__(None, None, None)


async def head(host: Host) -> bytes:
    """The status line of ``/events``."""
    reader, writer = await asyncio.open_connection("127.0.0.1", host.status_port)
    writer.write(b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n")
    line = await reader.readline()
    writer.close()
    return line.strip()


@pytest.mark.skipif(browser.program() is None, reason="there is no browser on this machine")
async def test_the_page_lives_in_a_real_browser(ears: Ears, new_host: Callable[..., Host]) -> None:
    """It shows the host, its machines and what happens to them, without a complaint, and takes no text for markup."""
    host = await new_host(zones=2).start().ready()
    machine = next(one.stem for one in (host.platform / "etc" / "zones").glob("*-*.xml"))
    await ears.when(lambda: ears.of("chunter.memory.update") != [])
    async with browser.opened(f"http://127.0.0.1:{host.status_port}/") as tab:
        await tab.until("document.getElementById('ready').textContent === 'ready'")
        await tab.until("document.querySelectorAll('#machines .good').length === 2")
        assert "smartos01" == await tab.value("document.getElementById('alias').textContent")
        assert "127.9 GiB" in await tab.value("document.getElementById('figures').innerText")

        host.tool("vmadm", "update", machine, "alias=<img src=x onerror=alert(1)>")
        host.send("machine.stop", machine, params={"force": True})
        await tab.until("[...document.querySelectorAll('#events tr')].some(row => /stopped/.test(row.innerText))")
        await tab.until("/<img src=x onerror=alert\\(1\\)>/.test(document.getElementById('machines').textContent)")
        await tab.until("[...document.querySelectorAll('#commands .good')].some(one => one.innerText === 'succeeded')")
        assert 0 == await tab.value("document.images.length")
        assert [] == tab.complaints

        host.kill()
        await tab.until("/trying again/.test(document.getElementById('ready').textContent)")
        await host.start().ready()
        await tab.until("document.getElementById('ready').textContent === 'ready'")
