"""Updates to a version whose journal has another form, and back."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from release_parts import Shop, Site, Workshop
from update_parts import harmed, updated
from worlds import Ears, new_uuid, payload

from chunter_nsq.schema import STEPS

pytest_plugins = ("release_parts", "update_parts")
SCHEMA = (Path(__file__).parents[2] / "chunter_nsq" / "schema.py").read_bytes()

# The agent of the newer form does its work, but does not answer the updater; its second start fails.
MUTE = b"""    from chunter_nsq.status.server import StatusServer
    StatusServer.listen = lambda *_: None
    started = paths.root / "var" / "started"
    if started.exists():
        return EXIT_CONFIG
    started.touch()
"""
LAST_STEP = b"Step(_ROWS_OF_EVENTS, _EVENTS_ALONE))\n"
FORTH, BACK = "ALTER TABLE commands ADD COLUMN colour TEXT;", "ALTER TABLE commands DROP COLUMN colour;"


def newer_form(back: str) -> dict[str, bytes]:
    """What a release replaces whose journal has another form, with that way back."""
    assert 1 == SCHEMA.count(LAST_STEP)
    step = LAST_STEP.replace(b"))", f"), Step({FORTH!r}, {back!r}))".encode())
    return {
        "chunter_nsq/app.py": harmed(MUTE),
        "chunter_nsq/schema.py": SCHEMA.replace(LAST_STEP, step),
    }


def journal(site: Site, query: str) -> list[Any]:
    """What the host's journal says."""
    with contextlib.closing(sqlite3.connect(site.root / "var" / "chunter.db")) as connection:
        return [value for (value,) in connection.execute(query)]


async def until_it_is(site: Site, ears: Ears, version: str) -> None:
    """Wait until the agent of that version takes commands."""
    while (await ears.result(site.send("host.ping"), 60))["result"]["version"] != version:
        await asyncio.sleep(0.1)


@pytest.mark.thorough
async def test_a_newer_journal_is_taken_back_too(site: Site, ears: Ears, shop: Shop, workshop: Workshop):
    """With what the failed version did: both commands keep their results, no event is missing, one create runs on."""
    workshop.publish(shop.rel, workshop.build("0.3.0", **newer_form(BACK)))
    before, during, across = (new_uuid() for _ in range(3))
    ids = [site.send("machine.create", before, payload=payload())]
    made = [await ears.result(ids[0], 60)]
    running = asyncio.create_task(updated(site))
    await until_it_is(site, ears, "0.3.0")
    ids.append(site.send("machine.create", during, payload=payload()))
    made.append(await ears.result(ids[1], 60))
    assert [len(STEPS) + 1] == journal(site, "PRAGMA user_version")
    site.latency(create=8.0)
    ids.append(site.send("machine.create", across, payload=payload()))
    await ears.when(lambda: "accepted" in ears.statuses(ids[2]))
    os.kill(site.pid, signal.SIGKILL)
    done = await running
    made.append(await ears.result(ids[2], 60))
    kept = [await ears.result(site.send("command.status", command=one), 60) for one in ids]
    numbers = [int(event["sequence"]) for event in ears.heard if event["topic"] == "chunter.result"]

    assert (3, True) == (done.returncode, "0.1.0 runs again" in done.stderr), done.stdout + done.stderr
    assert ["succeeded"] * 2 == [one["status"] for one in made[:2]]
    assert [one["result"] for one in made] == [one["result"]["result"] for one in kept]
    assert {before, during} <= set(site.tool("vmadm", "list", "-H", "-o", "uuid").stdout.split())
    assert ([len(STEPS)], []) == (
        journal(site, "PRAGMA user_version"),
        journal(site, "SELECT name FROM pragma_table_info('commands') WHERE name = 'colour'"),
    )
    assert set(range(1, max(numbers) + 1)) == set(numbers)
    assert 1 == len({event["epoch"] for event in ears.of("chunter.host.announce", site.id)})


@pytest.mark.thorough
async def test_a_journal_without_a_way_back_ends_in_words(site: Site, ears: Ears, shop: Shop, workshop: Workshop):
    """Exit status 4, the file and what to do; and who does that has the version before again."""
    workshop.publish(shop.rel, workshop.build("0.3.0", **newer_form("")))
    old, file = site.current, site.root / "var" / "chunter.db"
    running = asyncio.create_task(updated(site))
    await until_it_is(site, ears, "0.3.0")
    os.kill(site.pid, signal.SIGKILL)
    done = await running
    words = (f"{file}: a newer chunter wrote it (schema {len(STEPS) + 1}", "move the file away together", "Lost are")
    assert (4, []) == (done.returncode, [part for part in words if part not in done.stderr]), done.stderr

    await asyncio.to_thread(site.tool, "svcadm", "disable", "-s", "chunter")
    for one in file.parent.glob("chunter.db*"):
        one.rename(one.with_name(f"away-{one.name}"))
    back = await asyncio.to_thread(site.install, site.root / "versions" / old / "share" / "install.sh", "-f")
    await asyncio.to_thread(site.tool, "svcadm", "enable", "-s", "chunter")

    assert 0 == back.returncode, back.stderr
    assert "0.1.0" == (await ears.result(site.send("host.ping"), 60))["result"]["version"]
