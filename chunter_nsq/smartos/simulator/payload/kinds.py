"""Whether a value is of a property's type, within its limits and of its form."""

from __future__ import annotations

import math
import re

from chunter_nsq.smartos.simulator.payload.addresses import is_ipv4, is_ipv6, is_mac
from chunter_nsq.smartos.simulator.payload.javascript import (
    UNDEFINED,
    Crash,
    is_number,
    is_object,
    items,
    text,
    to_number,
)
from chunter_nsq.smartos.simulator.values import BLANKS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from typing import Any

    from chunter_nsq.smartos.simulator.payload.table import Property

UUID = re.compile(r"[a-f0-9]{8}-[a-f0-9]{4}-[a-f0-9]{4}-[a-f0-9]{4}-[a-f0-9]{12}")
ATTRIBUTE = re.compile(r"[a-zA-Z0-9\-._]+")
CLIENT_ID = re.compile(r"0x[0-9a-fA-F]+")
LONGEST_CLIENT_ID = 512


def is_uuid(value: Any) -> bool:
    """A UUID in lower case."""
    return isinstance(value, str) and UUID.fullmatch(value) is not None


def check_value(row: Property, value: Any, zpools: Collection[str], bad: list[str]) -> None:
    """Add the property's name to ``bad`` when the value is wrong, as often as the platform does."""
    if row.type == "integer":
        if not _is_integer(row, value):
            bad.append(row.name)
        return
    right = value in zpools if row.type == "zpool" and isinstance(value, str) else RULES[row.type](row, value)
    if not right and row.name not in bad:
        bad.append(row.name)


def _is_blank(value: Any) -> bool:
    return value is None or value is UNDEFINED or text(value).strip(BLANKS) == ""


def _is_integer(row: Property, value: Any) -> bool:
    if _is_blank(value):
        return True
    if isinstance(value, bool):
        return False
    number = to_number(value)
    if math.isnan(number) or (math.isfinite(number) and number != math.floor(number)):
        return False
    return not (
        (row.minimum is not None and number < row.minimum) or (row.maximum is not None and number > row.maximum)
    )


def _uuid(_row: Property, value: Any) -> bool:
    return is_uuid(value)


def _boolean(_row: Property, value: Any) -> bool:
    return isinstance(value, bool) or value in ("true", "false", "1") or (is_number(value) and value == 1)


def _string(row: Property, value: Any) -> bool:
    if _is_blank(value):
        return True
    right = row.check is None or CHECKS[row.check](value)
    return isinstance(value, str) and right


def _flat(_row: Property, value: Any) -> bool:
    return is_object(value) and all(isinstance(one, str | int | float) for _, one in items(value))


def _list(row: Property, value: Any) -> bool:
    if isinstance(value, str):
        value = [part for part in value.split(",") if part]
    if not isinstance(value, list):
        return False
    for one in value:
        if isinstance(one, bool) or not isinstance(one, str | int | float):
            return False
        if (row.check and not CHECKS[row.check](one)) or "," in text(one):
            return False
    return True


def _objects(_row: Property, value: Any) -> bool:
    return isinstance(value, list) and all(is_object(one) for one in value)


def _never(_row: Property, _value: Any) -> bool:
    return False


def _attribute(value: Any) -> bool:
    return (isinstance(value, str) or is_number(value)) and ATTRIBUTE.fullmatch(text(value)) is not None


def _resolver(value: Any) -> bool:
    return is_ipv4(value) or is_ipv6(value)


def _client_id(value: Any) -> bool:
    known = text(value)
    return CLIENT_ID.fullmatch(known) is not None and len(known) % 2 == 0 and len(known) <= LONGEST_CLIENT_ID


def _sectors(value: Any) -> bool:
    if not isinstance(value, str):
        raise Crash("str.split is not a function")
    sizes = value.split("/")
    return len(sizes) <= 2 and all(  # noqa: PLR2004 - logical and physical
        re.fullmatch("[0-9]+", size) and int(size) and int(size) & (int(size) - 1) == 0 for size in sizes
    )


RULES: dict[str, Callable[[Property, Any], bool]] = {
    "uuid": _uuid,
    "boolean": _boolean,
    "string": _string,
    "flat-object": _flat,
    "list": _list,
    "object-array": _objects,
    "zpool": _never,
}
CHECKS: dict[str, Callable[[Any], bool]] = {
    "attr": _attribute,
    "resolver": _resolver,
    "mac": is_mac,
    "cid": _client_id,
    "sectors": _sectors,
}
