"""Bytes to a frozen command: all faults of a message at once, each with its place and its remedy.

``read`` tells four things apart: not a JSON object (``Unreadable``, a dead letter), a command with faults
(``Refused``, a rejection that its sender can find), a command for another host (None), and a ``Command``.
"""

from __future__ import annotations

import difflib
import json
import math
import uuid as uuids
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Any

from marshmallow import ValidationError

from chunter_nsq.actions import Action, Subject
from chunter_nsq.errors import Fault, InvalidMessage, UnknownAction
from chunter_nsq.messages.fields import Document, Hosts, Id, Instant, Text, Topic, Uuid
from chunter_nsq.messages.fields import is_id as _is_id
from chunter_nsq.messages.fields import is_topic as _is_topic
from chunter_nsq.messages.params import load, schema_of
from chunter_nsq.smartos import names

_NAMESPACE = uuids.UUID("6b1f3f0a-5d0c-5f5e-9a53-2d1c1f4f6c11")
_DEPTH_LIMIT = 64
_FAULTS_SHOWN = 50


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


class Unreadable(Exception):
    """Not a JSON object; the text says why."""


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


@dataclass(frozen=True, slots=True)
class Refused(Exception):
    """A command that will not be run, with what is needed to tell its sender."""

    id: str
    action: str | None
    uuid: str | None
    reply_to: str | None
    fault: Fault


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
    traceparent: Annotated[str | None, Text(accepts=_is_id, form="a W3C traceparent")] = None
    auth: Annotated[Mapping[str, Any] | None, Document()] = None


def parse(body: bytes) -> dict[str, Any]:
    """The JSON object in ``body``.

    Raises:
        Unreadable: not UTF-8, not JSON, not an object, a member twice, nested too deep, or text that is not Unicode.
    """
    try:
        text = body.decode("utf-8")
        document = json.loads(text, parse_constant=_no_constant, parse_float=_float, object_pairs_hook=_object)
    except UnicodeDecodeError as fault:
        raise Unreadable(f"not UTF-8 at byte {fault.start}") from None
    except RecursionError:
        raise Unreadable("nested too deep") from None
    except ValueError as fault:
        raise Unreadable(f"not JSON: {fault}") from None
    if not isinstance(document, dict):
        raise Unreadable("JSON, but not an object")
    if text.count("{") + text.count("[") > _DEPTH_LIMIT and _deeper_than(document, _DEPTH_LIMIT):
        raise Unreadable(f"nested more than {_DEPTH_LIMIT} deep")
    if "\\ud" in text.lower():
        try:
            json.dumps(document, ensure_ascii=False).encode("utf-8")
        except UnicodeEncodeError:
            raise Unreadable("a text in it has a lone surrogate, which is not Unicode") from None
    return document


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


def restore(document: dict[str, Any], record: Any, actions: Mapping[str, Action]) -> Command | None:
    """The command of a journalled message; None when this version cannot read it any more."""
    action = actions.get(record.action)
    try:
        envelope = schema_of(Envelope).load({k: v for k, v in document.items() if k != "params"})
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
        envelope = schema_of(Envelope).load({k: v for k, v in document.items() if k != "params"})
    except ValidationError as fault:
        faults.extend(_flat(fault.messages, "$", schema_of(Envelope).fields))
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
        raise _refusal(document, origin, addressee, _fault(name, faults, actions))
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
        return None, list(_flat(fault.messages, "$.params", schema_of(action.form).fields))


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


def _fault(name: Any, faults: list[dict[str, str]], actions: Mapping[str, Action]) -> Fault:
    if isinstance(name, str) and name and name not in actions and not faults:
        near = difflib.get_close_matches(name, actions, n=1)
        hint = f"; did you mean {near[0]}?" if near else "; host.info lists what there is"
        return UnknownAction(f"There is no action {name[:128]!r} here{hint}", {"action": name[:128]})
    shown = faults[:_FAULTS_SHOWN]
    told = "; ".join(f"{fault['path']}: {fault['message']}" for fault in faults[:5])
    more = f" (and {len(faults) - 5} more)" if len(faults) > 5 else ""  # noqa: PLR2004 - what fits a sentence
    return InvalidMessage(f"The command was not run: {told}{more}", {"faults": shown, "count": len(faults)})


def _refusal(document: Mapping[str, Any], origin: Origin, addressee: Addressee, fault: Fault) -> Refused:
    """What its sender needs to find the refusal, as far as those members are good themselves."""
    given, action, uuid, reply_to = (document.get(name) for name in ("id", "action", "uuid", "reply_to"))
    is_answerable = isinstance(reply_to, str) and _is_topic(reply_to) and not addressee.is_command_topic(reply_to)
    return Refused(
        id=given if isinstance(given, str) and _is_id(given) else origin.derived_id(),
        action=action[:128] if isinstance(action, str) else None,
        uuid=uuid if isinstance(uuid, str) and names.is_uuid(uuid) else None,
        reply_to=reply_to if is_answerable else None,
        fault=fault,
    )


def _flat(messages: Any, path: str, known: Mapping[str, Any]) -> Iterator[dict[str, str]]:
    if isinstance(messages, dict):
        for key, inner in messages.items():
            place = f"{path}[{key}]" if isinstance(key, int) else f"{path}.{key}"
            yield from _flat(inner, place, known)
        return
    for message in messages if isinstance(messages, list) else [messages]:
        text = str(message)
        member = path.rpartition(".")[2]
        if text == "Unknown field.":
            members = [one.data_key or name for name, one in known.items()]
            near = difflib.get_close_matches(member, members, n=1)
            text = (
                f"unknown member; did you mean {near[0]}?" if near else f"unknown member; known: {', '.join(members)}"
            )
        elif text == "Missing data for required field.":
            text = "is required"
        elif text == "Field may not be null.":
            text = "must not be null; leave it out instead"
        yield {"path": path[:256], "message": text}


def _deeper_than(document: Any, limit: int) -> bool:
    level = [document]
    for _ in range(limit):
        level = [
            inner
            for one in level
            if isinstance(one, dict | list)
            for inner in (one.values() if isinstance(one, dict) else one)
        ]
        if not level:
            return False
    return True


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        counts = Counter(name for name, _ in pairs)
        raise ValueError(f"the member {counts.most_common(1)[0][0][:64]!r} stands twice")
    return found


def _float(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise ValueError(f"the number {text[:32]} is beyond all bounds")
    return number


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")
