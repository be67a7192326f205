"""The written forms of values: durations, sizes, flags, addresses, names; each parsed to plain Python and back.

Every parser takes the stripped text of one value and raises :class:`ValueError` with a sentence that says what
is wrong and how to write it.
"""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import urlsplit

DURATION_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
SIZE_BYTES = {"B": 1, "KB": 2**10, "MB": 2**20, "GB": 2**30, "TB": 2**40}
FLAGS = {
    "on": True,
    "enabled": True,
    "true": True,
    "yes": True,
    "off": False,
    "disabled": False,
    "false": False,
    "no": False,
}
HIGHEST_PORT = 65535

_AMOUNT = re.compile(r"(\d{1,15})\s*([A-Za-z]*)")
_HOST_NAME = re.compile(r"(?=.{1,253}$)(?!-)[A-Za-z0-9_-]{1,63}(?:\.[A-Za-z0-9_-]{1,63})*\.?")
_TOPIC_NAME = re.compile(r"[.a-zA-Z0-9_-]+")


def duration(text: str) -> float:
    """Seconds of ``100ms``, ``10s``, ``15m``, ``1h``, ``1d`` or ``1w``."""
    amount, unit = _amount(text, "10s")
    if unit not in DURATION_SECONDS:
        raise ValueError(_unit_fault(text, unit, tuple(DURATION_SECONDS), "10s"))
    return amount / 1000 if unit == "ms" else amount * DURATION_SECONDS[unit]


def size(text: str) -> int:
    """Bytes of ``512B``, ``64KB``, ``5MB``, ``2GB`` or ``1TB``; each unit is 1024 of the one before."""
    amount, unit = _amount(text, "5MB")
    if unit.upper() not in SIZE_BYTES:
        raise ValueError(_unit_fault(text, unit, tuple(SIZE_BYTES), "5MB"))
    return amount * SIZE_BYTES[unit.upper()]


def count(text: str) -> int:
    """A whole number without a unit."""
    if not re.fullmatch(r"\d{1,15}", text):
        raise ValueError(f"{text!r} is not a whole number; write it with digits only, such as 5")
    return int(text)


def flag(text: str) -> bool:
    """``on`` or ``off``, also enabled/disabled, true/false, yes/no."""
    try:
        return FLAGS[text.lower()]
    except KeyError:
        raise ValueError(f"{text!r} is neither on nor off; write on or off") from None


def address(text: str) -> str:
    """``host:port`` with a host name, an IPv4 address or a bracketed IPv6 address."""
    host, port = _halves(text, "10.0.0.1:4150")
    if host.startswith("["):
        _ip(host.strip("[]"), text)
    elif not _HOST_NAME.fullmatch(host) or (re.fullmatch(r"[\d.]+", host) and not _is_ip(host)):
        raise ValueError(f"{host!r} is neither a host name nor an IP address")
    if port == 0:
        raise ValueError(f"port 0 of {text!r} cannot be connected to; write a port from 1 to {HIGHEST_PORT}")
    return text


def ip_address(text: str) -> str:
    """``ip:port`` with an IP address that other hosts can reach; a host name is refused."""
    host, port = _halves(text, "192.168.1.21:4200")
    _ip(host.strip("[]") if host.startswith("[") else host, text)
    if port == 0:
        raise ValueError(f"port 0 of {text!r} cannot be reached; write a port from 1 to {HIGHEST_PORT}")
    return text


def ip(text: str) -> str:
    """An IP address alone."""
    if not _is_ip(text):
        raise ValueError(f"{text!r} is not an IP address; write it like 8.8.8.8")
    return text


def listener(text: str) -> str:
    """``ip:port`` to listen on, port 0 for any free one; ``off`` becomes the empty string."""
    if text.lower() in FLAGS and not FLAGS[text.lower()]:
        return ""
    host, _port = _halves(text, "127.0.0.1:4200")
    _ip(host.strip("[]") if host.startswith("[") else host, text)
    return text


