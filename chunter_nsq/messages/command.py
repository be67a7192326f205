"""Bytes to a frozen command: all faults of a message at once, each with its place and its remedy.

``read`` tells four things apart: not a JSON object (``Unreadable``, a dead letter), a command with faults
(``Refused``, a rejection that its sender can find), a command for another host (None), and a ``Command``.
"""

from __future__ import annotations

import uuid as uuids
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from typing import Annotated, Any

from marshmallow import ValidationError

from chunter_nsq.actions import Action, Subject
from chunter_nsq.errors import Fault
from chunter_nsq.messages.faults import SHOWN, fault_of, told
from chunter_nsq.messages.fields import Document, Hosts, Id, Instant, Text, Topic, Uuid, is_traceparent
from chunter_nsq.messages.fields import is_id as _is_id
from chunter_nsq.messages.fields import is_topic as _is_topic
from chunter_nsq.messages.params import load, schema_of
from chunter_nsq.messages.reading import parse
from chunter_nsq.smartos import names

_NAMESPACE = uuids.UUID("6b1f3f0a-5d0c-5f5e-9a53-2d1c1f4f6c11")


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a message came from; ``derived_id`` names it when its sender did not."""

    topic: str
    nsqd: str
    message_id: str
    timestamp_ns: int
    body: bytes

    def derived_id(self) -> str:
        """The same for each delivery of the same message, and for no other message."""
        place = f"{self.nsqd} {self.topic} {self.message_id} {self.timestamp_ns} "
        return str(uuids.uuid5(_NAMESPACE, place + self.body.hex()))


@dataclass(frozen=True, slots=True)
class Addressee:
    """Who this host is, and on which topic it is addressed alone."""

    host: str
    alias: str
    prefix: str

    @property
    def command_topics(self) -> frozenset[str]:
        """The topics that this host reads."""
        return frozenset({f"{self.prefix}.command", f"{self.prefix}.command.{self.host}"})

    def is_command_topic(self, topic: str) -> bool:
        """Whether ``topic`` carries commands for any host."""
        return topic == f"{self.prefix}.command" or topic.startswith(f"{self.prefix}.command.")


class Refused(Exception):
    """A command that will not be run, with what is needed to tell its sender."""

    def __init__(self, command: str, action: str | None, uuid: str | None, reply_to: str | None, fault: Fault) -> None:
        super().__init__(fault.message)
        self.id = command
        self.action = action
        self.uuid = uuid
        self.reply_to = reply_to
        self.fault = fault


@dataclass(frozen=True, slots=True)
class Command:
    """A command that may be run.

    ``params`` is the frozen form of the action; ``document`` the message as it came, for the journal;
    ``resumed`` is when (epoch seconds) an earlier run of it began that was cut off.
    """

    id: str
    action: Action
    uuid: str | None
    params: Any
    reply_to: str | None
    expires: datetime | None
    traceparent: str | None
    document: Mapping[str, Any]
    resumed: float | None = field(default=None)

    @property
    def dry_run(self) -> bool:
        """Whether only a look is wanted."""
        return bool(getattr(self.params, "dry_run", False))


@dataclass(frozen=True, slots=True)
class Envelope:
    """The members of a command beside its parameters."""

    action: Annotated[str, Text(form="the name of an action", size_limit=128)]
    id: Annotated[str | None, Id()] = None
    uuid: Annotated[str | None, Uuid()] = None
    params: Annotated[Mapping[str, Any] | None, Document()] = None
    host: Annotated[tuple[str, ...] | None, Hosts()] = None
    reply_to: Annotated[str | None, Topic()] = None
    expires: Annotated[datetime | None, Instant()] = None
    traceparent: Annotated[str | None, Text(accepts=is_traceparent, form="a W3C traceparent", size_limit=128)] = None
    auth: Annotated[Mapping[str, Any] | None, Document()] = None


def read(origin: Origin, actions: Mapping[str, Action], addressee: Addressee) -> Command | None:
    """The command in a message, or None when it is for other hosts.

    Raises:
        Unreadable: when it is not a JSON object.
        Refused: when it is one with faults.
    """
    document = parse(origin.body)
    if origin.topic == f"{addressee.prefix}.command" and not _is_for(document.get("host"), addressee):
        return None
    return _checked(document, origin, actions, addressee)


def _envelope(document: Mapping[str, Any]) -> dict[str, Any]:
    """The members beside ``params``, checked.

    Only those that are there are looked at; the whole schema, which costs ten times as much, tells the faults.

    Raises:
        marshmallow.ValidationError: with the faults of every member.
    """
    fields = schema_of(Envelope).fields
    given = {name: value for name, value in document.items() if name != "params"}
    try:
        checked = {name: fields[name].deserialize(value, name, given) for name, value in given.items()}
    except (KeyError, ValidationError):
        checked = {}
    if "action" in checked:
        return checked
    loaded: dict[str, Any] = schema_of(Envelope).load(given)
    return loaded


def restore(document: dict[str, Any], record: Any, actions: Mapping[str, Action]) -> Command | None:
    """The command of a journalled message; None when this version cannot read it any more."""
    action = actions.get(record.action)
    try:
        envelope = _envelope(document)
        params = None if action is None else load(action.form, document.get("params", {}))
    except ValidationError:
        return None
    if action is None:
        return None
    return Command(
        record.id, action, envelope.get("uuid"), params, record.reply_to,
        envelope.get("expires"), record.traceparent, document,
    )  # fmt: skip


def _checked(document: dict[str, Any], origin: Origin, actions: Mapping[str, Action], addressee: Addressee) -> Command:
    faults: list[dict[str, str]] = []
    envelope: dict[str, Any] = {}
    try:
        envelope = _envelope(document)
    except ValidationError as fault:
        faults.extend(islice(told(fault.messages, "$", schema_of(Envelope).fields), SHOWN + 1))
        envelope = fault.valid_data if isinstance(fault.valid_data, dict) else {}
    name = document.get("action")
    action = actions.get(name) if isinstance(name, str) else None
    params = None
    if action is not None:
        params, more = _params(action, document.get("params", {}))
        faults.extend(more)
        faults.extend(_subject_faults(action, document))
    faults.extend(_address_faults(envelope, addressee))
    if faults or action is None:
        raise _refusal(document, origin, addressee, fault_of(name, faults, actions))
    return Command(
        id=envelope.get("id") or origin.derived_id(),
        action=action,
        uuid=envelope.get("uuid"),
        params=params,
        reply_to=envelope.get("reply_to"),
        expires=envelope.get("expires"),
        traceparent=envelope.get("traceparent"),
        document=document,
    )


def _params(action: Action, given: Any) -> tuple[Any, list[dict[str, str]]]:
    if not isinstance(given, dict):
        return None, [{"path": "$.params", "message": "must be a JSON object"}]
    try:
        return load(action.form, given), []
    except ValidationError as fault:
        return None, list(islice(told(fault.messages, "$.params", schema_of(action.form).fields), SHOWN + 1))


def _subject_faults(action: Action, document: Mapping[str, Any]) -> Iterator[dict[str, str]]:
    if action.subject is Subject.REQUIRED and "uuid" not in document:
        yield {"path": "$.uuid", "message": f"{action.name} needs the uuid of a VM"}
    if action.subject is Subject.NONE and "uuid" in document:
        yield {"path": "$.uuid", "message": f"{action.name} takes no uuid"}


def _address_faults(envelope: Mapping[str, Any], addressee: Addressee) -> Iterator[dict[str, str]]:
    reply_to = envelope.get("reply_to")
    if reply_to is not None and addressee.is_command_topic(reply_to):
        yield {"path": "$.reply_to", "message": "must not be a command topic"}
    if envelope.get("host") is not None and not _is_for(list(envelope["host"]), addressee):
        yield {"path": "$.host", "message": f"this is host {addressee.host} ({addressee.alias})"}


def _is_for(host: Any, addressee: Addressee) -> bool:
    listed = host if isinstance(host, list) else [host]
    return any(one in ("*", addressee.host, addressee.alias) for one in listed if isinstance(one, str) and one)


def _refusal(document: Mapping[str, Any], origin: Origin, addressee: Addressee, fault: Fault) -> Refused:
    """What its sender needs to find the refusal, as far as those members are good themselves."""
    given, action, uuid, reply_to = (document.get(name) for name in ("id", "action", "uuid", "reply_to"))
    is_answerable = isinstance(reply_to, str) and _is_topic(reply_to) and not addressee.is_command_topic(reply_to)
    return Refused(
        given if isinstance(given, str) and _is_id(given) else origin.derived_id(),
        action[:128] if isinstance(action, str) else None,
        uuid if isinstance(uuid, str) and names.is_uuid(uuid) else None,
        reply_to if is_answerable else None,
        fault,
    )
