"""Whether a store keeps what it is given: a small object in two parts, up, looked at, back, compared and removed."""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from chunter_nsq.errors import Fault
from chunter_nsq.storage.body import Body
from chunter_nsq.storage.bucket import Bucket
from chunter_nsq.storage.members import packed
from chunter_nsq.storage.multipart import is_made_of
from chunter_nsq.storage.profiles import MIB
from chunter_nsq.storage.state import Part, Segment

PREFIX = "chunter-probe/"
_PART_BYTES = 5 * MIB
_REST_BYTES = 64 * 1024
_BORDER_BYTES = 1000


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at; ``fault`` says what is wrong and what follows from it, empty when all is well."""

    what: str
    fault: str = ""


@dataclass(frozen=True, slots=True)
class Probe:
    """``seconds`` for all of it, which moved 15 MiB or so."""

    findings: tuple[Finding, ...]
    seconds: float

    @property
    def good(self) -> bool:
        """Whether backups can be trusted to this store."""
        return not any(finding.fault for finding in self.findings)


def probe(bucket: Bucket) -> Probe:
    """Try a store; never raises what the store did wrong, it is among the findings."""
    begun = time.monotonic()
    key = f"{PREFIX}{secrets.token_hex(8)}"
    findings = tuple(_findings(bucket, key))
    return Probe(findings, time.monotonic() - begun)


def _findings(bucket: Bucket, key: str) -> Iterator[Finding]:
    # It looks like gzip, as backups do: some stores and caches unpack that when they hand it out.
    content = packed(memoryview(os.urandom(_PART_BYTES + _REST_BYTES)), 1)
    parts = {1: content[:_PART_BYTES], 2: content[_PART_BYTES:]}
    upload_id = ""
    try:
        upload_id, etags = bucket.create_upload(key)
        yield Finding("begins a multipart upload")
        known = {
            n: Part(len(part), Body(part).md5, "", bucket.put_part(key, upload_id, n, Body(part)))
            for n, part in parts.items()
        }
        yield _etags(known, etags=etags)
        bucket.complete(key, upload_id, {n: part.etag for n, part in known.items()})
        yield Finding("completes it")
        yield _head(bucket, Segment(key, upload_id, known), etags=etags)
        yield _same("gives back what it was given", lambda: bucket.get(key), content)
        yield _same("reads ranges across parts", lambda: _border(bucket, key), _around(content))
        yield _listed(bucket, key)
    except Fault as fault:
        yield Finding("does what it is asked to", fault.message)
    finally:
        if upload_id:  # else nothing came into being that could be removed
            yield from _removed(bucket, key, upload_id)


def _etags(known: dict[int, Part], *, etags: bool) -> Finding:
    odd = [n for n, part in known.items() if etags and part.etag != part.md5]
    fault = (
        "the ETag of a part is not its MD5: the store changes what it is given, or s3.profile is wrong" if odd else ""
    )
    return Finding("keeps parts as they are sent", fault)


def _head(bucket: Bucket, segment: Segment, *, etags: bool) -> Finding:
    head = bucket.head(segment.key)
    fault = ""
    if head is None:
        fault = "it is not there although it was completed"
    elif head.size != segment.size:
        fault = f"it has {head.size} bytes instead of {segment.size}: the store keeps more or less than it is given"
    elif not is_made_of(head, segment, strict=etags and bucket.traits.names_multipart):
        fault = f"its ETag is {head.etag} instead of {segment.multipart_etag()}: s3.profile is wrong"
    return Finding("has it whole", fault)


def _same(what: str, read: Callable[[], bytes], expected: bytes) -> Finding:
    try:
        found = read()
    except Fault as fault:
        return Finding(what, fault.message)
    if found == expected:
        return Finding(what)
    return Finding(what, f"{len(found)} bytes came back that are not the {len(expected)} that were stored")


def _border(bucket: Bucket, key: str) -> bytes:
    with bucket.opened(key, _PART_BYTES - _BORDER_BYTES, 2 * _BORDER_BYTES) as stream:
        content: bytes = stream.read()
        return content


def _around(content: bytes) -> bytes:
    return content[_PART_BYTES - _BORDER_BYTES : _PART_BYTES + _BORDER_BYTES]


def _listed(bucket: Bucket, key: str) -> Finding:
    there = any(each == key for each, _size in bucket.keys(key))
    return Finding("lists it", "" if there else "it is not in the list although it is there")


def _removed(bucket: Bucket, key: str, upload_id: str) -> Iterator[Finding]:
    try:
        bucket.abort(key, upload_id)
        bucket.delete(key)
        left = bucket.head(key) is not None
        yield Finding("deletes it", "it is still there" if left else "")
    except Fault as fault:
        yield Finding("deletes it", fault.message)
