from __future__ import annotations

import gzip
import hashlib
import io
import os
import subprocess
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from storage_parts import VM, dice, download, manifest, mixed, small, transfer, upload

from chunter_nsq.errors import AlreadyExists, ChecksumMismatch, StorageFailed, ToolFailed
from chunter_nsq.storage.bucket import Bucket
from chunter_nsq.storage.budget import Budget
from chunter_nsq.storage.catalogue import commit, file_of, free_key, load, page, remove
from chunter_nsq.storage.compress import codec
from chunter_nsq.storage.download import Wanted
from chunter_nsq.storage.fetch import slices
from chunter_nsq.storage.probe import probe
from chunter_nsq.storage.profiles import MIB
from chunter_nsq.storage.progress import Meter
from chunter_nsq.storage.stop import Stop
from chunter_nsq.storage.transfer import Transfer
from chunter_nsq.storage.upload import Upload
from chunter_nsq.storage.verify import verify_catalogue, verify_hash, wanted

pytest_plugins = ["s3_servers"]

KEY = f"{VM}/one"


def test_streams_come_back_as_they_went(bucket: Bucket) -> None:
    """Random mixed streams of all kinds of lengths are the same bytes after going up and down."""
    chance = dice()
    for number, size in enumerate((1, chance.randrange(2, 2000), MIB, chance.randrange(5 * MIB, 16 * MIB))):
        raw = mixed(size, chance.randrange(2**32))
        made = upload(bucket, raw, f"{VM}/{number}", chance.choice(("gzip", "none")) if number else "gzip")
        sink = io.BytesIO()

        told = download(bucket, wanted(file_of(made, None)), sink)

        assert raw == sink.getvalue()
        assert (len(raw), made.raw_sha256) == (told.raw_size, hashlib.sha256(raw).hexdigest())


def test_gunzip_reads_what_is_stored(bucket: Bucket) -> None:
    """The object is the gzip members in order, with the hashes that are told of it, and gunzip says it is well."""
    raw = mixed(7 * MIB + 13, 7)

    made = upload(bucket, raw, name="gzip")

    stored = bucket.get(KEY)
    done = subprocess.run(["gunzip", "-c"], input=stored, capture_output=True, check=False)
    assert (0, b"", raw) == (done.returncode, done.stderr, done.stdout)
    assert (len(stored), hashlib.sha1(stored, usedforsecurity=False).hexdigest()) == (made.size, made.sha1)
    assert hashlib.sha256(stored).hexdigest() == made.sha256


def test_an_old_stream_is_read(bucket: Bucket) -> None:
    """One gzip member without our lengths, known by its SHA-1 only, restores; another SHA-1 is a mismatch."""
    raw = mixed(6 * MIB, 3)
    packer = subprocess.run(["gzip", "-1", "-c"], input=raw, capture_output=True, check=True)
    bucket.put(KEY, packer.stdout)
    parts = slices(KEY, len(packer.stdout), MIB)
    sink = io.BytesIO()

    download(bucket, Wanted(parts, sha1=hashlib.sha1(packer.stdout, usedforsecurity=False).hexdigest().upper()), sink)

    assert raw == sink.getvalue()
    with pytest.raises(ChecksumMismatch, match="SHA-1"):
        download(bucket, Wanted(parts, sha1="0" * 40), io.BytesIO())


def test_an_old_stream_that_is_cut_off_is_refused(bucket: Bucket) -> None:
    """Half a gzip member is no stream."""
    packed = gzip.compress(mixed(MIB, 4))[:-100]
    bucket.put(KEY, packed)

    with pytest.raises(ChecksumMismatch, match="cut off"):
        download(bucket, Wanted(slices(KEY, len(packed), MIB)), io.BytesIO())


def test_a_long_stream_rolls_over(bucket: Bucket) -> None:
    """Beyond the parts of one object the next begins, and all are one file in the manifest."""
    raw = mixed(23 * MIB, 5)

    made = upload(bucket, raw, segment_parts=2)

    assert [KEY, f"{KEY}.0001", f"{KEY}.0002"] == [one.key for one in made.segments]
    assert [10 * MIB, 10 * MIB, 3 * MIB] == [bucket.head(one.key).size for one in made.segments]  # type: ignore[union-attr]
    sink = io.BytesIO()
    download(bucket, wanted(file_of(made, None)), sink)
    assert raw == sink.getvalue()


