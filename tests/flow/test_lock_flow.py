"""The host lock by command, and what it means for those who create."""

from __future__ import annotations

import asyncio

import pytest
from worlds import Ears, Host, new_uuid, payload


@pytest.fixture
def host(shared: Host) -> Host:
    """One for all: after each test its lock is free again, and a machine is made at once."""
    return shared


async def test_a_lock_belongs_to_one_machine(ears: Ears, host: Host) -> None:
    """Acquire and renew for one, locked for the others, free after release; a free one can be released too."""
    one, other = new_uuid(), new_uuid()
    done = await ears.result(host.send("lock.acquire", one))
    assert (one, "succeeded") == (done["result"]["holder"], done["status"])
    assert "succeeded" == (await ears.result(host.send("lock.acquire", one)))["status"]
    refused = await ears.result(host.send("lock.acquire", other))
    assert ("locked", one) == (refused["error"]["code"], refused["error"]["details"]["holder"])
    assert "locked" == (await ears.result(host.send("lock.release", other)))["error"]["code"]
    planned = await ears.result(host.send("lock.acquire", other, params={"dry_run": True}))
    assert one == planned["result"]["found"]["holder"]
    assert {"holder": None} == (await ears.result(host.send("lock.release", one)))["result"]
    assert {"holder": None} == (await ears.result(host.send("lock.release", one)))["result"]


async def test_create_and_the_lock(ears: Ears, host: Host) -> None:
    """The machine of the lock is created at once and gives it up; another one's create waits for that."""
    one, other = new_uuid(), new_uuid()
    await ears.result(host.send("lock.acquire", one))
    waiting = host.send("machine.create", other, params={"payload": payload(alias="b")})
    await ears.when(lambda: "accepted" in ears.statuses(waiting))
    await asyncio.sleep(0.5)
    assert ["accepted"] == ears.statuses(waiting)
    made = await ears.result(host.send("machine.create", one, params={"payload": payload(alias="a")}))
    assert "succeeded" == made["status"], made
    assert "succeeded" == (await ears.result(waiting))["status"]
    assert {"holder": other} == {"holder": (await ears.result(host.send("lock.acquire", other)))["result"]["holder"]}
    await ears.result(host.send("lock.release", other))


async def test_work_holds_the_lock(ears: Ears, host: Host) -> None:
    """While a machine is being created the lock is its own, and nobody else's."""
    host.latency(create=3.0)
    one = new_uuid()
    command = host.send("machine.create", one, params={"payload": payload()})
    await ears.state(one, "creating")
    refused = await ears.result(host.send("lock.acquire", new_uuid()))
    assert ("locked", one) == (refused["error"]["code"], refused["error"]["details"]["holder"])
    assert "succeeded" == (await ears.result(host.send("lock.acquire", one)))["status"]
    assert "succeeded" == (await ears.result(command))["status"]
    host.latency()
    planned = await ears.result(host.send("lock.acquire", one, params={"dry_run": True}))
    assert planned["result"]["found"]["holder"] is None
