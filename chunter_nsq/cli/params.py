"""``-p name=value`` and ``--params FILE`` into the parameters of a command."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any


class ParamsInvalid(ValueError):
    """What was given is no parameters; the text says which part and why."""


def read(given: Sequence[str], document: str | None = None) -> dict[str, Any] | None:
    """The parameters; None when none were given.

    ``document`` is the text of a JSON object; each of ``given`` is ``name=value`` or ``outer.inner=value`` and is
    laid over it. A value is JSON when it can be read as JSON, else text; ``@FILE`` is the content of a file,
    ``@@...`` a text that begins with ``@``.

    Raises:
        ParamsInvalid: for each thing that could be meant in two ways.
    """
    if document is None and not given:
        return None
    params = {} if document is None else _object(document)
    named: set[str] = set()
    for text in given:
        name, separator, value = text.partition("=")
        if not separator or not all(name.split(".")):
            raise ParamsInvalid(f"-p {text!r}: write name=value, or outer.inner=value")
        if name in named:
            raise ParamsInvalid(f"-p {name} is given twice")
        named.add(name)
        _put(params, name, _value(name, value), named)
    return params


def _put(params: dict[str, Any], name: str, value: Any, named: set[str]) -> None:
    *path, last = name.split(".")
    place = params
    for depth, part in enumerate(path, 1):
        outer = ".".join(path[:depth])
        inner = place.setdefault(part, {})
        if outer in named or not isinstance(inner, dict):
            raise ParamsInvalid(f"-p {name}: {outer} is given as a whole already")
        place = inner
    if any(other.startswith(f"{name}.") for other in named):
        raise ParamsInvalid(f"-p {name}: a part of it is given already")
    place[last] = value


def _value(name: str, text: str) -> Any:
    if text.startswith("@@"):
        return text[1:]
    if text.startswith("@"):
        try:
            text = Path(text[1:]).read_text("utf-8")
        except (OSError, UnicodeDecodeError) as fault:
            raise ParamsInvalid(f"-p {name}: {text[1:]} cannot be read: {_reason(fault)}") from None
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        raise ParamsInvalid(f"-p {name}: the value is not UTF-8") from None
    try:
        return _json(text)
    except _Twice as twice:
        raise ParamsInvalid(f"-p {name}: {twice}") from None
    except (ValueError, RecursionError):
        return text


def _object(text: str) -> dict[str, Any]:
    try:
        document = _json(text)
    except (ValueError, RecursionError) as fault:
        raise ParamsInvalid(f"--params is not JSON: {fault}") from None
    if not isinstance(document, dict):
        raise ParamsInvalid('--params must hold a JSON object, such as {"force": true}')
    return document


class _Twice(ValueError):
    """A member stands twice in an object: valid JSON to some, and never meant."""


def _json(text: str) -> Any:
    return json.loads(text, parse_constant=_refused, parse_float=_finite, object_pairs_hook=_once)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise _Twice(f"the member {name!r} stands twice")
        found[name] = value
    return found


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text} is too large")
    return number


def _refused(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _reason(fault: OSError | UnicodeDecodeError) -> str:
    return (fault.strerror or str(fault)) if isinstance(fault, OSError) else "not UTF-8"
