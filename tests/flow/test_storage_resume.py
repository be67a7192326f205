from __future__ import annotations

import io
import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import pytest
from s3_proxy import FaultProxy
from storage_parts import QUICK, SHORT, VM, dice, download, mixed, small, transfer, upload

from chunter_nsq.errors import StorageFailed, Unsupported
from chunter_nsq.storage.account import Account
from chunter_nsq.storage.bucket import Bucket
from chunter_nsq.storage.catalogue import file_of
from chunter_nsq.storage.compress import codec
from chunter_nsq.storage.download import Download, Mark
from chunter_nsq.storage.faults import StorageUnavailable
from chunter_nsq.storage.fetch import fetch
from chunter_nsq.storage.multipart import discard
from chunter_nsq.storage.orphans import abort_all, orphans
from chunter_nsq.storage.profiles import MIB
from chunter_nsq.storage.state import UploadState
from chunter_nsq.storage.stop import Stop
from chunter_nsq.storage.upload import Upload, Uploaded
from chunter_nsq.storage.verify import wanted

pytest_plugins = ["s3_servers"]

KEY = f"{VM}/one"
RAW = mixed(16 * MIB, 30)
LATER = 2**40


def broken_off(bucket: Bucket, proxy: FaultProxy, *, after_parts: int = 1, **changes: int) -> UploadState:
    """What was kept of an upload whose store went away for good after some parts."""
    kept: list[UploadState] = []
    proxy.harm("error", "PUT", query="partNumber", skip=after_parts, status=503)
    with transfer(bucket, SHORT) as means:
        work = Upload(means, KEY, codec("none"), small(bucket, uploads=1, **changes), keep=kept.append)
        with pytest.raises(StorageUnavailable):
            work.run(io.BytesIO(RAW), lambda: None)
    proxy.heal()
    proxy.requests.clear()
    return UploadState.from_dict(json.loads(json.dumps(kept[-1].as_dict())))


def go_on(bucket: Bucket, state: UploadState, raw: bytes = RAW) -> Uploaded:
    """The upload again, with what was kept."""
    with transfer(bucket, QUICK) as means:
        packer = codec(state.codec, state.engine)
        return Upload(means, KEY, packer, small(bucket), state=state).run(io.BytesIO(raw), lambda: None)


def test_only_what_is_missing_is_sent(harmed: Bucket, proxy: FaultProxy, bucket: Bucket) -> None:
    """Parts that the store has are hashed and left where they are."""
    state = broken_off(harmed, proxy, after_parts=2)
    there = bucket.parts(KEY, state.segments[0].upload_id)

    made = go_on(harmed, state)

    assert {1, 2} == set(there or ())
    assert [0, 0, 1, 1] == [proxy.count("PUT", f"partNumber={number}") for number in (1, 2, 3, 4)]
    assert RAW == bucket.get(KEY)
    assert made.size == len(RAW)


def test_another_stream_is_sent_anew(harmed: Bucket, proxy: FaultProxy, bucket: Bucket) -> None:
    """Parts that differ from what the store has are sent: what is completed is the stream of this run."""
    state = broken_off(harmed, proxy, after_parts=2)
    other = RAW[: 6 * MIB] + b"!" + RAW[6 * MIB + 1 :]

    go_on(harmed, state, other)

    assert 0 == proxy.count("PUT", "partNumber=1")
    assert other == bucket.get(KEY)


def test_a_shorter_stream_has_no_old_tail(harmed: Bucket, proxy: FaultProxy, bucket: Bucket) -> None:
    """Parts of the earlier run behind the end of this one do not get into the object."""
    state = broken_off(harmed, proxy, after_parts=3)

    go_on(harmed, state, RAW[: 6 * MIB])

    assert RAW[: 6 * MIB] == bucket.get(KEY)


def test_a_shorter_stream_leaves_no_old_objects(harmed: Bucket, proxy: FaultProxy, bucket: Bucket) -> None:
    """Objects of the earlier run behind the end of this one are removed."""
    state = broken_off(harmed, proxy, after_parts=3, segment_parts=1)

    go_on(harmed, state, RAW[: 5 * MIB])

    assert [(KEY, 5 * MIB)] == list(bucket.keys(""))
    assert [] == list(bucket.uploads(""))


