"""Strict marshmallow fields: JSON types are not guessed at, because a guess can stop the wrong machine."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from marshmallow import ValidationError, fields

from chunter_nsq.messages.shapes import ANY_OBJECT, FLAG, TEXT, TIME, WHOLE, Shape, many
from chunter_nsq.smartos import names

TOPIC_SIZE_LIMIT = 64
ID_SIZE_LIMIT = 128
_ID = re.compile(r"[!-~]{1,128}")
_TRACEPARENT = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}(-.*)?", re.ASCII)
_INSTANT = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)", re.ASCII)
_TOPIC = re.compile(r"[.a-zA-Z0-9_-]+(#ephemeral)?")


class Flag(fields.Field[bool]):
    """``true`` or ``false``; neither ``1`` nor ``"yes"``."""

    @property
    def shape(self) -> Shape:
        """Its JSON Schema."""
        return FLAG

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> bool:
        del attr, data, kwargs
        if isinstance(value, bool):
            return value
        raise ValidationError("must be true or false")


class Whole(fields.Field[int]):
    """A whole number between ``least`` and ``most``, both included."""

    def __init__(self, *, least: int = 0, most: int = 2**53 - 1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.least = least
        self.most = most

    @property
    def shape(self) -> Shape:
        """Its JSON Schema."""
        return {**WHOLE, "minimum": self.least, "maximum": self.most}

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> int:
        del attr, data, kwargs
        if isinstance(value, bool) or not isinstance(value, int):
            raise ValidationError("must be a whole number")
        if not self.least <= value <= self.most:
            raise ValidationError(f"must be between {self.least} and {self.most}")
        return value


class Text(fields.Field[str]):
    """Text that ``accepts`` takes; ``form`` says in words what that is."""

    def __init__(
        self,
        *,
        accepts: Callable[[str], bool] = bool,
        form: str = "text that is not empty",
        size_limit: int = 1024,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.accepts = accepts
        self.form = form
        self.size_limit = size_limit

    @property
    def shape(self) -> Shape:
        """Its JSON Schema."""
        return {**TEXT, "minLength": 1, "maxLength": self.size_limit, "description": self.form}

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> str:
        del attr, data, kwargs
        if not isinstance(value, str) or len(value) > self.size_limit or not self.accepts(value):
            raise ValidationError(f"must be {self.form}")
        return value


class Texts(fields.Field[tuple[str, ...]]):
    """A list of texts, each of the form of ``item``."""

    def __init__(self, item: Text, *, most: int = 1000, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.item = item
        self.most = most

    @property
    def shape(self) -> Shape:
        """Its JSON Schema."""
        return {**many(self.item.shape), "minItems": 1, "maxItems": self.most}

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any
    ) -> tuple[str, ...]:
        if not isinstance(value, list) or not 1 <= len(value) <= self.most:
            raise ValidationError(f"must be a list of 1 to {self.most} texts")
        found: list[str] = []
        faults: dict[int, list[str]] = {}
        for index, one in enumerate(value):
            try:
                found.append(self.item.deserialize(one, attr, data, **kwargs))
            except ValidationError as fault:
                faults[index] = [str(message) for message in fault.messages]
        if faults:
            raise ValidationError(faults)
        return tuple(found)


class Document(fields.Field[Mapping[str, Any]]):
    """A JSON object that a platform tool validates, handed on whole."""

    @property
    def shape(self) -> Shape:
        """Its JSON Schema."""
        return {**ANY_OBJECT, "minProperties": 1}

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any
    ) -> Mapping[str, Any]:
        del attr, data, kwargs
        if isinstance(value, dict) and value:
            return value
        raise ValidationError("must be a JSON object that is not empty")


class Instant(fields.Field[datetime]):
    """An RFC 3339 time with its zone, such as ``2026-11-22T10:00:00Z``."""

    @property
    def shape(self) -> Shape:
        """Its JSON Schema."""
        return TIME

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> datetime:
        del attr, data, kwargs
        try:
            if _INSTANT.fullmatch(value):
                return datetime.fromisoformat(value.upper())
        except (TypeError, ValueError):
            pass
        raise ValidationError("must be a time with its zone, such as 2026-11-22T10:00:00Z")


class Hosts(fields.Field[tuple[str, ...]]):
    """A host id, an alias, ``"*"``, or a list of those."""

    @property
    def shape(self) -> Shape:
        """Its JSON Schema."""
        return {"oneOf": [TEXT, {**many(TEXT), "minItems": 1}]}

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any
    ) -> tuple[str, ...]:
        del attr, data, kwargs
        listed = value if isinstance(value, list) else [value]
        if listed and all(isinstance(one, str) and 0 < len(one) <= ID_SIZE_LIMIT for one in listed):
            return tuple(listed)
        raise ValidationError('must be a host id, an alias, "*", or a list of those')


def is_id(text: str) -> bool:
    """Whether ``text`` is 1 to 128 printable ASCII characters without blanks."""
    return _ID.fullmatch(text) is not None


def is_topic(text: str) -> bool:
    """Whether ``text`` is a topic name to nsqd."""
    return len(text) <= TOPIC_SIZE_LIMIT and _TOPIC.fullmatch(text) is not None


def is_traceparent(text: str) -> bool:
    """Whether ``text`` is a W3C trace context."""
    return _TRACEPARENT.fullmatch(text) is not None


def Id(**kwargs: Any) -> Text:  # noqa: N802 - reads as the field that it makes
    """A command id."""
    return Text(
        accepts=is_id, form="1 to 128 printable ASCII characters without blanks", size_limit=ID_SIZE_LIMIT, **kwargs
    )


def Uuid(**kwargs: Any) -> Text:  # noqa: N802 - reads as the field that it makes
    """A VM or image uuid."""
    return Text(accepts=names.is_uuid, form="a lowercase uuid of the form 8-4-4-4-12", **kwargs)


def SnapshotName(**kwargs: Any) -> Text:  # noqa: N802 - reads as the field that it makes
    """A snapshot id."""
    return Text(accepts=names.is_snapshot, form="1 to 128 of A-Z a-z 0-9 _ . : - and not begin with a dash", **kwargs)


def Topic(**kwargs: Any) -> Text:  # noqa: N802 - reads as the field that it makes
    """An NSQ topic name."""
    return Text(accepts=is_topic, form="a topic name: 1 to 64 of . a-z A-Z 0-9 _ -", **kwargs)


def Path(**kwargs: Any) -> Text:  # noqa: N802 - reads as the field that it makes
    """An absolute path on the host."""
    return Text(
        accepts=names.is_host_path, form="an absolute path of A-Z a-z 0-9 _ . / - that does not climb", **kwargs
    )
