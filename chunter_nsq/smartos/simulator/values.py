"""How the platform's JavaScript reads text: numbers, booleans, base64, and how it writes moments."""

from __future__ import annotations

import binascii
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

ALPHABET = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")


def number(text: str) -> int | float | None:
    """A number as JavaScript's ``Number(text)`` has it; None stands for NaN, which JSON writes as null."""
    text = text.strip()
    if not text:
        return 0
    try:
        if text[:2].lower() in ("0x", "0o", "0b"):
            return int(text, 0)
        value = float(text) if "_" not in text else float("nan")
    except ValueError:
        return None
    if value != value or "n" in text.lower():  # noqa: PLR0124 - NaN, and the words that Python takes for numbers
        return float("inf") if text in ("Infinity", "+Infinity") else None
    return whole(value)


def whole(value: float) -> int | float:
    """The same number, as an int when it has no fraction."""
    return int(value) if value == value // 1 and abs(value) < 1e300 else value  # noqa: PLR2004 - below infinity


def boolean(text: str) -> bool | str:
    """True or False for the words; anything else as it stands."""
    return {"true": True, "false": False}.get(text, text)


def mebibytes(text: str) -> int | float | None:
    """Bytes in the text as MiB."""
    value = number(text)
    return None if value is None else whole(value / (1024 * 1024))


def commas(text: str) -> list[str]:
    """A comma list."""
    return text.split(",")


def comma_numbers(text: str) -> list[int | float | None]:
    """A comma list of numbers."""
    return [number(part) for part in text.split(",")]


def unbase64(text: str) -> str:
    """Base64 as the platform decodes it: what is not of the alphabet is skipped, padding ends it."""
    data = text.partition("=")[0].replace("-", "+").replace("_", "/").encode()
    data = bytes(byte for byte in data if byte in ALPHABET)
    if len(data) % 4 == 1:
        data = data[:-1]
    return binascii.a2b_base64(data + b"=" * (-len(data) % 4)).decode("utf-8", "replace")


def base64(text: str) -> str:
    """UTF-8 text in base64 on one line."""
    return binascii.b2a_base64(text.encode("utf-8", "surrogatepass"), newline=False).decode()


def iso(seconds: float, *, milliseconds: bool = True) -> str:
    """Epoch seconds as the platform writes a moment; without milliseconds they are zero."""
    fraction = int(seconds % 1 * 1000) if milliseconds else 0
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds // 1)) + f".{fraction:03d}Z"


def compact(value: Any) -> str:
    """JSON without blanks, as the platform puts values into messages."""
    import json  # noqa: PLC0415 - only messages need it

    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def words(text: str) -> list[str]:
    """The words of a text; tables of names are easier to read this way."""
    return text.split()