def test_an_upload_that_the_store_forgot_begins_again(harmed: Bucket, proxy: FaultProxy, bucket: Bucket) -> None:
    """Some stores sweep up after a day."""
    state = broken_off(harmed, proxy, after_parts=2)
    bucket.abort(KEY, state.segments[0].upload_id)

    go_on(harmed, state)

    assert RAW == bucket.get(KEY)
    assert [] == list(bucket.uploads(""))


def test_an_object_completed_unnoticed_is_recognised(bucket: Bucket) -> None:
    """The crash came between the store's doing and our noting it: nothing is sent again."""
    kept: list[UploadState] = []
    with transfer(bucket) as means:
        Upload(means, KEY, codec("none"), small(bucket), keep=kept.append).run(io.BytesIO(RAW), lambda: None)
    before = next(one for one in kept if one.segments and len(one.segments[0].parts) == 4 and not one.segments[0].etag)

    made = go_on(bucket, before)

    assert kept[-1].segments == made.segments


def test_objects_that_are_complete_stay(harmed: Bucket, proxy: FaultProxy, bucket: Bucket) -> None:
    """Of a stream in several objects, the complete ones are compared by hash and left alone."""
    state = broken_off(harmed, proxy, after_parts=3, segment_parts=1)
    complete = [one.key for one in state.segments if one.etag]

    made = go_on(harmed, state)

    sink = io.BytesIO()
    download(bucket, wanted(file_of(made, None)), sink)
    assert RAW == sink.getvalue()
    assert complete
    assert [0] * len(complete) == [proxy.count("PUT", f"{key}?") for key in complete]


def test_a_complete_object_of_another_stream_is_not_gone_on_with(
    harmed: Bucket, proxy: FaultProxy, bucket: Bucket
) -> None:
    """What is complete cannot be corrected: the upload has to begin again, and says so; all of it is removed."""
    state = broken_off(harmed, proxy, after_parts=3, segment_parts=1)
    other = b"!" + RAW[1:]

    with pytest.raises(StorageFailed, match="another one"):
        go_on(harmed, state, other)

    assert ([], []) == (list(bucket.keys("")), list(bucket.uploads("")))


def test_another_engine_does_not_go_on(bucket: Bucket) -> None:
    """Bytes packed by another version would differ: that is said before anything is read."""
    state = UploadState(KEY, "gzip", "zlib 0.9 level 1", 5 * MIB, MIB, 9)
    with transfer(bucket) as means, pytest.raises(Unsupported, match=r"zlib 0\.9"):
        Upload(means, KEY, codec("gzip"), small(bucket), state=state)
    with pytest.raises(Unsupported, match=r"zlib 0\.9"):
        codec("gzip", "zlib 0.9 level 1")


def test_what_nobody_knows_is_an_orphan(bucket: Bucket) -> None:
    """Uploads below our prefixes that no state names are aborted; others, and young ones, are left alone."""
    known, _ = bucket.create_upload(KEY)
    lost, _ = bucket.create_upload(f"{VM}/two")
    bucket.create_upload("another-vm/one")

    young = orphans(bucket, [f"{VM}/"], {known}, begun_before=0)
    found = orphans(bucket, [f"{VM}/"], {known}, begun_before=LATER)
    count = abort_all(bucket, found)

    assert ((), [lost], 1) == (young, [each.upload_id for each in found], count)
    assert [known] == [each.upload_id for each in bucket.uploads(f"{VM}/")]


def test_what_a_manifest_names_is_spared(bucket: Bucket) -> None:
    """Discarding an old state does not touch an object that belongs to a backup by now."""
    made = upload(bucket, b"a stream")
    with Stop() as stop:
        discard(bucket, made.segments, stop, SHORT, spare={KEY})

        assert bucket.head(KEY) is not None

        discard(bucket, made.segments, stop, SHORT)

    assert bucket.head(KEY) is None


def test_a_download_goes_on_at_a_mark(bucket: Bucket) -> None:
    """From any place between two packed blocks, the consumer gets exactly the rest."""
    made = upload(bucket, RAW, name="gzip", block_bytes=MIB)
    marks = [Mark()]
    for _ in range(16):
        head = bucket_head(bucket, marks[-1].stored_bytes)
        size, raw = codec("gzip").measured(head) or (0, 0)
        marks.append(Mark(marks[-1].stored_bytes + size, marks[-1].raw_bytes + raw))

    for mark in (marks[3], marks[9], marks[16]):
        sink = io.BytesIO()
        told = download(bucket, wanted(file_of(made, None)), sink, begin=mark)
        assert RAW[mark.raw_bytes :] == sink.getvalue()
        assert len(RAW) == told.raw_size


