"""JSON Schema in few words."""

from __future__ import annotations

from typing import Any

Shape = dict[str, Any]

TEXT: Shape = {"type": "string"}
WHOLE: Shape = {"type": "integer"}
COUNT: Shape = {"type": "integer", "minimum": 0}
NUMBER: Shape = {"type": "number"}
FLAG: Shape = {"type": "boolean"}
TIME: Shape = {"type": "string", "format": "date-time"}
ANY_OBJECT: Shape = {"type": "object"}


def constant(value: str) -> Shape:
    """Exactly this text."""
    return {"const": value}


def one_of(*values: str) -> Shape:
    """One of these texts."""
    return {"enum": list(values)}


def maybe(shape: Shape) -> Shape:
    """That, or null."""
    return {"anyOf": [shape, {"type": "null"}]}


def many(shape: Shape) -> Shape:
    """A list of those."""
    return {"type": "array", "items": shape}


def mapping(shape: Shape) -> Shape:
    """An object whose members, however they are called, are those."""
    return {"type": "object", "additionalProperties": shape}


def record(
    members: dict[str, Shape] | None = None, /, *, optional: dict[str, Shape] | None = None, **required: Shape
) -> Shape:
    """An object with these members and no others; ``members`` are those whose names Python would not take."""
    needed = {**(members or {}), **required}
    return {
        "type": "object",
        "properties": {**needed, **(optional or {})},
        "required": list(needed),
        "additionalProperties": False,
    }


def opened(shape: Shape) -> Shape:
    """The same object with any further members."""
    return {**shape, "additionalProperties": True}


def howl(event: str, data: Shape | None = None, **beside: Shape) -> Shape:
    """A Howl message: ``{"event": ..., "data": ...}`` with members beside them."""
    inner = {} if data is None else {"data": data}
    return record(event=constant(event), **inner, **beside)
