"""JSON as the module ``json`` reads and writes it, without its import.

That module brings regular expressions and enumerations along, which take as long as all else that a tool imports, and
tools start by the thousand. What reads here is the scanner in C that ``json`` uses as well.

Not promised: keys that are no strings, and the words of ``json`` for a document that is none.
"""

from __future__ import annotations

from _json import encode_basestring, encode_basestring_ascii, make_scanner

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

BLANKS = " \t\n\r"


class _Reading:
    """How the scanner makes values; it is asked for these names."""

    strict = True
    object_hook = None
    object_pairs_hook = None
    parse_float = float
    parse_int = int
    parse_constant = float
    memo: dict[str, str] = {}  # noqa: RUF012 - as the scanner has it


_scan = make_scanner(_Reading)  # type: ignore[arg-type] # anything with these names will do


def loads(content: bytes | str) -> Any:
    """The value that a document says.

    Raises:
        ValueError: it is no JSON.
    """
    text = (content if isinstance(content, str) else content.decode("utf-8", "surrogatepass")).strip(BLANKS)
    try:
        value, end = _scan(text, 0)
    except StopIteration as fault:
        raise ValueError(f"no value at {fault.value}") from None
    if end != len(text):
        raise ValueError(f"more than one value, from {end} on")
    return value


def dumps(value: Any, indent: int | None = None, *, ensure_ascii: bool = True) -> str:
    """A value as a document, on one line or with so many blanks for each level."""
    return _written(value, encode_basestring_ascii if ensure_ascii else encode_basestring, indent, "\n")


def _written(value: Any, quoted: Callable[[str], str], indent: int | None, line: str) -> str:
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, dict):
        below = line if indent is None else line + " " * indent
        parts = [f"{quoted(key)}: {_written(one, quoted, indent, below)}" for key, one in value.items()]
        return _enclosed("{}", parts, indent, line)
    if isinstance(value, list | tuple):
        below = line if indent is None else line + " " * indent
        return _enclosed("[]", [_written(one, quoted, indent, below) for one in value], indent, line)
    return _word(value)


def _enclosed(brackets: str, parts: list[str], indent: int | None, line: str) -> str:
    if not parts or indent is None:
        return brackets[0] + ", ".join(parts) + brackets[1]
    below = line + " " * indent
    return brackets[0] + below + f",{below}".join(parts) + line + brackets[1]


def _word(value: Any) -> str:
    for known, word in ((None, "null"), (True, "true"), (False, "false")):
        if value is known:
            return word
    if isinstance(value, int):
        return int.__repr__(value)
    if isinstance(value, float):
        return {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}.get(text := float.__repr__(value), text)
    raise TypeError(f"{type(value).__name__} is nothing that JSON has")