def bucket_head(bucket: Bucket, first: int) -> bytes:
    """The head of a packed block."""
    with bucket.opened(KEY, first, 24) as stream:
        content: bytes = stream.read()
        return content


def test_marks_are_of_what_was_written(bucket: Bucket) -> None:
    """A mark never counts bytes that the consumer did not get."""
    made = upload(bucket, RAW, name="gzip")
    sink = io.BytesIO()
    seen: list[tuple[int, int]] = []

    def keep(mark: Mark) -> None:
        seen.append((mark.raw_bytes, len(sink.getvalue())))

    with transfer(bucket) as means:
        work = Download(means, wanted(file_of(made, None)), keep=keep, keep_seconds=0)
        work.run(sink)

    assert 16 == len(seen)
    assert all(marked == written for marked, written in seen)


PROGRAM = """
import json, os, sys
sys.path[:0] = json.loads(sys.argv[1])
from storage_parts import mixed, small, transfer
from chunter_nsq.storage.account import Account
from chunter_nsq.storage.bucket import Bucket
from chunter_nsq.storage.compress import codec
from chunter_nsq.storage.profiles import MIB
from chunter_nsq.storage.upload import Upload
import io

def keep(state):
    with open(sys.argv[3] + ".new", "w") as file:
        json.dump(state.as_dict(), file)
        file.flush()
        os.fsync(file.fileno())
    os.replace(sys.argv[3] + ".new", sys.argv[3])

bucket = Bucket(Account(**json.loads(sys.argv[2])))
with transfer(bucket) as means:
    raw = io.BytesIO(mixed(16 * MIB, 30))
    Upload(means, sys.argv[4], codec("none"), small(bucket), keep=keep).run(raw, lambda: print("sent", flush=True))
print("done", flush=True)
"""


def _killed(
    account: Account, place: Path, waits: Callable[[subprocess.Popen[bytes], Path], None]
) -> UploadState | None:
    """An upload in a process that is killed in the middle; what it kept."""
    argv = [sys.executable, "-c", PROGRAM, json.dumps(sys.path), json.dumps(asdict(account)), str(place), KEY]
    with subprocess.Popen(argv, stdout=subprocess.PIPE) as process:
        waits(process, place)
        process.send_signal(signal.SIGKILL)
    return UploadState.from_dict(json.loads(place.read_text())) if place.exists() else None


@pytest.mark.parametrize("number", range(3))
def test_an_upload_killed_at_any_instant_can_be_ended_or_discarded(
    bucket: Bucket, account: Account, tmp_path: Path, number: int
) -> None:
    """After kill -9 the kept state leads to the whole object or to nothing at all, and no orphan stays."""
    chance = dice()

    def waits(process: subprocess.Popen[bytes], place: Path) -> None:
        while not place.exists() and process.poll() is None:
            time.sleep(0.005)
        time.sleep(chance.uniform(0, 0.8))

    state = _killed(account, tmp_path / "state", waits)

    assert state is not None
    if number % 2:
        made = go_on(bucket, state)
        assert (RAW, len(RAW)) == (bucket.get(KEY), made.size)
    else:
        with Stop() as stop:
            discard(bucket, state.segments, stop, QUICK, beginning=state.beginning)
        assert [] == list(bucket.keys(""))
    assert [] == list(bucket.uploads(""))


def test_a_part_is_fetched_whole_or_not(bucket: Bucket) -> None:
    """What fetch fills in is the part, byte for byte."""
    made = upload(bucket, RAW[: 6 * MIB], name="none")
    parts = [bytearray(5 * MIB), bytearray(MIB)]
    with transfer(bucket) as means:
        for piece, part in zip(wanted(file_of(made, None)).pieces, parts, strict=True):
            fetch(means, piece, memoryview(part))

    assert [RAW[: 5 * MIB], RAW[5 * MIB : 6 * MIB]] == parts
