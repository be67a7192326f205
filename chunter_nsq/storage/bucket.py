"""One bucket of a store: requests that every make understands, one attempt each, answers checked.

Responsibilities: what is asked for is what is used: a part must come with its ETag, a range must be that range; faults
say whether trying again could help; everything under way can be hung up at once.

Not promised: anything about a request that failed; it may have been carried out. Nothing is tried again here: that is
the caller's (patience.py), who knows for how long it is worth it.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from typing import Any, NamedTuple

from chunter_nsq.storage.account import Account
from chunter_nsq.storage.body import Body
from chunter_nsq.storage.faults import StorageMissing, strange, unreachable
from chunter_nsq.storage.s3 import Line, asking

_PAGE = 1000


class Head(NamedTuple):
    """What the store says of an object; ``etag`` without quotes."""

    size: int
    etag: str


class Unfinished(NamedTuple):
    """A multipart upload that was not finished; ``begun`` in epoch seconds."""

    key: str
    upload_id: str
    begun: float


class Bucket:
    """Requests to one bucket, from any thread; each is one attempt.

    All raise StorageUnavailable when trying again may help, StorageMissing when what they name is not there, and
    StorageFailed otherwise.
    """

    def __init__(self, account: Account, connections: int = 16) -> None:
        self.account = account
        self.traits = account.traits
        self._connections = connections
        self._lock = threading.Lock()
        self._line: Line | None = None

    def create_upload(self, key: str) -> tuple[str, bool]:
        """Begin a multipart upload: its id, and whether ETags are MD5s in it."""
        with asking(f"begin the upload of {key}"):
            answer = self._client.create_multipart_upload(
                Bucket=self.account.bucket, Key=key, ContentType="application/octet-stream"
            )
        encrypted = str(answer.get("ServerSideEncryption", "")).startswith("aws:kms")
        return _member(answer, "UploadId", f"begin the upload of {key}"), self.traits.etags and not encrypted

    def put_part(self, key: str, upload_id: str, number: int, body: Body) -> str:
        """Send one part; the ETag that the store gave it."""
        attempted = f"store part {number} of {key}"
        with asking(attempted):
            answer = self._client.upload_part(
                Bucket=self.account.bucket,
                Key=key,
                UploadId=upload_id,
                PartNumber=number,
                Body=body,
                ContentMD5=body.md5_base64,
            )
        return _member(answer, "ETag", attempted).strip('"')

    def complete(self, key: str, upload_id: str, etags: dict[int, str]) -> None:
        """Make an object of the parts. It may have been made although this fails: look at its head then."""
        parts = [{"PartNumber": number, "ETag": f'"{etags[number]}"'} for number in sorted(etags)]
        with asking(f"complete {key}"):
            self._client.complete_multipart_upload(
                Bucket=self.account.bucket, Key=key, UploadId=upload_id, MultipartUpload={"Parts": parts}
            )

    def abort(self, key: str, upload_id: str) -> None:
        """Give an upload up; nothing is said when there is none."""
        with suppress(StorageMissing), asking(f"abort the upload of {key}"):
            self._client.abort_multipart_upload(Bucket=self.account.bucket, Key=key, UploadId=upload_id)

    def put(self, key: str, content: bytes, content_type: str = "application/octet-stream") -> str:
        """Store a small object in one request; its ETag."""
        body = Body(content)
        with asking(f"store {key}"):
            answer = self._client.put_object(
                Bucket=self.account.bucket, Key=key, Body=body, ContentMD5=body.md5_base64, ContentType=content_type
            )
        return _member(answer, "ETag", f"store {key}").strip('"')

    def head(self, key: str) -> Head | None:
        """Size and ETag; None when there is no such key."""
        with suppress(StorageMissing), asking(f"look at {key}"):
            answer = self._client.head_object(Bucket=self.account.bucket, Key=key)
            return Head(int(answer["ContentLength"]), str(answer.get("ETag", "")).strip('"'))
        return None

    def get(self, key: str) -> bytes:
        """A small object, whole."""
        with asking(f"read {key}"):
            answer = self._client.get_object(Bucket=self.account.bucket, Key=key)
            content: bytes = answer["Body"].read()
        if len(content) != answer["ContentLength"]:
            raise unreachable(f"read {key}", f"{len(content)} of {answer['ContentLength']} bytes came")
        return content

    @contextmanager
    def opened(self, key: str, first: int, size: int, etag: str = "") -> Iterator[Any]:
        """``size`` bytes from ``first`` on as a stream with ``read``; the answer is checked to be that range."""
        attempted = f"read bytes {first} to {first + size - 1} of {key}"
        condition = {"IfMatch": f'"{etag}"'} if etag and self.traits.conditional_reads else {}
        with asking(attempted):
            answer = self._client.get_object(
                Bucket=self.account.bucket, Key=key, Range=f"bytes={first}-{first + size - 1}", **condition
            )
            # Its own context manager would hand out what is below it, whose faults nobody translates.
            with closing(answer["Body"]) as stream:
                _check_range(answer, first, size, attempted)
                yield stream

    def delete(self, key: str) -> None:
        """Remove an object; nothing is said when there is none."""
        with suppress(StorageMissing), asking(f"delete {key}"):
            self._client.delete_object(Bucket=self.account.bucket, Key=key)

    def keys(self, prefix: str, after: str = "") -> Iterator[tuple[str, int]]:
        """Keys that begin so and their sizes, in order, a page at a time."""
        while True:
            with asking(f"list {prefix}*"):
                answer = self._page(prefix, after)
            found = [(str(each["Key"]), int(each["Size"])) for each in answer.get("Contents", ())]
            yield from found
            if not answer.get("IsTruncated") or not found:
                return
            after = found[-1][0]

    def uploads(self, prefix: str) -> Iterator[Unfinished]:
        """Multipart uploads that were not finished; none where the store does not tell."""
        marker: dict[str, str] = {}
        while self.traits.lists_uploads:
            with asking(f"list the unfinished uploads of {prefix}*"):
                answer = self._client.list_multipart_uploads(
                    Bucket=self.account.bucket, Prefix=prefix, MaxUploads=_PAGE, **marker
                )
            for each in answer.get("Uploads", ()):
                yield Unfinished(str(each["Key"]), str(each["UploadId"]), each["Initiated"].timestamp())
            if not answer.get("IsTruncated"):
                return
            marker = {"KeyMarker": answer["NextKeyMarker"], "UploadIdMarker": answer["NextUploadIdMarker"]}

    def parts(self, key: str, upload_id: str) -> dict[int, tuple[int, str]] | None:
        """Number to size and ETag of the parts that the store has; None where it does not tell."""
        if not self.traits.lists_uploads:
            return None
        found: dict[int, tuple[int, str]] = {}
        marker = 0
        while True:
            with asking(f"list the parts of {key}"):
                answer = self._client.list_parts(
                    Bucket=self.account.bucket, Key=key, UploadId=upload_id, PartNumberMarker=marker
                )
            for each in answer.get("Parts", ()):
                found[int(each["PartNumber"])] = (int(each["Size"]), str(each["ETag"]).strip('"'))
            if not answer.get("IsTruncated"):
                return found
            marker = int(answer["NextPartNumberMarker"])

    def hang_up(self) -> None:
        """End all requests that are under way, whatever they wait for; those that follow use new connections."""
        if self._line is not None:
            self._line.hang_up()

    def close(self) -> None:
        """Give all connections back."""
        if self._line is not None:
            self._line.close()

    @property
    def _client(self) -> Any:
        with self._lock:
            if self._line is None:
                self._line = Line(self.account, self._connections)
            return self._line.client

    def _page(self, prefix: str, after: str) -> Mapping[str, Any]:
        asked = {"Bucket": self.account.bucket, "Prefix": prefix, "MaxKeys": _PAGE}
        if self.traits.list_version == 1:
            answer: Mapping[str, Any] = self._client.list_objects(**asked, Marker=after)
        else:
            answer = self._client.list_objects_v2(**asked, StartAfter=after)
        return answer


def _member(answer: Mapping[str, Any], name: str, attempted: str) -> str:
    value = answer.get(name)
    if not value:
        raise strange(attempted, f"the store said yes, but gave no {name}")
    return str(value)


def _check_range(answer: Mapping[str, Any], first: int, size: int, attempted: str) -> None:
    """Some stores answer another range, or everything, without a word."""
    expected = f"bytes {first}-{first + size - 1}/"
    given = str(answer.get("ContentRange", ""))
    if not given.startswith(expected) or answer.get("ContentLength") != size:
        raise strange(attempted, f"the store gave {given or 'no range'}, {answer.get('ContentLength')} bytes")
