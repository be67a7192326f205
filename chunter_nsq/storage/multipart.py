"""One object of the store, uploaded in parts: begun once, each part compared, completed and looked at.

Theory: a part is sent again until its ETag is the MD5 of what was sent. Completing is not something that can simply be
tried again: the store may have done it although the answer got lost. So after each failure the object itself is looked
at; size and ETag say whether it is the one.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import replace
from functools import partial

from chunter_nsq.errors import AlreadyExists, StorageFailed
from chunter_nsq.storage.body import Body
from chunter_nsq.storage.bucket import Bucket, Head
from chunter_nsq.storage.faults import StorageMissing, StorageUnavailable, strange
from chunter_nsq.storage.patience import Patience
from chunter_nsq.storage.state import Part, Segment
from chunter_nsq.storage.stop import Stop
from chunter_nsq.storage.transfer import Transfer

_SETTLING = Patience(total_seconds=60, first_seconds=0.2, longest_seconds=5)
_MISMATCHES = 5
_MD5 = re.compile(r"[0-9a-f]{32}")
_MULTIPART_ETAG = re.compile(r"[0-9a-f]{32}-[0-9]+")


class Multipart:
    """``segment`` is what is known of it; parts are added by whoever puts them."""

    def __init__(self, transfer: Transfer, segment: Segment, *, etags: bool) -> None:
        self.segment = segment
        self._transfer = transfer
        self._bucket = transfer.bucket
        self._etags = etags

    @classmethod
    def begin(cls, transfer: Transfer, key: str) -> Multipart:
        """A new upload. Raises AlreadyExists when something has that key: on some stores it would be damaged."""
        if transfer.attempt(lambda: transfer.bucket.head(key), f"look at {key}") is not None:
            raise AlreadyExists(f"cannot store {key}: there is an object of that name", {"key": key})
        upload_id, etags = transfer.attempt(lambda: transfer.bucket.create_upload(key), f"begin {key}")
        return cls(transfer, Segment(key, upload_id), etags=etags)

    @classmethod
    def resume(cls, transfer: Transfer, segment: Segment) -> Multipart:
        """The upload again, with the parts that the store says it has; a new one when it is gone."""
        etags = transfer.bucket.traits.etags
        if segment.etag:
            return cls(transfer, segment, etags=etags)
        try:
            kept = transfer.attempt(
                lambda: transfer.bucket.parts(segment.key, segment.upload_id), f"list the parts of {segment.key}"
            )
        except StorageMissing:
            again = cls(transfer, segment, etags=etags)
            done = again.landed()
            return again.completed(done) if done else cls.begin(transfer, segment.key)
        if kept is not None and etags:
            there = {n: Part(size, etag, "", etag) for n, (size, etag) in kept.items() if _MD5.fullmatch(etag)}
            segment = replace(segment, parts=there)
        elif kept is not None:
            there = {n: part for n, part in segment.parts.items() if kept.get(n) == (part.size, part.etag)}
            segment = replace(segment, parts=there)
        return cls(transfer, segment, etags=etags)

    def put(self, number: int, content: memoryview, part: Part) -> Part:
        """Store one part; the same part with its ETag. Raises StorageFailed when the store keeps something else."""
        segment = self.segment
        what = f"store part {number} of {segment.key}"
        mismatches = 0

        def once() -> str:
            nonlocal mismatches
            body = Body(content, part.md5, self._transfer.pay)
            with self._transfer.uploads.turn(self._transfer.stop):
                etag = self._bucket.put_part(segment.key, segment.upload_id, number, body)
            if self._etags and etag != part.md5:
                mismatches += 1
                kind = StorageUnavailable if mismatches < _MISMATCHES else StorageFailed
                raise kind(f"cannot {what}: the store has {etag} of it instead of {part.md5}", {"reason": "etag"})
            return etag

        return replace(part, etag=self._transfer.attempt(once, what))

    def complete(self) -> None:
        """Make it one object and look at it; ``segment.etag`` is set then."""
        segment = self.segment
        etags = {number: part.etag for number, part in segment.parts.items()}

        def once() -> None:
            try:
                self._bucket.complete(segment.key, segment.upload_id, etags)
            except (StorageUnavailable, StorageMissing):
                if not self.landed():
                    raise

        self._transfer.attempt(once, f"complete {segment.key}")
        self.completed(_SETTLING.attempt(self._look, self._transfer.stop, f"look at {segment.key}"))

    def completed(self, etag: str) -> Multipart:
        """The same, done."""
        self.segment = replace(self.segment, etag=etag)
        return self

    def landed(self) -> str:
        """The ETag of the object when it is the one that these parts make; else nothing."""
        head = self._transfer.attempt(lambda: self._bucket.head(self.segment.key), f"look at {self.segment.key}")
        if head is None or not is_made_of(
            head, self.segment, strict=self._etags and self._bucket.traits.names_multipart
        ):
            return ""
        return head.etag or "none"

    def _look(self) -> str:
        etag = self.landed()
        if not etag:
            raise strange(f"complete {self.segment.key}", "the store said yes, but has no such object")
        return etag


def is_made_of(head: Head, segment: Segment, *, strict: bool) -> bool:
    """Whether an object is what these parts make; not ``strict``, an ETag of another form says nothing."""
    if not segment.parts or head.size != segment.size:
        return False
    return head.etag == segment.multipart_etag() or not (strict or _MULTIPART_ETAG.fullmatch(head.etag))


def discard(
    bucket: Bucket,
    segments: Iterable[Segment],
    stop: Stop,
    patience: Patience,
    *,
    spare: Collection[str] = (),
    beginning: str = "",
) -> None:
    """Abort what is unfinished and delete what is complete: nothing of it stays in the store.

    ``spare`` holds keys that a manifest names: objects of that name stay, whoever made them. ``beginning`` is a key
    whose upload may have been begun without our hearing of it, where the store tells of such.

    Raises:
        StorageFailed: it could not be done; what is left must be remembered.
    """
    for segment in segments:
        gone = partial(_discard_one, bucket, segment, spared=segment.key in spare)
        patience.attempt(gone, stop, f"discard {segment.key}")
    if beginning:
        patience.attempt(partial(_abort_begun, bucket, beginning), stop, f"discard {beginning}")


def _abort_begun(bucket: Bucket, key: str) -> None:
    for unfinished in bucket.uploads(key):
        if unfinished.key == key:
            bucket.abort(key, unfinished.upload_id)


def _discard_one(bucket: Bucket, segment: Segment, *, spared: bool) -> None:
    bucket.abort(segment.key, segment.upload_id)
    if spared or not segment.parts:
        return
    # The store may have completed it without our hearing of that.
    head = None if segment.etag else bucket.head(segment.key)
    if segment.etag or (head is not None and is_made_of(head, segment, strict=bucket.traits.names_multipart)):
        bucket.delete(segment.key)
