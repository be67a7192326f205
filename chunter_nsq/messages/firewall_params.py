"""The parameters of firewall.*."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from marshmallow import ValidationError, fields

from chunter_nsq.messages.fields import Flag, Uuid
from chunter_nsq.messages.shapes import ANY_OBJECT, TEXT, Shape, many

MOST_RULES = 1000
TEXT_SIZE_LIMIT = 8192


class Rules(fields.Field[tuple[str | Mapping[str, Any], ...]]):
    """A list of rules, each in FiFo's form or a text as fwadm takes it; it may be empty."""

    @property
    def shape(self) -> Shape:
        """Its JSON Schema."""
        text = {**TEXT, "minLength": 1, "maxLength": TEXT_SIZE_LIMIT, "description": "a rule as fwadm takes it"}
        form = {**ANY_OBJECT, "minProperties": 1, "description": "a rule in FiFo's form"}
        return {**many({"oneOf": [text, form]}), "maxItems": MOST_RULES}

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any
    ) -> tuple[str | Mapping[str, Any], ...]:
        del attr, data, kwargs
        if not isinstance(value, list) or len(value) > MOST_RULES:
            raise ValidationError(f"must be a list of at most {MOST_RULES} rules")
        faults = {
            index: ["must be a rule: an object, or a text as fwadm takes it"]
            for index, one in enumerate(value)
            if not _is_rule(one)
        }
        if faults:
            raise ValidationError(faults)
        return tuple(value)


def _is_rule(value: Any) -> bool:
    if isinstance(value, str):
        return bool(value.strip()) and len(value) <= TEXT_SIZE_LIMIT
    return isinstance(value, dict) and bool(value)


@dataclass(frozen=True, slots=True)
class FirewallUpdate:
    """All rules that the machine shall have; ``owner`` is whose they are, the machine's owner when not given."""

    rules: Annotated[tuple[str | Mapping[str, Any], ...], Rules()]
    owner: Annotated[str | None, Uuid()] = None
    dry_run: Annotated[bool, Flag()] = False
