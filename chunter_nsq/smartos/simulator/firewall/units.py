"""Text as the platform's JavaScript counts and sorts it: in UTF-16 units, of which some characters have two."""

from __future__ import annotations


def split(text: str) -> str:
    """The same text with each UTF-16 unit as a character of its own."""
    if text.isascii():
        return text
    content = text.encode("utf-16-le", "surrogatepass")
    return "".join(chr(content[at] | content[at + 1] << 8) for at in range(0, len(content), 2))


def joined(text: str) -> str:
    """Units put together again; half a pair stays as it is."""
    return text if text.isascii() else text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")
