"""Bytes to a JSON object, stricter than the standard library: nothing that could not be written again as it was."""

from __future__ import annotations

import json
import math
from collections import Counter
from typing import Any

_DEPTH_LIMIT = 64


class Unreadable(Exception):
    """Not a JSON object; the text says why."""


def parse(body: bytes) -> dict[str, Any]:
    """The JSON object in ``body``.

    Raises:
        Unreadable: not UTF-8, not JSON, not an object, a member twice, nested too deep, or text that is not Unicode.
    """
    try:
        text = body.decode("utf-8")
        document = _decoder.decode(text)
    except UnicodeDecodeError as fault:
        raise Unreadable(f"not UTF-8 at byte {fault.start}") from None
    except RecursionError:
        raise Unreadable("nested too deep") from None
    except ValueError as fault:
        mark = " (it begins with a BOM)" if body.startswith(b"\xef\xbb\xbf") else ""
        raise Unreadable(f"not JSON: {fault}{mark}") from None
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


# Made once: json.loads would make one for each message.
_decoder = json.JSONDecoder(parse_constant=_no_constant, parse_float=_float, object_pairs_hook=_object)
