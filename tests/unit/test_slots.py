from __future__ import annotations

import asyncio

from hypothesis import given, settings
from hypothesis import strategies as st

from chunter_nsq.slots import Slots


class Visitor:
    """Stays within until it is let go."""

    def __init__(self, slots):
        self.inside = False
        self.leave = asyncio.Event()
        self.task = asyncio.create_task(self._visit(slots))

    async def _visit(self, slots):
        async with slots:
            self.inside = True
            try:
                await self.leave.wait()
            finally:
                self.inside = False


async def settle():
    """Let everything happen that can."""
    for _ in range(10):
        await asyncio.sleep(0)


async def end(visitors):
    """Nobody stays."""
    for visitor in visitors:
        visitor.task.cancel()
    await asyncio.gather(*(visitor.task for visitor in visitors), return_exceptions=True)


async def test_so_many_at_a_time_first_come_first_served():
    """Only as many as the limit are inside; the others follow in their order."""
    slots = Slots(2)
    visitors = [Visitor(slots) for _ in range(5)]
    await settle()
    assert [True, True, False, False, False] == [one.inside for one in visitors]
    visitors[1].leave.set()
    await settle()
    assert [True, False, True, False, False] == [one.inside for one in visitors]
    await end(visitors)
    assert 0 == slots.used


async def test_whoever_gives_up_waiting_takes_no_place():
    """A waiting one that is cancelled is passed over."""
    slots = Slots(1)
    visitors = [Visitor(slots) for _ in range(3)]
    await settle()
    visitors[1].task.cancel()
    await settle()
    visitors[0].leave.set()
    await settle()
    assert ([False, False, True], 1) == ([one.inside for one in visitors], slots.used)
    await end(visitors)


async def test_cancel_at_the_moment_of_admission_gives_the_place_on():
    """One that is cancelled after its turn came but before it ran hands its place to the next."""
    slots = Slots(1)
    visitors = [Visitor(slots) for _ in range(3)]
    await settle()
    visitors[0].leave.set()
    while slots._waiting and not slots._waiting[0].done() and len(slots._waiting) == 2:
        await asyncio.sleep(0)
    visitors[1].task.cancel()
    await settle()
    assert ([False, False, True], 1) == ([one.inside for one in visitors], slots.used)
    await end(visitors)


async def test_more_places_admit_at_once_fewer_as_they_become_free():
    """A larger limit lets waiting ones in; a smaller one puts nobody out."""
    slots = Slots(1)
    visitors = [Visitor(slots) for _ in range(5)]
    await settle()
    slots.resize(3)
    await settle()
    assert 3 == sum(one.inside for one in visitors)
    slots.resize(1)
    visitors[0].leave.set()
    visitors[1].leave.set()
    await settle()
    assert [False, False, True, False, False] == [one.inside for one in visitors]
    visitors[2].leave.set()
    await settle()
    assert 1 == sum(one.inside for one in visitors)
    await end(visitors)


MOVES = st.lists(
    st.tuples(st.sampled_from(["come", "leave", "cancel", "resize", "run"]), st.integers(0, 9)), max_size=40
)


@settings(max_examples=150)
@given(MOVES)
def test_no_place_is_lost_or_made(moves):
    """After any comings, goings, cancellations and resizes the places are used fully and all come back."""

    async def scenario():
        slots, visitors = Slots(2), []
        for move, number in moves:
            if move == "come":
                visitors.append(Visitor(slots))
            elif move == "resize":
                slots.resize(1 + number % 4)
            elif visitors and move == "leave":
                visitors[number % len(visitors)].leave.set()
            elif visitors and move == "cancel":
                visitors[number % len(visitors)].task.cancel()
            else:
                await asyncio.sleep(0)
        await settle()
        inside = sum(one.inside for one in visitors)
        waiting = sum(not one.inside and not one.task.done() for one in visitors)
        assert inside == slots.used
        assert waiting == 0 or inside >= slots.limit
        await end(visitors)
        assert 0 == slots.used

    asyncio.run(scenario())
