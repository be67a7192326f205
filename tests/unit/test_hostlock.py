"""Whom the host lock lets in, and when."""

from __future__ import annotations

import asyncio

import pytest

from chunter_nsq.errors import Locked
from chunter_nsq.hostlock import HostLock

A, B, C = "aaaa", "bbbb", "cccc"


class Yard:
    """Workers at a lock, and who is inside."""

    def __init__(self, lock: HostLock) -> None:
        self.lock = lock
        self.inside: list[str] = []
        self.refused: list[str] = []
        self.tasks: dict[str, asyncio.Task[None]] = {}
        self.gates: dict[str, asyncio.Event] = {}

    async def add(self, *machines: str) -> None:
        """Let these come, one after the other."""
        for machine in machines:
            self.gates[machine] = asyncio.Event()
            self.tasks[machine] = asyncio.create_task(self._work(machine))
            await settle()

    async def _work(self, machine: str) -> None:
        try:
            async with self.lock.held(machine):
                self.inside.append(machine)
                await self.gates[machine].wait()
                self.inside.remove(machine)
        except Locked:
            self.refused.append(machine)

    async def let_go(self, machine: str) -> None:
        """Let one end."""
        self.gates[machine].set()
        await settle()


async def settle() -> None:
    """Let everything happen that can."""
    for _ in range(10):
        await asyncio.sleep(0)


async def test_one_at_a_time_in_their_order() -> None:
    """Work waits for work as long as it takes, and the lock is free at the end."""
    yard = Yard(HostLock())
    await yard.add(A, B, C)
    assert (["aaaa"], A) == (yard.inside, yard.lock.holder)
    await yard.let_go(A)
    assert [B] == yard.inside
    await yard.let_go(B)
    await yard.let_go(C)
    assert (None, 0.0) == (yard.lock.holder, yard.lock.seconds_left)


async def test_a_lease_lets_its_own_machine_in() -> None:
    """Work for another machine waits behind a lease; that of the lease's goes on, and the lease ends with it."""
    yard = Yard(HostLock())
    assert 60.0 == yard.lock.acquire(A)
    await yard.add(B, A)
    assert [A] == yard.inside
    with pytest.raises(Locked):
        yard.lock.acquire(B)
    await yard.let_go(A)
    assert ([B], B) == (yard.inside, yard.lock.holder)
    await yard.let_go(B)
    assert yard.lock.holder is None


async def test_a_lease_given_up_lets_the_next_in() -> None:
    """Release is for the holder alone; on a free lock it is a success."""
    yard = Yard(HostLock())
    yard.lock.acquire(A)
    await yard.add(B)
    with pytest.raises(Locked) as caught:
        yard.lock.release(C)
    assert A == caught.value.details["holder"]
    yard.lock.release(A)
    await settle()
    assert [B] == yard.inside
    await yard.let_go(B)
    yard.lock.release(C)


async def test_a_lease_ends_by_itself() -> None:
    """When its time has passed the next may enter, and it can be renewed before."""
    yard = Yard(HostLock(lease_seconds=0.1))
    yard.lock.acquire(A)
    await yard.add(B)
    await asyncio.sleep(0.06)
    yard.lock.acquire(A)
    await asyncio.sleep(0.06)
    assert [] == yard.inside
    await asyncio.sleep(0.06)
    assert [B] == yard.inside
    await yard.let_go(B)


async def test_patience_has_an_end() -> None:
    """Whoever waited too long for somebody else's lease is refused; waiting for work does not count."""
    yard = Yard(HostLock(patience_seconds=0.1))
    await yard.add(A, B)
    await asyncio.sleep(0.15)
    assert [] == yard.refused
    await yard.let_go(A)
    await yard.let_go(B)
    yard.lock.acquire(A)
    await yard.add(B)
    await asyncio.sleep(0.15)
    assert ([B], A) == (yard.refused, yard.lock.holder)


async def test_one_who_gives_up_is_in_nobodys_way() -> None:
    """A cancelled wait leaves no trace, and neither does cancelled work."""
    yard = Yard(HostLock())
    await yard.add(A, B, C)
    yard.tasks[B].cancel()
    yard.tasks[A].cancel()
    await settle()
    assert C == yard.lock.holder
    await yard.let_go(C)
    assert yard.lock.holder is None
    await asyncio.gather(*yard.tasks.values(), return_exceptions=True)
