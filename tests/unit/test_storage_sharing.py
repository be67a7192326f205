from __future__ import annotations

import hashlib
import io
import json
import os
import random
import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from storage_parts import relaxed

from chunter_nsq.errors import Cancelled, InvalidMessage, StorageFailed
from chunter_nsq.storage.account import Account
from chunter_nsq.storage.budget import Budget
from chunter_nsq.storage.conveyor import Conveyor
from chunter_nsq.storage.crew import Crew
from chunter_nsq.storage.faults import StorageMissing, StorageUnavailable, refused
from chunter_nsq.storage.patience import Patience
from chunter_nsq.storage.pipes import Consumer, Producer
from chunter_nsq.storage.profiles import MIB, PROFILES
from chunter_nsq.storage.rate import Rate
from chunter_nsq.storage.sizing import resumed, sizes
from chunter_nsq.storage.state import Part, Segment, UploadState
from chunter_nsq.storage.stop import Stop


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


@relaxed
@given(
    st.sampled_from(sorted(PROFILES)),
    st.integers(32 * MIB, 2**36),
    st.none() | st.integers(0, 2**50),
    st.none() | st.integers(1, 2**33),
)
def test_sizes_fit_the_store(name: str, budget: int, estimate: int | None, part: int | None) -> None:
    """Parts are of a size that the store takes, and never more than it takes of them."""
    profile = PROFILES[name]

    found = sizes(profile, budget, estimate_bytes=estimate, part_bytes=part)

    assert 5 * MIB <= found.part_bytes <= profile.most_part_bytes
    assert 1 <= found.segment_parts < profile.max_parts
    assert 1 <= found.uploads <= 8
    if part is None:
        assert found.floor_bytes <= max(budget, 8 * MIB)


def test_sizes_follow_the_estimate() -> None:
    """Small streams have the smallest parts; 1 TiB goes into one row of parts of a size that memory allows."""
    aws = PROFILES["aws"]

    assert 16 * MIB == sizes(aws, 256 * MIB).part_bytes
    assert 64 * MIB == sizes(aws, 256 * MIB, estimate_bytes=2**42).part_bytes
    assert 16 * MIB == sizes(aws, 256 * MIB, estimate_bytes=100 * 2**30).part_bytes
    assert 5 * MIB == sizes(PROFILES["leofs"], 256 * MIB).part_bytes
    assert 900 == sizes(PROFILES["leofs"], 256 * MIB).segment_parts


HEX = st.text("0123456789abcdef", min_size=32, max_size=32)
STATES = st.builds(
    UploadState,
    st.text(),
    st.text(),
    st.text(),
    st.integers(1),
    st.integers(1),
    st.integers(1),
    st.lists(
        st.builds(
            Segment,
            st.text(),
            st.text(),
            st.dictionaries(st.integers(1, 9999), st.builds(Part, st.integers(0), HEX, st.text(), st.text())),
            st.text(),
        ),
        max_size=3,
    ).map(tuple),
)


@relaxed
@given(STATES)
def test_a_state_survives_a_journal(state: UploadState) -> None:
    """Through JSON and back it is the same, and the sizes of a resumed upload are its own."""
    again = UploadState.from_dict(json.loads(json.dumps(state.as_dict())))

    assert state == again
    now = sizes(PROFILES["aws"], 256 * MIB)
    assert state.part_bytes == resumed(again, now).part_bytes


def test_the_etag_of_the_whole_is_made_of_those_of_its_parts() -> None:
    """As AWS computes it."""
    first, second = (hashlib.md5(each, usedforsecurity=False) for each in (b"0", b"1"))
    parts = {2: Part(1, second.hexdigest(), ""), 1: Part(1, first.hexdigest(), "")}
    joined = hashlib.md5(first.digest() + second.digest(), usedforsecurity=False).hexdigest()

    assert f"{joined}-2" == Segment("k", "u", parts).multipart_etag()


ACCOUNT = Account(endpoint="https://s3.example.org", bucket="b", access_key="ours", secret_key="our-secret")


def test_a_command_brings_its_own_account() -> None:
    """What it says replaces what is configured."""
    given_account = {"endpoint": "https://other.example.org", "access_key": "a", "secret_key": "s", "bucket": "c"}

    one = ACCOUNT.instead(given_account)

    assert ("https://other.example.org", "c", "a", "s") == (one.endpoint, one.bucket, one.access_key, one.secret_key)
    assert ACCOUNT == ACCOUNT.instead({})


@pytest.mark.parametrize(
    ("given_account", "said"),
    [
        ({"endpoint": "https://evil.example.org"}, "keys of its own"),
        ({"access_key": "a"}, "go together"),
        ({"token": "t"}, "s3.token"),
        ({"bucket": 5}, "s3.bucket"),
        ({"endpoint": "file:///etc/passwd"}, "http"),
        ({"profile": "tape"}, "s3.profile"),
        ({"path_style": "yes"}, "path_style"),
        ({"secret_key": "to-be-hidden\n", "access_key": "a"}, "s3.secret_key"),
    ],
)
def test_an_odd_account_is_refused(given_account: dict[str, object], said: str) -> None:
    """Our keys never go to an endpoint that a command names; values are not repeated."""
    with pytest.raises(InvalidMessage, match=said) as told:
        ACCOUNT.instead(given_account)

    assert "to-be-hidden" not in repr(told.value.as_dict())


def test_secrets_are_not_shown() -> None:
    """Neither key of an account stands in its repr."""
    assert "our-secret" not in repr(ACCOUNT)
    assert "ours" not in repr(ACCOUNT)


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (500, "InternalError", StorageUnavailable),
        (503, "SlowDown", StorageUnavailable),
        (429, "", StorageUnavailable),
        (400, "BadDigest", StorageUnavailable),
        (403, "RequestTimeTooSkewed", StorageUnavailable),
        (404, "NoSuchUpload", StorageMissing),
        (404, "NoSuchBucket", StorageFailed),
        (403, "AccessDenied", StorageFailed),
    ],
)
def test_answers_are_told_apart(status: int, code: str, kind: type[StorageFailed]) -> None:
    """By whether trying again can help."""
    fault = refused("store a part", status, code, "words")

    assert kind is type(fault)
    assert "storage_failed" == fault.as_dict()["code"]


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
