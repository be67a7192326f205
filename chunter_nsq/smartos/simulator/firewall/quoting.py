"""Quoted tags: what may follow a backslash, and what is written behind one."""

from __future__ import annotations

import re

MEANT = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
WRITTEN = {value: letter for letter, value in MEANT.items()} | {mark: mark for mark in '"()\\'}
ESCAPE = re.compile(r"\\(?:u(?P<code>[0-9a-fA-F]{4})|(?P<mark>.))", re.DOTALL)
# What nobody would see, or would take for a blank: control characters and Unicode's blanks.
UNSEEN = re.compile('[\0-\x1f\x7f\x85\xa0\u1680\u180e\u2000-\u200d\u2028\u2029\u202f\u205f\u2060\u3000\ufeff"()\\\\]')


def unescaped(text: str) -> str:
    """What the text between the quotes means."""
    return ESCAPE.sub(lambda found: _meaning(found["code"], found["mark"]), text)


def _meaning(code: str | None, mark: str | None) -> str:
    return chr(int(code, 16)) if code else MEANT.get(str(mark), str(mark))


def quoted(text: str) -> str:
    """The text in quotes."""
    return f'"{UNSEEN.sub(lambda found: _escape(found[0]), text)}"'


def _escape(character: str) -> str:
    return f"\\{WRITTEN.get(character) or f'u{ord(character):04X}'}"
