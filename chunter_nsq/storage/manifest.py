"""What a backup is: one document, written last; nothing without one counts as a backup.

Version 1 is JSON: version, vm, host, snapshot and parent (name and GUID of each dataset's snapshot), files (key,
dataset, size, raw_size, raw_sha256, sha1, sha256, codec, segments, parts), send_flags, config, created, finished,
agent_version, and sha256: the hash of the document itself without that member, canonical (keys sorted, no spaces,
UTF-8). Members that are not known here are left alone, so that later versions can add some.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, ClassVar

from marshmallow import EXCLUDE, Schema, ValidationError, fields, post_load, validate, validates_schema

from chunter_nsq.errors import ChecksumMismatch, StorageFailed

VERSION = 1
SUFFIX = ".manifest.json"
_NAME = re.compile(r"(?!-)[A-Za-z0-9_.:-]{1,128}")
_VM = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_HEX = {length: validate.Regexp(rf"\A[0-9a-f]{{{length}}}\Z") for length in (32, 40, 64)}


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A snapshot's own name, and its GUID in each dataset."""

    name: str
    guids: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class StoredPart:
    """``size`` bytes of what is stored, and their hashes."""

    size: int
    md5: str
    sha256: str


@dataclass(frozen=True, slots=True)
class StoredSegment:
    """One object: its key, size, ETag, and how many of the file's parts it holds."""

    key: str
    size: int
    etag: str
    parts: int


@dataclass(frozen=True, slots=True)
class File:
    """One stream, or the zone's XML (``dataset`` None then); sizes in bytes, hashes in hex."""

    key: str
    dataset: str | None
    size: int
    raw_size: int
    raw_sha256: str
    sha1: str
    sha256: str
    codec: str
    segments: tuple[StoredSegment, ...]
    parts: tuple[StoredPart, ...]


@dataclass(frozen=True, slots=True)
class Manifest:
    """One backup; times are RFC 3339, ``config`` is what the VM was made of."""

    vm: str
    host: str
    snapshot: Snapshot
    parent: Snapshot | None
    files: tuple[File, ...]
    send_flags: tuple[str, ...]
    config: Mapping[str, Any]
    created: str
    finished: str
    agent_version: str
    version: int = field(default=VERSION)

    SUFFIX: ClassVar[str] = SUFFIX

    @property
    def key(self) -> str:
        """Where it is stored."""
        return manifest_key(self.vm, self.snapshot.name)

    @property
    def keys(self) -> tuple[str, ...]:
        """Every object that it names, without its own."""
        return tuple(segment.key for file in self.files for segment in file.segments)

    @property
    def size(self) -> int:
        """Bytes in the store."""
        return sum(file.size for file in self.files)

    def encoded(self) -> bytes:
        """The document; one line."""
        document = asdict(self)
        document["sha256"] = _digest(document)
        return json.dumps(document, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()


def manifest_key(vm: str, snapshot: str) -> str:
    """Where the manifest of a backup is stored."""
    return f"{vm}/{snapshot}{SUFFIX}"


def decoded(content: bytes, key: str) -> Manifest:
    """The manifest in an object.

    Raises:
        ChecksumMismatch: it was changed since it was written.
        StorageFailed: it is no manifest, or one of a version that is not known here.
    """
    try:
        document = json.loads(content)
        made = _read(document)
    except ValidationError as fault:
        raise _unreadable(key, str(fault)) from fault
    except (ValueError, TypeError, KeyError, RecursionError) as fault:
        raise _unreadable(key, f"{type(fault).__name__}: {fault}") from fault
    if document.get("sha256") != _digest(document):
        raise ChecksumMismatch(f"{key} was changed since it was written", {"key": key})
    if made.key != key:
        raise _unreadable(key, f"it is about {made.key}")
    return made


def _read(document: Any) -> Manifest:
    if isinstance(document, dict) and document.get("version") != VERSION:
        raise ValidationError(f"version {document.get('version')!r} is not known here; a newer agent may read it")
    made: Manifest = _Manifest().load(document)
    return made


def _digest(document: Mapping[str, Any]) -> str:
    bare = {name: value for name, value in document.items() if name != "sha256"}
    return hashlib.sha256(
        json.dumps(bare, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()
    ).hexdigest()


def _unreadable(key: str, why: str) -> StorageFailed:
    return StorageFailed(f"cannot read the manifest {key}: {why}", {"key": key, "reason": "manifest"})


class _Form(Schema):
    """Everything is required unless it says otherwise; what is not known is left alone."""

    makes: ClassVar[type[Any]]

    class Meta:
        unknown = EXCLUDE

    @post_load
    def _make(self, data: dict[str, Any], **_more: Any) -> Any:
        given = {name: tuple(value) if isinstance(value, list) else value for name, value in data.items()}
        return self.makes(**given)


def _size() -> fields.Integer:
    return fields.Integer(required=True, strict=True, validate=validate.Range(min=0))


def _hex(length: int) -> fields.String:
    return fields.String(required=True, validate=_HEX[length])


def _text() -> fields.String:
    return fields.String(required=True, validate=validate.Length(min=1, max=1024))


class _Snapshot(_Form):
    makes = Snapshot
    name = fields.String(required=True, validate=validate.Regexp(_NAME.pattern + r"\Z"))
    guids = fields.Dict(keys=fields.String(), values=fields.String(), required=True)


class _Part(_Form):
    makes = StoredPart
    size = _size()
    md5 = _hex(32)
    sha256 = _hex(64)


class _Segment(_Form):
    makes = StoredSegment
    key = _text()
    size = _size()
    etag = fields.String(required=True)
    parts = _size()


class _File(_Form):
    makes = File
    key = _text()
    dataset = fields.String(required=True, allow_none=True)
    size = _size()
    raw_size = _size()
    raw_sha256 = _hex(64)
    sha1 = _hex(40)
    sha256 = _hex(64)
    codec = fields.String(required=True, validate=validate.OneOf(("gzip", "zstd", "none")))
    segments = fields.List(fields.Nested(_Segment), required=True)
    parts = fields.List(fields.Nested(_Part), required=True)

    @validates_schema
    def _adds_up(self, data: dict[str, Any], **_more: Any) -> None:
        sizes = sum(segment.size for segment in data["segments"]), sum(part.size for part in data["parts"])
        if sizes != (data["size"], data["size"]) or sum(one.parts for one in data["segments"]) != len(data["parts"]):
            raise ValidationError("segments and parts do not add up to the file")


class _Manifest(_Form):
    makes = Manifest
    version = fields.Integer(required=True, strict=True)
    vm = fields.String(required=True, validate=validate.Regexp(_VM.pattern + r"\Z"))
    host = _text()
    snapshot = fields.Nested(_Snapshot, required=True)
    parent = fields.Nested(_Snapshot, required=True, allow_none=True)
    files = fields.List(fields.Nested(_File), required=True)
    send_flags = fields.List(fields.String(), required=True)
    config = fields.Dict(keys=fields.String(), required=True)
    created = _text()
    finished = _text()
    agent_version = _text()
