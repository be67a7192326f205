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
from storage_parts import QUICK, SHORT, VM, download, manifest, mixed, small, transfer, upload

from chunter_nsq.errors import Cancelled, ChecksumMismatch, Fault, StorageFailed
from chunter_nsq.storage.account import Account
from chunter_nsq.storage.bucket import Bucket
from chunter_nsq.storage.catalogue import commit, file_of, page
from chunter_nsq.storage.compress import codec
from chunter_nsq.storage.download import Download
from chunter_nsq.storage.faults import StorageUnavailable
from chunter_nsq.storage.patience import Patience
from chunter_nsq.storage.probe import probe
from chunter_nsq.storage.profiles import MIB
from chunter_nsq.storage.rate import Rate
from chunter_nsq.storage.transfer import Transfer, in_thread
from chunter_nsq.storage.upload import Upload, Uploaded
from chunter_nsq.storage.verify import wanted

pytest_plugins = ["s3_servers"]

KEY = f"{VM}/one"
RAW = mixed(6 * MIB, 20)


def up(bucket: Bucket, patience: Patience = QUICK, raw: bytes = RAW) -> Uploaded:
    """The stream in two parts."""
    with transfer(bucket, patience) as means:
        return Upload(means, KEY, codec("none"), small(bucket)).run(io.BytesIO(raw), lambda: None)


def nothing_left(bucket: Bucket) -> bool:
    """Whether the store holds neither objects nor unfinished uploads."""
    return ([], []) == (list(bucket.keys("")), list(bucket.uploads("")))


@pytest.mark.parametrize(
    ("kind", "method", "query"),
    [
        ("drop", "PUT", "partNumber"),
        ("drop_late", "PUT", "partNumber"),
        ("error", "PUT", "partNumber"),
        ("ok_error", "PUT", "partNumber"),
        ("flip_request", "PUT", "partNumber"),
        ("etag", "PUT", "partNumber"),
        ("error", "POST", "uploads"),
        ("drop", "POST", "uploads"),
        ("error", "POST", "uploadId"),
        ("ok_error", "POST", "uploadId"),
        ("drop", "POST", "uploadId"),
        ("drop_late", "POST", "uploadId"),
        ("cut_off_error", "POST", "uploadId"),
    ],
)
def test_an_upload_survives_a_fault(
    harmed: Bucket, proxy: FaultProxy, bucket: Bucket, kind: str, method: str, query: str
) -> None:
    """Whatever happens to one or two requests, the object is the stream in the end."""
    proxy.harm(kind, method, query=query, times=2, status=503)

    made = up(harmed)

    assert RAW == bucket.get(KEY)
    assert len(RAW) == made.size


@pytest.mark.parametrize("kind", ["drop", "error", "truncate", "flip", "ok_error", "stall_body"])
def test_a_download_survives_a_fault(harmed: Bucket, proxy: FaultProxy, bucket: Bucket, kind: str) -> None:
    """Whatever happens to one answer, the consumer gets the stream."""
    made = upload(bucket, RAW)
    proxy.harm(kind, "GET", path=KEY, times=1, status=503)
    sink = io.BytesIO()

    download(harmed, wanted(file_of(made, None)), sink)

    assert RAW == sink.getvalue()


def test_a_part_that_broke_off_goes_on_where_it_was(harmed: Bucket, proxy: FaultProxy, bucket: Bucket) -> None:
    """The second request asks for the rest of the part only."""
    made = upload(bucket, RAW[: 4 * MIB])
    proxy.harm("truncate", "GET", path=KEY, times=1)

    download(harmed, wanted(file_of(made, None)), io.BytesIO())

    assert [f"bytes=0-{made.size - 1}", f"bytes={made.size // 2}-{made.size - 1}"] == proxy.ranges(KEY)


def test_bits_that_keep_turning_are_damage(harmed: Bucket, proxy: FaultProxy, bucket: Bucket) -> None:
    """Read wrong twice, the part is called damaged and the consumer has seen nothing of it."""
    made = upload(bucket, RAW)
    proxy.harm("flip", "GET", path=KEY)
    sink = io.BytesIO()

    with pytest.raises(ChecksumMismatch):
        download(harmed, wanted(file_of(made, None)), sink)

    assert b"" == sink.getvalue()


def test_a_store_that_keeps_something_else_is_refused(harmed: Bucket, proxy: FaultProxy, bucket: Bucket) -> None:
    """An ETag that is never the MD5 of what was sent fails the upload, and nothing stays."""
    proxy.harm("etag", "PUT", query="partNumber")

    with pytest.raises(StorageFailed, match="instead of"):
        up(harmed)

    proxy.heal()
    assert nothing_left(bucket)


def test_a_refusal_is_not_tried_again(harmed: Bucket, proxy: FaultProxy) -> None:
    """What the store forbids it forbids; the fault says what to look at."""
    proxy.harm("error", "PUT", query="partNumber", status=403)

    with pytest.raises(StorageFailed, match="permissions") as told:
        up(harmed, raw=RAW[:MIB])

    assert (False, 1) == (told.value.transient, proxy.count("PUT", "partNumber=1"))


