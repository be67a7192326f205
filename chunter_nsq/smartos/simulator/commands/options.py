"""Single-letter options, several in a word, taken off the front of a command line."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence


class Unknown(ValueError):
    """An option that the tool does not have, or one without its value."""


def take(words: Sequence[str], known: str) -> tuple[list[tuple[str, str]], list[str]]:
    """Options with their values, in order, and the words that follow them.

    A letter of ``known`` that takes a value has a colon behind it. Raises Unknown with the letter.
    """
    found: list[tuple[str, str]] = []
    rest = list(words)
    while rest and rest[0].startswith("-") and rest[0] != "-":
        word = rest.pop(0)
        if word == "--":
            break
        letters = word[1:]
        while letters:
            letter, letters = letters[0], letters[1:]
            at = known.find(letter)
            if at < 0 or letter == ":":
                raise Unknown(letter)
            value = ""
            if known[at + 1 : at + 2] == ":":
                if not letters and not rest:
                    raise Unknown(letter)
                value, letters = letters or rest.pop(0), ""
            found.append((letter, value))
    return found, rest