def http_address(text: str) -> str:
    """``host:port`` of nsqlookupd; ``http://`` may stand before it and is dropped."""
    scheme, separator, rest = text.rpartition("://")
    if separator and scheme != "http":
        raise ValueError(f"{scheme}:// is not spoken by nsqlookupd; write host:port or http://host:port")
    return address(rest.removesuffix("/"))


def url(text: str) -> str:
    """An absolute ``http://`` or ``https://`` URL."""
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise ValueError("this is not a URL; write it whole, like https://s3.example.org") from None
    if parts.scheme not in {"http", "https"} or not parts.hostname or port == 0:
        raise ValueError("this is not a URL; write it whole, like https://s3.example.org or http://10.0.0.5:8333")
    return text


def dsn(text: str) -> str:
    """A Sentry DSN: a URL with a key before the host and the number of a project at its end."""
    parts = urlsplit(url(text))
    if not parts.username or not re.fullmatch(r"(?:/.*)?/[0-9]+", parts.path):
        raise ValueError("this is not a DSN; copy it from Sentry, it looks like https://key@sentry.example.org/1")
    return text


def topic_prefix(text: str) -> str:
    """What every topic name begins with: letters, digits, dot, underscore and hyphen."""
    longest = 54  # <prefix>.command.<hostid> has 64 characters at most
    if not _TOPIC_NAME.fullmatch(text) or len(text) > longest:
        raise ValueError(f"{text!r} cannot begin a topic name; use up to {longest} of A-Z a-z 0-9 . _ -")
    return text


def path(text: str) -> str:
    """An absolute path."""
    if not text.startswith("/"):
        raise ValueError(f"{text!r} is not an absolute path; begin it with /")
    return text


def text(value: str) -> str:
    """Anything that fits on a line."""
    return value


def split_address(address: str) -> tuple[str, int]:
    """The host, without brackets, and the port of a checked ``host:port``."""
    host, _, port = address.rpartition(":")
    return host.removeprefix("[").removesuffix("]"), int(port)


def write_duration(seconds: float) -> str:
    """The shortest written form of a duration: 900.0 is ``15m``."""
    milliseconds = round(seconds * 1000)
    for unit in ("d", "h", "m", "s"):
        length = round(DURATION_SECONDS[unit] * 1000)
        if milliseconds and milliseconds % length == 0:
            return f"{milliseconds // length}{unit}"
    return f"{milliseconds}ms" if milliseconds else "0s"


def write_size(size_bytes: int) -> str:
    """The shortest written form of a size: 5242880 is ``5MB``."""
    for unit in ("TB", "GB", "MB", "KB"):
        if size_bytes and size_bytes % SIZE_BYTES[unit] == 0:
            return f"{size_bytes // SIZE_BYTES[unit]}{unit}"
    return f"{size_bytes}B" if size_bytes else "0MB"


def _amount(text: str, sample: str) -> tuple[int, str]:
    found = _AMOUNT.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is not a whole number with a unit; write it like {sample}")
    return int(found[1]), found[2]


def _unit_fault(text: str, unit: str, units: tuple[str, ...], sample: str) -> str:
    known = ", ".join(units)
    if not unit:
        return f"{text!r} has no unit; write it like {sample} (units: {known})"
    return f"{unit!r} is not a unit here; write one of {known}, like {sample}"


def _halves(text: str, sample: str) -> tuple[str, int]:
    host, separator, port = text.rpartition(":")
    if not separator or not host:
        raise ValueError(f"{text!r} has no port; write it like {sample}")
    if not re.fullmatch(r"[0-9]{1,5}", port) or int(port) > HIGHEST_PORT:
        raise ValueError(f"{port!r} is not a port; write a number up to {HIGHEST_PORT}")
    if ":" in host and not (host.startswith("[") and host.endswith("]")):
        raise ValueError(f"{text!r} has an IPv6 address without brackets; write it like [fd00::1]:{port}")
    return host, int(port)


def _is_ip(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _ip(host: str, text: str) -> None:
    if not _is_ip(host):
        raise ValueError(f"{host!r} in {text!r} is not an IP address; write it like 192.168.1.21:4200")
