"""The parameters of backup.*."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar

from marshmallow import ValidationError, fields

from chunter_nsq.errors import InvalidMessage
from chunter_nsq.messages.fields import Flag, SnapshotName, Text, Texts, Uuid, Whole
from chunter_nsq.messages.shapes import FLAG, TEXT, Shape, record
from chunter_nsq.messages.withheld import SECRET_MEMBERS, WITHHELD
from chunter_nsq.storage.account import Account
from chunter_nsq.storage.profiles import PROFILES

_SHA1 = re.compile(r"[0-9a-fA-F]{40}")
_RULES = ("last", "daily", "weekly", "monthly")
_MOST = 100_000


@dataclass(frozen=True, slots=True)
class Given:
    """What a command says of the store; the keys in it are not shown."""

    document: Mapping[str, Any] = field(repr=False)

    @property
    def is_withheld(self) -> bool:
        """Whether there were keys, which an agent that has ended took with it."""
        return any(self.document.get(name) == WITHHELD for name in SECRET_MEMBERS)


class Store(fields.Field[Given]):
    """A JSON object with what is another than in the configuration.

    ``endpoint``, ``bucket``, ``access_key`` and ``secret_key`` (both), ``session_token``, ``region``, ``profile``,
    ``path_style``, ``ca_file``.
    """

    @property
    def members(self) -> dict[str, Shape]:
        """Their shapes, by their names."""
        text = {**TEXT, "minLength": 1}
        named: dict[str, Shape] = dict.fromkeys(("bucket", *SECRET_MEMBERS, "region", "ca_file"), text)
        named["endpoint"] = {**text, "pattern": "^https?://"}
        named["profile"] = {**TEXT, "enum": list(PROFILES)}
        named["path_style"] = FLAG
        return named

    @property
    def shape(self) -> Shape:
        """Its JSON Schema."""
        together = {"access_key": ["secret_key"], "secret_key": ["access_key"]}
        return {**record(optional=self.members), "minProperties": 1, "dependentRequired": together}

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> Given:
        del attr, data, kwargs
        if not isinstance(value, dict) or not value:
            raise ValidationError("must be a JSON object that is not empty")
        faults: dict[str | None, list[str]] = {name: ["Unknown field."] for name in value if name not in self.members}
        try:
            Account(endpoint="", bucket="").instead({name: one for name, one in value.items() if name not in faults})
        except InvalidMessage as fault:
            faults |= _placed(fault.details["faults"])
        if faults:
            raise ValidationError(faults)
        return Given(value)


def _placed(faults: list[str]) -> dict[str | None, list[str]]:
    """What an account says of ``s3.MEMBER``, by the member; what it says of all of them, by None."""
    split = (one.partition(": ") for one in faults)
    return {place.partition(".")[2] or None: [message] for place, _, message in split}


class Keep(fields.Field[Mapping[str, int]]):
    """A JSON object: how many to keep, ``last``, ``daily``, ``weekly`` and ``monthly``; not nothing at all."""

    members: ClassVar[dict[str, Shape]] = {name: {"type": "integer", "minimum": 0, "maximum": _MOST} for name in _RULES}

    @property
    def shape(self) -> Shape:
        """Its JSON Schema."""
        some = [{"required": [name], "properties": {name: {"minimum": 1}}} for name in _RULES]
        return {**record(optional=self.members), "anyOf": some}

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any
    ) -> Mapping[str, int]:
        del attr, data, kwargs
        if not isinstance(value, dict):
            raise ValidationError("must be a JSON object")
        faults = {name: ["Unknown field."] for name in value if name not in _RULES}
        faults |= {
            name: [f"must be a whole number, 0 to {_MOST}"]
            for name in _RULES
            if name in value and not (type(value[name]) is int and 0 <= value[name] <= _MOST)
        }
        if faults:
            raise ValidationError(faults)
        if not any(value.values()):
            raise ValidationError("keeps nothing at all")
        return value


class Sums(fields.Field[Mapping[str, str]]):
    """A JSON object: keys of objects, and the SHA-1 of each in hex."""

    @property
    def shape(self) -> Shape:
        """Its JSON Schema."""
        return {
            "type": "object",
            "additionalProperties": {**TEXT, "pattern": "^[0-9a-fA-F]{40}$"},
            "minProperties": 1,
            "maxProperties": 1000,
        }

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any
    ) -> Mapping[str, str]:
        del attr, data, kwargs
        if not isinstance(value, dict) or not 1 <= len(value) <= 1000:  # noqa: PLR2004 - as in the shape
            raise ValidationError("must be a JSON object of 1 to 1000 members")
        if not all(isinstance(one, str) and _SHA1.fullmatch(one) for one in value.values()):
            raise ValidationError("must have 40 hexadecimal digits in each member")
        return value


def Choice(*words: str) -> Text:  # noqa: N802 - reads as the field that it makes
    """One of some words."""
    return _Choice(accepts=lambda text: text in words, form=f"one of {', '.join(words)}", words=words)


class _Choice(Text):
    def __init__(self, *, words: tuple[str, ...], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.words = words

    @property
    def shape(self) -> Shape:
        """Its JSON Schema."""
        return {**TEXT, "enum": list(self.words)}


@dataclass(frozen=True, slots=True)
class BackupCreate:
    """The snapshot to store; only what changed since ``parent``, when that is given.

    ``create``: make the snapshot; left out, when it is not there. ``xml``: store the zone's configuration too.
    ``delete``: what may go from this host once the backup is proven.
    """

    snapshot: Annotated[str, SnapshotName()]
    parent: Annotated[str | None, SnapshotName()] = None
    create: Annotated[bool | None, Flag()] = None
    xml: Annotated[bool, Flag()] = True
    delete: Annotated[str, Choice("none", "snapshot", "parent", "both")] = "none"
    s3: Annotated[Given | None, Store()] = None
    dry_run: Annotated[bool, Flag()] = False


@dataclass(frozen=True, slots=True)
class BackupRestore:
    """The backup to return to; as another machine with ``as_uuid``.

    ``force`` gives up a backup of this machine that is being uploaded; without it the restore waits for that.
    Backups without manifests, as the first chunter made them, have their ``parents`` (oldest first) told here, and the
    ``sha1`` of each object where that is known.
    """

    snapshot: Annotated[str, SnapshotName()]
    as_uuid: Annotated[str | None, Uuid()] = None
    parents: Annotated[tuple[str, ...], Texts(SnapshotName())] = ()
    sha1: Annotated[Mapping[str, str] | None, Sums()] = None
    force: Annotated[bool, Flag()] = False
    s3: Annotated[Given | None, Store()] = None
    dry_run: Annotated[bool, Flag()] = False


@dataclass(frozen=True, slots=True)
class BackupList:
    """Backups behind the key ``after``, at most ``limit`` of them."""

    after: Annotated[str | None, Text(size_limit=1024)] = None
    limit: Annotated[int, Whole(least=1, most=1000)] = 1000
    s3: Annotated[Given | None, Store()] = None


@dataclass(frozen=True, slots=True)
class BackupVerify:
    """How closely to look: are the objects there, is every byte right, is it a stream, can it be received."""

    snapshot: Annotated[str, SnapshotName()]
    level: Annotated[str, Choice("catalogue", "hash", "stream", "restore")] = "hash"
    s3: Annotated[Given | None, Store()] = None


@dataclass(frozen=True, slots=True)
class BackupDelete:
    """What is to go: the snapshot on this host, the backup in the store, or both; ``force`` with all that need it."""

    snapshot: Annotated[str, SnapshotName()]
    where: Annotated[str, Choice("local", "remote", "both")] = "local"
    force: Annotated[bool, Flag()] = False
    s3: Annotated[Given | None, Store()] = None
    dry_run: Annotated[bool, Flag()] = False


@dataclass(frozen=True, slots=True)
class BackupPrune:
    """Which backups in the store to keep; what those need is kept as well."""

    keep: Annotated[Mapping[str, int], Keep()]
    s3: Annotated[Given | None, Store()] = None
    dry_run: Annotated[bool, Flag()] = False