def test_wrong_keys_are_told(account: Account) -> None:
    """The message names the setting to correct, and holds no secret."""
    stranger = Bucket(replace(account, access_key="NOBODY", secret_key="not-to-be-shown"))

    with pytest.raises(StorageFailed) as told:
        stranger.get(KEY)

    stranger.close()
    assert "s3.access_key" in told.value.message
    assert "not-to-be-shown" not in repr(told.value.as_dict()) + repr(stranger.account)


def test_a_store_that_stays_away_fails_transiently(harmed: Bucket, proxy: FaultProxy) -> None:
    """After patience has run out, the fault says that trying again later may help."""
    proxy.harm("error", "PUT", query="partNumber", status=503)

    with pytest.raises(StorageUnavailable):
        up(harmed, SHORT)


def test_a_store_that_is_not_there_fails_transiently() -> None:
    """Nobody listens: the fault is transient and names the address."""
    nowhere = Bucket(Account(endpoint="http://127.0.0.1:9", bucket="none", access_key="a", secret_key="b"))

    with pytest.raises(StorageUnavailable, match=r"127\.0\.0\.1:9"):
        nowhere.head(KEY)

    nowhere.close()


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


@pytest.mark.parametrize("query", ["partNumber", "uploads", "uploadId"])
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


@pytest.mark.parametrize("kind", ["stall", "stall_body"])
def test_a_stop_is_heard_by_a_download_that_waits(harmed: Bucket, proxy: FaultProxy, bucket: Bucket, kind: str) -> None:
    """A silent store does not hold it for more than two seconds."""
    made = upload(bucket, RAW)
    patient = Bucket(replace(harmed.account, silence_seconds=60))
    proxy.harm(kind, "GET", path=KEY)

    with transfer(patient) as means:
        seconds = _stopped(lambda _means: Download(means, wanted(file_of(made, None))).run(io.BytesIO()), means, 0.5)

    patient.close()
    assert seconds < 2


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


def test_what_could_not_be_removed_is_told(harmed: Bucket, proxy: FaultProxy, bucket: Bucket) -> None:
    """A store that does not answer to the clean-up leaves an upload behind, and the fault names it."""
    proxy.harm("stall", "DELETE")
    proxy.harm("stall", "PUT", query="partNumber")

    with transfer(harmed) as means:
        work = Upload(means, KEY, codec("none"), small(harmed))
        threading.Timer(0.5, means.stop.set).start()
        with pytest.raises(Cancelled) as told:
            work.run(io.BytesIO(RAW), lambda: None)

    left = [{"key": each.key, "upload_id": each.upload_id} for each in bucket.uploads("")]
    assert left == told.value.details["left"]


def test_the_rate_is_kept(bucket: Bucket) -> None:
    """6 MiB at 6 MiB a second take most of a second, up and down together with one limit."""
    rate = Rate(6 * MIB)
    raw = RAW
    begun = time.monotonic()

    with transfer(bucket, rate=rate) as means:
        made = Upload(means, KEY, codec("none"), small(bucket)).run(io.BytesIO(raw), lambda: None)
    halfway = time.monotonic()
    with transfer(bucket, rate=rate) as means:
        Download(means, wanted(file_of(made, None))).run(io.BytesIO())

    assert 0.8 < halfway - begun < 10
    assert 1.8 < time.monotonic() - begun < 20


@pytest.mark.parametrize("kind", ["drop_late", "error", "ok_error", "flip"])
def test_a_manifest_is_there_as_it_was_written(harmed: Bucket, proxy: FaultProxy, bucket: Bucket, kind: str) -> None:
    """It is read back before a backup is called one."""
    one = manifest(upload(bucket, b"a stream"))
    proxy.harm(kind, "GET" if kind == "flip" else "PUT", path="manifest", times=1)

    with transfer(harmed) as means:
        commit(means, one)

    assert (one,) == page(bucket, VM).manifests


@pytest.mark.parametrize(
    ("kind", "method", "query", "said"),
    [
        ("flip", "GET", "", "bytes came back"),
        ("etag", "PUT", "partNumber", "not its MD5"),
        ("etag", "HEAD", "", "ETag"),
        ("error", "GET", "list-type", "503"),
        ("ok_error", "PUT", "partNumber", "made up"),
    ],
)
def test_the_probe_finds_a_bad_store(
    account: Account, proxy: FaultProxy, kind: str, method: str, query: str, said: str
) -> None:
    """A store that mangles, misnames or forgets is found out."""
    made = Bucket(replace(account, endpoint=proxy.endpoint, profile="minio"))
    proxy.harm(kind, method, query=query, status=503)

    found = probe(made)

    made.close()
    assert not found.good
    assert said in " ".join(one.fault for one in found.findings)


def test_faults_of_keeping_the_state_end_the_upload(bucket: Bucket) -> None:
    """Nothing is sent to an object that nobody would remember after a crash."""

    def keep(_state: object) -> None:
        raise Fault("the journal is full")

    with transfer(bucket) as means, pytest.raises(Fault, match="journal"):
        Upload(means, KEY, codec("none"), small(bucket), keep=keep).run(io.BytesIO(RAW), lambda: None)

    assert nothing_left(bucket)
