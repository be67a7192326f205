"""A line taken apart as a Bourne shell does it: quotes, backslashes, and what joins commands."""

from __future__ import annotations

JOINTS = (";", "&&", "||")
_ESCAPED_IN_DOUBLE_QUOTES = '"\\$`\n'


class Unfinished(ValueError):
    """A quote that is not closed."""


def split(text: str) -> list[tuple[str, bool]]:
    """Words, each with whether it joins commands; a line end outside quotes does as well. Raises Unfinished."""
    found: list[tuple[str, bool]] = []
    word: list[str] | None = None
    at = 0
    while at < len(text):
        joint = next((one for one in JOINTS if text.startswith(one, at)), ";" if text[at] == "\n" else "")
        if joint or text[at] in " \t":
            if word is not None:
                found.append(("".join(word), False))
                word = None
            if joint:
                found.append((joint, True))
            at += len(joint) or 1
            continue
        piece, at = _piece(text, at)
        word = (word or []) + [piece]
    if word is not None:
        found.append(("".join(word), False))
    return found


def _piece(text: str, at: int) -> tuple[str, int]:
    """A character, or what stands between two quotes, and where it ends."""
    mark = text[at]
    if mark == "\\":
        return text[at + 1 : at + 2].replace("\n", ""), at + 2
    if mark == "'":
        end = text.find("'", at + 1)
        if end < 0:
            raise Unfinished(mark)
        return text[at + 1 : end], end + 1
    if mark == '"':
        return _double(text, at + 1)
    return mark, at + 1


def _double(text: str, at: int) -> tuple[str, int]:
    found: list[str] = []
    while at < len(text) and text[at] != '"':
        if text[at] == "\\" and text[at + 1 : at + 2] in tuple(_ESCAPED_IN_DOUBLE_QUOTES):
            at += 1
        found.append(text[at])
        at += 1
    if at >= len(text):
        raise Unfinished('"')
    return "".join(found), at + 1
