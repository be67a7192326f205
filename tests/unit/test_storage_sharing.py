from __future__ import annotations

import io
import os
import random
import subprocess
import sys
import threading
import time

import pytest

from chunter_nsq.errors import Cancelled, StorageFailed
from chunter_nsq.storage.budget import Budget
from chunter_nsq.storage.conveyor import Conveyor
from chunter_nsq.storage.crew import Crew
from chunter_nsq.storage.faults import StorageUnavailable
from chunter_nsq.storage.patience import Patience
from chunter_nsq.storage.pipes import Consumer, Producer
from chunter_nsq.storage.rate import Rate
from chunter_nsq.storage.stop import Stop
from chunter_nsq.storage.turns import Turns


def test_a_budget_is_kept_by_many() -> None:
    """However many take and give, the sum of what is held never exceeds the total, and all of them get through."""
    budget, held, highest = Budget(100), 0, 0
    lock = threading.Lock()

    def work(number: int) -> None:
        nonlocal held, highest
        chance = random.Random(number)  # noqa: S311 - for sizes, not for secrets
        with Stop() as stop, budget.lease(15, stop) as lease:
            for _ in range(100):
                size = chance.randint(1, 25)
                lease.take(size)
                with lock:
                    held += size
                    highest = max(highest, held)
                with lock:
                    held -= size
                lease.give(size)

    threads = [threading.Thread(target=work, args=(number,), daemon=True) for number in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert not any(thread.is_alive() for thread in threads)
    assert 0 < highest <= 100
    assert 100 == budget.free_bytes


def test_what_is_larger_than_the_budget_goes_alone() -> None:
    """It could never fit, and nothing of that transfer is held meanwhile."""
    budget = Budget(10)
    with Stop() as stop, budget.lease(5, stop) as lease:
        lease.take(50)
        lease.give(50)
        with budget.lease(2, stop):
            pass

    assert 10 == budget.free_bytes


def test_a_larger_budget_lets_those_in_who_wait() -> None:
    """A change of the configuration reaches transfers that wait."""
    budget = Budget(10)
    entered = threading.Event()
    with Stop() as stop, budget.lease(10, stop):

        def wait() -> None:
            with budget.lease(10, stop):
                entered.set()

        thread = threading.Thread(target=wait, daemon=True)
        thread.start()
        assert not entered.wait(0.05)
        budget.resize(20)
        assert entered.wait(5)
        thread.join()


def test_a_stop_reaches_those_who_wait_for_memory() -> None:
    """At admission and within."""
    budget = Budget(10)
    with Stop() as stop, budget.lease(10, stop) as lease:
        lease.take(10)
        threading.Timer(0.05, stop.set).start()
        with pytest.raises(Cancelled):
            lease.take(1)
        with pytest.raises(Cancelled), budget.lease(1, stop):
            pass

    assert 10 == budget.free_bytes


def test_turns_are_kept_by_many() -> None:
    """However many ask, no more have one at a time than may; all get theirs, and more may later."""
    turns, busy, highest = Turns(2), 0, 0
    lock, through = threading.Lock(), threading.Semaphore(0)

    def work(stop: Stop) -> None:
        nonlocal busy, highest
        for _ in range(50):
            with turns.turn(stop):
                with lock:
                    busy += 1
                    highest = max(highest, busy)
                time.sleep(0)  # so that others come to run
                with lock:
                    busy -= 1
        through.release()

    with Stop() as stop:
        for _ in range(8):
            threading.Thread(target=work, args=(stop,), daemon=True).start()
        assert all(through.acquire(timeout=30) for _ in range(8))
        assert 1 <= highest <= 2
        with turns.turn(stop), turns.turn(stop):
            turns.change(3)
            with turns.turn(stop):
                threading.Timer(0.05, stop.set).start()
                with pytest.raises(Cancelled), turns.turn(stop):
                    pass


def test_results_come_in_the_order_of_their_places() -> None:
    """Whoever delivers first."""
    with Stop() as stop:
        conveyor: Conveyor[int] = Conveyor(stop)
        delivers = [conveyor.place() for _ in range(20)]
        conveyor.end()
        order = list(range(20))
        random.Random(1).shuffle(order)  # noqa: S311 - an order, not a secret
        for number in order:
            delivers[number](number)

        assert list(range(20)) == list(conveyor)


def test_a_stop_reaches_who_waits_for_a_result() -> None:
    """It never comes."""
    with Stop() as stop:
        conveyor: Conveyor[int] = Conveyor(stop)
        conveyor.place()
        threading.Timer(0.05, stop.set).start()

        with pytest.raises(Cancelled):
            next(iter(conveyor))


def test_the_first_fault_of_a_crew_is_raised() -> None:
    """And the others are stopped by it."""

    def fails() -> None:
        raise StorageFailed("first")

    with Stop() as stop:
        crew = Crew(stop, "test")
        crew.thread(lambda: stop.wait(10), "waits")
        crew.workers(2, "works")(fails)
        with pytest.raises(StorageFailed, match="first"), crew:
            stop.wait(10)
        assert stop.is_set()


def test_a_crew_does_all_its_jobs() -> None:
    """Leaving waits for those that were given."""
    done: list[int] = []
    with Stop() as stop, Crew(stop, "test") as crew:
        give = crew.workers(3, "works")
        for number in range(50):
            give(lambda number=number: done.append(number))  # type: ignore[misc] # mypy does not infer it

    assert set(range(50)) == set(done)


def test_patience_tries_transient_faults_only() -> None:
    """A store that comes back is used, a refusal is not repeated."""
    tries: list[int] = []

    def flaky() -> str:
        tries.append(1)
        if len(tries) < 3:
            raise StorageUnavailable("away")
        return "here"

    def refuses() -> None:
        tries.append(1)
        raise StorageFailed("no")

    patience = Patience(total_seconds=5, first_seconds=0.01, longest_seconds=0.02)
    with Stop() as stop:
        assert "here" == patience.attempt(flaky, stop, "ask")
        assert 3 == len(tries)
        with pytest.raises(StorageFailed, match="no"):
            patience.attempt(refuses, stop, "ask")
    assert 4 == len(tries)


def test_patience_draws_from_no_common_chance() -> None:
    """Whoever seeded the common generator gets what they expect, however many transfers try again meanwhile."""

    def away() -> None:
        raise StorageUnavailable("away")

    random.seed(7)
    before = random.getstate()
    with Stop() as stop, pytest.raises(StorageUnavailable):
        Patience(total_seconds=0.05, first_seconds=0.01, longest_seconds=0.01).attempt(away, stop, "ask")

    assert before == random.getstate()


def test_patience_ends_with_a_stop() -> None:
    """Also while it pauses."""

    def away() -> None:
        raise StorageUnavailable("away")

    with Stop() as stop:
        threading.Timer(0.05, stop.set).start()
        begun = time.monotonic()
        with pytest.raises(Cancelled):
            Patience(first_seconds=1000, longest_seconds=1000, total_seconds=10**6).attempt(away, stop, "ask")

    assert time.monotonic() - begun < 5


def test_a_rate_is_shared() -> None:
    """Ten who move 1,000 bytes each at 20,000 a second take half a second together."""
    rate = Rate(20_000)
    begun = time.monotonic()
    with Stop() as stop:
        threads = [threading.Thread(target=rate.pay, args=(1000, stop)) for _ in range(10)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    assert 0.4 < time.monotonic() - begun < 5


def test_blocks_are_whole_whatever_the_pipe_gives() -> None:
    """A producer that writes in dribs and drabs makes full blocks, and a short one at its end."""
    readable, writable = os.pipe()

    def write() -> None:
        for _ in range(100):
            os.write(writable, b"x" * 1001)
        os.close(writable)

    thread = threading.Thread(target=write)
    thread.start()
    with Stop() as stop:
        producer = Producer(readable, stop)
        block = memoryview(bytearray(60_000))
        found = [producer.fill(block) for _ in range(3)]
    thread.join()
    os.close(readable)

    assert [60_000, 40_100, 0] == found


def test_a_consumer_that_is_a_file_gets_everything() -> None:
    """Also when it takes less than it is given."""

    class Sip(io.BytesIO):
        def write(self, data: object) -> int:  # type: ignore[override] # narrower on purpose
            return super().write(bytes(data)[:7])  # type: ignore[call-overload] # same

    sink = Sip()
    with Stop() as stop:
        Consumer(sink, stop).write(b"0123456789" * 10)

    assert b"0123456789" * 10 == sink.getvalue()


def test_the_library_of_the_store_loads_when_it_is_used() -> None:
    """Agents that make no backups do not pay for it."""
    program = (
        "import sys, chunter_nsq.storage.upload, chunter_nsq.storage.download, chunter_nsq.storage.catalogue;"
        "print([name for name in ('boto3', 'botocore', 'urllib3') if name in sys.modules])"
    )

    assert "[]\n" == subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
