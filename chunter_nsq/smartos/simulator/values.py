"""How the platform's JavaScript reads text: numbers, booleans, base64, and how it writes moments."""

from __future__ import annotations

import binascii
import math
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

ALPHABET = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")
# What JavaScript takes for a blank.
BLANKS = "\t\n\v\f\r \u00a0\u1680\u2028\u2029\u202f\u205f\u3000\ufeff" + "".join(map(chr, range(0x2000, 0x200B)))
DECIMAL = r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?"
PREFIXED = r"0(?:[xX][0-9a-fA-F]+|[oO][0-7]+|[bB][01]+)"
MOST_EXACT = 2**53
MOST_PLACES, MOST_ZEROS = 21, 6
LEAST_WITH_EXPONENT = 1e21
HALVES = "[\ud800-\udfff]"


def number(text: str) -> int | float:
    """``Number(text)``: NaN for what is none, Infinity for what is too large."""
    text = text.strip(BLANKS)
    if not text:
        return 0
    if text.isascii() and text.isdigit():
        return whole(float(text))
    import re  # noqa: PLC0415 - most numbers are read by now

    if re.fullmatch(PREFIXED, text):
        return _rounded(int(text, 0))
    if re.fullmatch(DECIMAL, text):
        return whole(float(text))
    return {"Infinity": math.inf, "+Infinity": math.inf, "-Infinity": -math.inf}.get(text, math.nan)


def _rounded(value: int) -> int | float:
    try:
        return whole(float(value))
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def whole(value: float) -> int | float:
    """The same number, as an int when JavaScript writes it without fraction and exponent, and with its digits."""
    if value != value // 1 or abs(value) >= LEAST_WITH_EXPONENT:
        return value
    if abs(value) <= MOST_EXACT:
        return int(value)
    digits, exponent = _digits(value)
    return int(("-" if value < 0 else "") + digits + "0" * exponent)


def numeral(value: float) -> str:
    """``String(value)`` of a number."""
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    digits, exponent = _digits(value)
    return "-" * (value < 0) + _placed(digits, len(digits) + exponent)


def _digits(value: float) -> tuple[str, int]:
    """The fewest digits that make the number and no other, and the power of ten behind them."""
    mantissa, _, exponent = repr(abs(float(value))).partition("e")
    integer, _, fraction = mantissa.partition(".")
    digits = (integer + fraction).rstrip("0")
    return digits.lstrip("0") or "0", int(exponent or 0) + len(integer) - len(digits) if digits else 0


def _placed(digits: str, point: int) -> str:
    """The digits with the decimal point behind so many of them."""
    if len(digits) <= point <= MOST_PLACES:
        return digits + "0" * (point - len(digits))
    if 0 < point <= MOST_PLACES:
        return f"{digits[:point]}.{digits[point:]}"
    if -MOST_ZEROS < point <= 0:
        return f"0.{'0' * -point}{digits}"
    fraction = f".{digits[1:]}" if digits[1:] else ""
    return f"{digits[0]}{fraction}e{point - 1:+d}"


def counted(text: str) -> int | float | None:
    """A number as JSON has it: what is none, or has no end, is null."""
    value = number(text)
    return value if math.isfinite(value) else None


def boolean(text: str) -> bool | str:
    """True or False for the words; anything else as it stands."""
    return {"true": True, "false": False}.get(text, text)


def mebibytes(text: str) -> int | float | None:
    """Bytes in the text as MiB."""
    value = counted(text)
    return None if value is None else whole(value / (1024 * 1024))


def commas(text: str) -> list[str]:
    """A comma list."""
    return text.split(",")


def comma_numbers(text: str) -> list[int | float | None]:
    """A comma list of numbers."""
    return [counted(part) for part in text.split(",")]


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
    """``JSON.stringify(value)``: without blanks, numbers as JavaScript writes them."""
    import json  # noqa: PLC0415 - only messages need it
    import re  # noqa: PLC0415 - same

    if isinstance(value, dict):
        return f"{{{','.join(f'{compact(str(key))}:{compact(one)}' for key, one in value.items())}}}"
    if isinstance(value, list):
        return f"[{','.join(map(compact, value))}]"
    if isinstance(value, float):
        return numeral(value) if math.isfinite(value) else "null"
    return re.sub(HALVES, lambda half: f"\\u{ord(half[0]):04x}", json.dumps(value, ensure_ascii=False))


def words(text: str) -> list[str]:
    """The words of a text; tables of names are easier to read this way."""
    return text.split()
