"""The parameters of console.*, and what is typed into a console."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Annotated, Any

from marshmallow import RAISE, Schema, ValidationError, fields, post_load

from chunter_nsq.errors import InvalidMessage
from chunter_nsq.messages.faults import SHOWN, told
from chunter_nsq.messages.fields import Flag, Text, Whole
from chunter_nsq.messages.shapes import ANY_OBJECT, TEXT, WHOLE, Shape, record

_SESSION = re.compile(r"[A-Za-z0-9_-]{1,36}")
SIDE = 1000


def is_session(text: str) -> bool:
    """Whether it can be the name of a session: a part of a topic's name."""
    return _SESSION.fullmatch(text) is not None


def Session() -> Text:  # noqa: N802 - reads as the field that it makes
    """The name of a console's session."""
    return Text(accepts=is_session, form="1 to 36 of A-Z a-z 0-9 _ -, such as a uuid", size_limit=36)


@dataclass(frozen=True, slots=True)
class ConsoleOpen:
    """The session's name, made by whoever opens it, and the size of the screen in characters."""

    session: Annotated[str, Session()]
    cols: Annotated[int, Whole(least=1, most=SIDE)] = 80
    rows: Annotated[int, Whole(least=1, most=SIDE)] = 24
    dry_run: Annotated[bool, Flag()] = False


@dataclass(frozen=True, slots=True)
class ConsoleClose:
    """The session to close."""

    session: Annotated[str, Session()]
    dry_run: Annotated[bool, Flag()] = False


@dataclass(frozen=True, slots=True)
class Resize:
    """A screen's size in characters."""

    cols: Annotated[int, Whole(least=1, most=SIDE)]
    rows: Annotated[int, Whole(least=1, most=SIDE)]


@dataclass(frozen=True, slots=True)
class Typed:
    """What somebody typed into a session's input topic: text, or bytes in base64; or the screen's new size.

    ``number`` grows from one to the next: what comes twice is taken once. Where commands are signed so is this, with
    ``session`` and ``number`` in it.
    """

    input: str = ""
    input_base64: bytes = b""
    resize: Resize | None = None
    session: str | None = None
    number: int | None = None


class _Keys(Text):
    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> str:
        del attr, data, kwargs
        if not isinstance(value, str):
            raise ValidationError("must be text")
        return value


class _Base64(Text):
    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> Any:
        del attr, data, kwargs
        try:
            return base64.b64decode(value, validate=True)
        except (TypeError, ValueError):
            raise ValidationError("must be base64") from None


class _ResizeForm(Schema):
    cols = Whole(least=1, most=SIDE, required=True)
    rows = Whole(least=1, most=SIDE, required=True)

    @post_load
    def _make(self, data: dict[str, Any], **_more: Any) -> Resize:
        return Resize(**data)


class _TypedForm(Schema):
    class Meta:
        unknown = RAISE

    input = _Keys()
    input_base64 = _Base64()
    resize = fields.Nested(_ResizeForm)
    session = Session()
    number = Whole(least=1)
    auth = fields.Dict()

    @post_load
    def _make(self, data: dict[str, Any], **_more: Any) -> Typed:
        return Typed(**{name: value for name, value in data.items() if name != "auth"})


_FORM = _TypedForm()
TYPED_SHAPE: Shape = record(
    optional={
        "input": TEXT,
        "input_base64": TEXT,
        "resize": record(cols=WHOLE, rows=WHOLE),
        "session": TEXT,
        "number": {**WHOLE, "minimum": 1},
        "auth": ANY_OBJECT,
    }
)


def typed(document: Mapping[str, Any]) -> Typed:
    """What a message of an input topic says; raises InvalidMessage with its faults."""
    try:
        made: Typed = _FORM.load(document)
    except ValidationError as fault:
        faults = list(islice(told(fault.messages, "$", _FORM.fields), SHOWN))
        sentence = "; ".join(f"{one['path']}: {one['message']}" for one in faults)
        raise InvalidMessage(f"this is nothing that can be typed: {sentence}", {"faults": faults}) from None
    return made
