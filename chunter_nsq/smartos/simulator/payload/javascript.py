"""The few habits of JavaScript on which vmadm's verdicts rest.

JSON's null is None here. What is unset in a payload is :data:`UNDEFINED`, which is not the same as absent.
"""

from __future__ import annotations

import math

from chunter_nsq.smartos.simulator.values import MOST_EXACT, compact, number, numeral, whole

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

NAN = math.nan


class Undefined:
    """The value of what is unset."""

    def __bool__(self) -> bool:
        return False

    def __repr__(self) -> str:
        return "undefined"

    def __deepcopy__(self, _memo: object) -> Undefined:
        return self


UNDEFINED = Undefined()


class Crash(Exception):
    """vmadm would die of a TypeError here; the message is the engine's."""


def has(thing: Any, key: str) -> bool:
    """``thing.hasOwnProperty(key)``."""
    if thing is None or thing is UNDEFINED:
        raise Crash(f"Cannot read properties of {text(thing)} (reading 'hasOwnProperty')")
    if isinstance(thing, dict):
        return key in thing
    if isinstance(thing, list | str):
        return key == "length" or (key.isdigit() and int(key) < len(thing))
    return False


def member(thing: Any, key: str) -> Any:
    """``thing[key]``."""
    if thing is None or thing is UNDEFINED:
        raise Crash(f"Cannot read properties of {text(thing)} (reading '{key}')")
    if isinstance(thing, dict):
        return thing.get(key, UNDEFINED)
    if isinstance(thing, list | str) and key.isdigit() and int(key) < len(thing):
        return thing[int(key)]
    if isinstance(thing, list | str) and key == "length":
        return len(thing)
    return UNDEFINED


def put(thing: Any, key: str, value: Any) -> None:
    """``thing[key] = value``; what is no plain object takes it without keeping it."""
    if isinstance(thing, dict):
        thing[key] = value


def drop(thing: Any, key: str) -> None:
    """``delete thing[key]``."""
    if thing is None or thing is UNDEFINED:
        raise Crash("Cannot convert undefined or null to object")
    if isinstance(thing, dict):
        thing.pop(key, None)
    elif isinstance(thing, list) and key.isdigit() and int(key) < len(thing):
        thing[int(key)] = None


def of_text(thing: Any, method: str, expression: str) -> str:
    """A thing whose ``method`` is called, which only texts have; ``expression`` is how the program writes thing."""
    if isinstance(thing, str):
        return thing
    member(thing, method)
    raise Crash(f"{expression}.{method} is not a function")


def same(one: Any, other: Any) -> bool:
    """``one === other``: lists and objects are the same only when they are one."""
    if isinstance(one, list | dict) or isinstance(other, list | dict):
        return one is other
    return isinstance(one, bool) == isinstance(other, bool) and bool(one == other)


def among(thing: Any, others: Iterable[Any]) -> bool:
    """``others.indexOf(thing) !== -1``."""
    return any(same(thing, other) for other in others)


def items(thing: Any) -> list[tuple[str, Any]]:
    """What ``for (key in thing)`` goes through, with the values."""
    if isinstance(thing, dict):
        return list(thing.items())
    if isinstance(thing, list | str):
        return [(str(at), one) for at, one in enumerate(thing)]
    return []


def each(thing: Any, expression: str) -> list[Any]:
    """What ``thing.forEach`` goes through; ``expression`` is how the program writes thing."""
    if thing is None or thing is UNDEFINED:
        raise Crash(f"Cannot read properties of {text(thing)} (reading 'forEach')")
    if not isinstance(thing, list):
        raise Crash(f"{expression}.forEach is not a function")
    return thing


def is_object(thing: Any) -> bool:
    """``typeof thing === 'object'``, null included."""
    return thing is None or isinstance(thing, dict | list)


def is_number(thing: Any) -> bool:
    """``typeof thing === 'number'``."""
    return isinstance(thing, int | float) and not isinstance(thing, bool)


def text(thing: Any) -> str:
    """``String(thing)``."""
    if thing is None:
        return "null"
    if isinstance(thing, bool):
        return "true" if thing else "false"
    if is_number(thing):
        return numeral(thing)
    if isinstance(thing, list):
        return ",".join("" if one is None or one is UNDEFINED else text(one) for one in thing)
    return "[object Object]" if isinstance(thing, dict) else str(thing)


def to_number(thing: Any) -> int | float:
    """``Number(thing)``."""
    if isinstance(thing, bool):
        return int(thing)
    if thing is None:
        return 0
    if isinstance(thing, int):
        return thing if abs(thing) <= MOST_EXACT else number(str(thing))
    if isinstance(thing, float):
        return whole(thing) if math.isfinite(thing) else thing
    if thing is UNDEFINED or isinstance(thing, dict):
        return NAN
    return number(text(thing))


def truthy(thing: Any) -> bool:
    """Whether ``if (thing)`` holds."""
    if is_number(thing):
        return bool(thing) and not math.isnan(thing)
    return bool(thing) or isinstance(thing, dict | list)


def stringify(thing: Any) -> str:
    """``JSON.stringify(thing)``."""
    return compact(_told(thing))


def _told(thing: Any) -> Any:
    if isinstance(thing, dict):
        return {key: _told(value) for key, value in thing.items() if value is not UNDEFINED}
    if isinstance(thing, list):
        return [_told(value) for value in thing]
    return None if thing is UNDEFINED else thing
