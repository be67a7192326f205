from __future__ import annotations

import io
import time
from dataclasses import replace

import pytest
from s3_proxy import FaultProxy
from storage_parts import QUICK, SHORT, VM, download, manifest, mixed, small, transfer, upload
from sweeps import swept

from chunter_nsq.errors import ChecksumMismatch, Fault, StorageFailed
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


HARMS = (
    ("drop", "PUT", "partNumber"),
    ("stall", "PUT", "partNumber"),
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
)


@pytest.mark.parametrize(("kind", "method", "query"), swept(HARMS, HARMS[::3]))
def test_an_upload_survives_a_fault(
    harmed: Bucket, proxy: FaultProxy, bucket: Bucket, kind: str, method: str, query: str
) -> None:
    """Whatever happens to one or two requests, the object is the stream in the end."""
    proxy.harm(kind, method, query=query, times=2, status=503)

    made = up(harmed)

    assert RAW == bucket.get(KEY)
    assert len(RAW) == made.size


@pytest.mark.parametrize("kind", ["drop", "stall", "error", "truncate", "flip", "ok_error", "stall_body"])
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