def test_pipes_of_real_processes(bucket: Bucket, tmp_path: Path) -> None:
    """A producer's pipe goes up and a consumer's pipe is fed, and neither end is closed for them."""
    raw = mixed(9 * MIB, 6)
    (tmp_path / "raw").write_bytes(raw)
    with (
        subprocess.Popen(["cat", str(tmp_path / "raw")], stdout=subprocess.PIPE) as producer,
        transfer(bucket) as means,
    ):

        def check() -> None:
            assert 0 == producer.wait(10)

        made = Upload(means, KEY, codec("gzip"), small(bucket)).run(producer.stdout.fileno(), check)  # type: ignore[union-attr]
    with (tmp_path / "back").open("wb") as output:
        consumer = subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=output)
        download(bucket, wanted(file_of(made, None)), consumer.stdin.fileno())  # type: ignore[union-attr]
        consumer.stdin.close()  # type: ignore[union-attr]
        assert 0 == consumer.wait(10)

    assert raw == (tmp_path / "back").read_bytes()


def test_a_producer_that_failed_leaves_nothing(bucket: Bucket) -> None:
    """When the check of its end raises, nothing was completed and nothing is left in the store."""

    def check() -> None:
        raise ToolFailed("cannot send: it died half-way")

    with transfer(bucket) as means, pytest.raises(ToolFailed):
        Upload(means, KEY, codec("none"), small(bucket)).run(io.BytesIO(mixed(11 * MIB, 8)), check)

    assert [] == list(bucket.keys(""))
    assert [] == list(bucket.uploads(""))


def test_a_failed_stream_in_many_objects_leaves_none(bucket: Bucket) -> None:
    """Objects that were complete before the producer failed are deleted again."""

    def check() -> None:
        raise ToolFailed("cannot send: it died half-way")

    with transfer(bucket) as means, pytest.raises(ToolFailed):
        Upload(means, KEY, codec("none"), small(bucket, segment_parts=1)).run(io.BytesIO(mixed(11 * MIB, 9)), check)

    assert ([], []) == (list(bucket.keys("")), list(bucket.uploads("")))


def test_an_empty_stream_is_a_failure(bucket: Bucket) -> None:
    """Whoever should have made it made nothing; that is no backup."""
    with transfer(bucket) as means, pytest.raises(StorageFailed, match="empty"):
        Upload(means, KEY, codec("gzip"), small(bucket)).run(io.BytesIO(), lambda: None)


def test_a_key_is_never_used_twice(bucket: Bucket) -> None:
    """What is there stays untouched; a free variation of the name is found."""
    bucket.put(KEY, b"old")

    with pytest.raises(AlreadyExists):
        upload(bucket, b"new")

    assert b"old" == bucket.get(KEY)
    assert f"{KEY}.try-2" == free_key(bucket, KEY, "2")
    assert f"{VM}/two" == free_key(bucket, f"{VM}/two", "2")


def test_a_consumer_that_ends_early_is_told_of(bucket: Bucket) -> None:
    """Nobody reads the pipe any more: the transfer fails instead of waiting."""
    made = upload(bucket, mixed(9 * MIB, 10))
    readable, writable = os.pipe()
    os.close(readable)

    with pytest.raises(StorageFailed, match="ended before its end"):
        download(bucket, wanted(file_of(made, None)), writable)

    os.close(writable)


