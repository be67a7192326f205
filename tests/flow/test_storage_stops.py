from __future__ import annotations

import asyncio
import io
import os
import threading
import time
from collections.abc import Callable
from dataclasses import replace

import pytest
from s3_proxy import FaultProxy
from storage_parts import VM, mixed, small, transfer, upload
from sweeps import swept

from chunter_nsq.errors import Cancelled
from chunter_nsq.storage.bucket import Bucket
from chunter_nsq.storage.catalogue import file_of
from chunter_nsq.storage.compress import codec
from chunter_nsq.storage.download import Download
from chunter_nsq.storage.profiles import MIB
from chunter_nsq.storage.state import UploadState
from chunter_nsq.storage.transfer import Transfer, in_thread
from chunter_nsq.storage.upload import Upload
from chunter_nsq.storage.verify import wanted

pytest_plugins = ["s3_servers"]

KEY = f"{VM}/one"
RAW = mixed(6 * MIB, 20)


def nothing_left(bucket: Bucket) -> bool:
    """Whether the store holds neither objects nor unfinished uploads."""
    return ([], []) == (list(bucket.keys("")), list(bucket.uploads("")))


def _stopped(work: Callable[[Transfer], object], means: Transfer, after_seconds: float) -> float:
    """Seconds from the stop to the end of the work."""
    stopped_at = 0.0

    def stop() -> None:
        nonlocal stopped_at
        stopped_at = time.monotonic()
        means.stop.set()

    timer = threading.Timer(after_seconds, stop)
    timer.start()
    with pytest.raises(Cancelled):
        work(means)
    timer.join()
    return time.monotonic() - stopped_at


@pytest.mark.alone
@pytest.mark.parametrize("query", swept(["partNumber", "uploads", "uploadId"], ["partNumber"]))
def test_a_stop_is_heard_by_an_upload_that_waits(harmed: Bucket, proxy: FaultProxy, bucket: Bucket, query: str) -> None:
    """However silent the store is, it is over within two seconds, and nothing stays in the store."""
    patient = Bucket(replace(harmed.account, silence_seconds=60))
    proxy.harm("stall", "PUT" if query == "partNumber" else "POST", query=query)

    with transfer(patient) as means:
        sink = Upload(means, KEY, codec("none"), small(patient))
        seconds = _stopped(lambda _means: sink.run(io.BytesIO(RAW), lambda: None), means, 1.0)

    patient.close()
    assert seconds < 2
    assert nothing_left(bucket)


@pytest.mark.alone
def test_a_stop_is_heard_by_an_upload_whose_producer_is_silent(bucket: Bucket) -> None:
    """It waits in the pipe, and is over within two seconds all the same."""
    readable, writable = os.pipe()
    with transfer(bucket) as means:
        seconds = _stopped(
            lambda _means: Upload(means, KEY, codec("none"), small(bucket)).run(readable, lambda: None), means, 0.3
        )
    os.close(readable)
    os.close(writable)

    assert seconds < 2
    assert nothing_left(bucket)


@pytest.mark.alone
@pytest.mark.parametrize("kind", swept(["stall", "stall_body"], ["stall_body"]))
def test_a_stop_is_heard_by_a_download_that_waits(harmed: Bucket, proxy: FaultProxy, bucket: Bucket, kind: str) -> None:
    """A silent store does not hold it for more than two seconds."""
    made = upload(bucket, RAW)
    patient = Bucket(replace(harmed.account, silence_seconds=60))
    proxy.harm(kind, "GET", path=KEY)

    with transfer(patient) as means:
        seconds = _stopped(lambda _means: Download(means, wanted(file_of(made, None))).run(io.BytesIO()), means, 0.5)

    patient.close()
    assert seconds < 2


@pytest.mark.alone
def test_a_stop_is_heard_by_a_download_whose_consumer_is_silent(bucket: Bucket) -> None:
    """The pipe is full and nobody reads."""
    made = upload(bucket, RAW)
    readable, writable = os.pipe()
    with transfer(bucket) as means:
        seconds = _stopped(lambda _means: Download(means, wanted(file_of(made, None))).run(writable), means, 0.5)
    os.close(readable)
    os.close(writable)

    assert seconds < 2


async def test_a_cancelled_task_stops_its_transfer(bucket: Bucket) -> None:
    """The task that waits for a transfer is cancelled: the transfer is over when the cancellation is."""
    readable, writable = os.pipe()
    with transfer(bucket) as means:
        work = Upload(means, KEY, codec("none"), small(bucket))
        task = asyncio.create_task(in_thread(lambda: work.run(readable, lambda: None), means.stop))
        await asyncio.sleep(0.2)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    os.close(readable)
    os.close(writable)

    assert nothing_left(bucket)


def test_what_is_kept_stays_when_it_is_stopped(harmed: Bucket, proxy: FaultProxy, bucket: Bucket) -> None:
    """An upload whose state is kept is put down by a stop, and a later one sends only what is missing."""
    kept: list[UploadState] = []
    proxy.harm("stall", "PUT", query="partNumber=2")
    patient = Bucket(replace(harmed.account, silence_seconds=60))
    with transfer(patient) as means:
        work = Upload(means, KEY, codec("none"), small(patient), keep=kept.append)

        def stop_when_a_part_is_there() -> None:
            while not (kept and kept[-1].segments) or not bucket.parts(KEY, kept[-1].segments[0].upload_id):
                time.sleep(0.01)
            means.stop.set()

        threading.Thread(target=stop_when_a_part_is_there, daemon=True).start()
        begun = time.monotonic()
        with pytest.raises(Cancelled):
            work.run(io.BytesIO(RAW), lambda: None)
    seconds = time.monotonic() - begun
    patient.close()
    proxy.heal()
    proxy.requests.clear()

    with transfer(harmed) as means:
        again = Upload(means, KEY, codec("none"), small(harmed), state=kept[-1])
        again.run(io.BytesIO(RAW), lambda: None)

    assert seconds < 10
    assert (0, 1) == (proxy.count("PUT", "partNumber=1"), proxy.count("PUT", "partNumber=2"))
    assert RAW == bucket.get(KEY)


def test_what_could_not_be_removed_is_told(harmed: Bucket, proxy: FaultProxy, bucket: Bucket) -> None:
    """A store that does not answer to the clean-up leaves an upload behind, and the fault names it."""
    proxy.harm("stall", "DELETE")
    proxy.harm("stall", "PUT", query="partNumber")

    with transfer(harmed) as means:
        work = Upload(means, KEY, codec("none"), small(harmed))

        def stop_when_a_part_is_on_its_way() -> None:
            while not proxy.count("PUT", "partNumber"):
                time.sleep(0.01)
            means.stop.set()

        threading.Thread(target=stop_when_a_part_is_on_its_way, daemon=True).start()
        with pytest.raises(Cancelled) as told:
            work.run(io.BytesIO(RAW), lambda: None)

    left = [{"key": each.key, "upload_id": each.upload_id} for each in bucket.uploads("")]
    assert left == told.value.details["left"]