def test_two_transfers_share_a_tight_budget(bucket: Bucket, account: object) -> None:
    """With room for one and a half, two uploads at a time both end, and everything is given back."""
    del account
    budget = Budget(12 * MIB)
    faults: list[BaseException] = []

    def run(number: int) -> None:
        own = Bucket(bucket.account)
        try:
            with Stop() as stop:
                means = Transfer(own, stop, budget)
                Upload(means, f"{VM}/{number}", codec("none"), small(bucket)).run(io.BytesIO(raw), lambda: None)
        except Exception as fault:  # noqa: BLE001 - the test looks at it
            faults.append(fault)
        finally:
            own.close()

    raw = mixed(16 * MIB, 11)
    threads = [threading.Thread(target=run, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    assert [] == faults
    assert 12 * MIB == budget.free_bytes
    assert [len(raw)] * 2 == [bucket.head(f"{VM}/{number}").size for number in range(2)]  # type: ignore[union-attr]


def test_progress_is_told(bucket: Bucket) -> None:
    """The last of what is told counts all bytes, raw and stored."""
    told: list[tuple[int, int]] = []
    meter = Meter(lambda progress: told.append((progress.raw_bytes, progress.stored_bytes)), interval_seconds=0.0)
    raw = mixed(6 * MIB, 12)

    with transfer(bucket, meter=meter) as means:
        made = Upload(means, KEY, codec("gzip"), small(bucket)).run(io.BytesIO(raw), lambda: None)

    assert (len(raw), made.size) == max(told)


def test_backups_are_told_by_their_manifests(bucket: Bucket) -> None:
    """Streams without a manifest are none; pages follow each other; a broken manifest is named and hides no other."""
    made = upload(bucket, b"a stream", f"{VM}/s1")
    upload(bucket, b"a stream", f"{VM}/s9")
    with transfer(bucket) as means:
        for name in ("s1", "s2", "s3"):
            commit(means, manifest(made, name=name))
    bucket.put(f"{VM}/s4.manifest.json", b"{}")

    first = page(bucket, VM, limit=2)
    second = page(bucket, VM, limit=2, after=first.after or "")

    assert ["s1", "s2"] == [one.snapshot.name for one in first.manifests]
    assert (["s3"], (f"{VM}/s4.manifest.json",)) == (
        [one.snapshot.name for one in second.manifests],
        second.unreadable,
    )
    assert None is second.after
    assert manifest(made, name="s2") == load(bucket, f"{VM}/s2.manifest.json")


def test_a_removed_backup_is_gone(bucket: Bucket) -> None:
    """Manifest and all objects."""
    one = manifest(upload(bucket, mixed(11 * MIB, 13), segment_parts=1))
    with transfer(bucket) as means:
        commit(means, one)
        remove(means, one)

    assert [] == list(bucket.keys(""))


def test_verification_finds_what_is_gone_and_what_is_damaged(bucket: Bucket) -> None:
    """A missing object by the catalogue; one bit, by the hash, in the very part of the very file."""
    raw = mixed(16 * MIB, 14)
    good = upload(bucket, raw, f"{VM}/good")
    bad = upload(bucket, raw, f"{VM}/bad")
    gone = upload(bucket, b"gone", f"{VM}/gone")
    whole = manifest(good, bad, gone)
    damaged = bytearray(bucket.get(f"{VM}/bad"))
    damaged[7 * MIB] ^= 1
    with transfer(bucket) as means:
        assert [True] * 3 == [one.good for one in verify_hash(means, whole)]
    bucket.put(f"{VM}/bad", bytes(damaged))
    bucket.delete(f"{VM}/gone")

    with transfer(bucket) as means:
        looked = verify_catalogue(means, whole)
        read = verify_hash(means, whole)

    assert [True, False, False] == [one.good for one in looked]
    assert [True, False, False] == [one.good for one in read]
    assert [("checksum_mismatch", 2)] == [(one["code"], one["details"]["part"]) for one in read[1].faults]
    assert "storage_failed" == read[2].faults[0]["code"]


def test_no_byte_of_a_damaged_part_is_handed_on(bucket: Bucket) -> None:
    """The consumer gets the parts before it at most, and is told which part of which file it is."""
    raw = mixed(16 * MIB, 15)
    made = upload(bucket, raw)
    damaged = bytearray(bucket.get(KEY))
    damaged[6 * MIB] ^= 16
    bucket.put(KEY, bytes(damaged))
    sink = io.BytesIO()

    with pytest.raises(ChecksumMismatch) as told:
        download(bucket, replace(wanted(file_of(made, None))), sink)

    assert (KEY, 2) == (told.value.details["key"], told.value.details["part"])
    assert len(sink.getvalue()) <= 5 * MIB
    assert raw.startswith(sink.getvalue())


def test_a_good_store_passes_the_probe(bucket: Bucket) -> None:
    """Nothing is found, and nothing is left behind."""
    assert [] == [one.fault for one in probe(bucket).findings if one.fault]
    assert ([], []) == (list(bucket.keys("")), list(bucket.uploads("")))
