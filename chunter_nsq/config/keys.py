"""One key of the configuration file: its names, its kind, its default and what it is for.

A section of the configuration (see sections.py) is a dataclass whose fields are made by the functions below. That
field is the only place where a key is told; parsing, validation, defaults, the example file and the documentation
are derived from it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from chunter_nsq.config import units


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of value: how it is read, how it is written, and what a reader of the documentation is told."""

    name: str
    parse: Callable[[str], Any]
    write: Callable[[Any], str] = str


@dataclass(frozen=True, slots=True)
class Key:
    """A key of ``chunter.conf``.

    ``default`` and ``sample`` are written as they stand in the file; an empty default means "not set", and the
    sample is then what the example file shows. ``lowest`` and ``highest`` bound the value in the same written form.
    """

    name: str
    kind: Kind
    default: str
    doc: str
    sample: str = ""
    lowest: str = ""
    highest: str = ""
    aliases: tuple[str, ...] = ()
    reloadable: bool = False
    secret: bool = False
    family: bool = False

    def parse(self, text: str) -> Any:
        """The value of ``text``; ValueError with a remedy when it is malformed or out of range."""
        value = self.kind.parse(text)
        if self.lowest and value < self.kind.parse(self.lowest):
            raise ValueError(f"{text} is too low; write {self.lowest} or more")
        if self.highest and value > self.kind.parse(self.highest):
            raise ValueError(f"{text} is too high; write {self.highest} or less")
        return value

    def write(self, value: Any) -> str:
        """The text of a value, as it would stand in the file."""
        return self.kind.write(value)


NOTHING: Mapping[str, str] = MappingProxyType({})
DURATION = Kind("duration", units.duration, units.write_duration)
SIZE = Kind("size", units.size, units.write_size)
COUNT = Kind("whole number", units.count)
FLAG = Kind("on or off", units.flag, lambda value: "on" if value else "off")
TEXT = Kind("text", units.text)
PATH = Kind("absolute path", units.path)
URL = Kind("URL", units.url)
DSN = Kind("URL", units.dsn)
IP_ADDRESS = Kind("ip:port", units.ip_address)
LISTENER = Kind("ip:port or off", units.listener, lambda value: value or "off")
TOPIC_PREFIX = Kind("text", units.topic_prefix)
ADDRESSES = Kind("host:port, several separated by commas", lambda text: _list(text, units.address), ", ".join)
HTTP_ADDRESSES = Kind("host:port, several separated by commas", lambda text: _list(text, units.http_address), ", ".join)
IPS = Kind("IP addresses separated by commas", lambda text: _list(text, units.ip), ",".join)


def duration(name: str, default: str, doc: str, lowest: str = "100ms", highest: str = "4w", **more: Any) -> Any:
    """A field holding seconds."""
    return _field(Key(name, DURATION, default, doc, lowest=lowest, highest=highest, **more))


def size(name: str, default: str, doc: str, **more: Any) -> Any:
    """A field holding bytes."""
    return _field(Key(name, SIZE, default, doc, **more))


def count(name: str, default: str, doc: str, lowest: str = "1", highest: str = "1000", **more: Any) -> Any:
    """A field holding a whole number."""
    return _field(Key(name, COUNT, default, doc, lowest=lowest, highest=highest, **more))


def flag(name: str, default: str, doc: str, **more: Any) -> Any:
    """A field that is on or off."""
    return _field(Key(name, FLAG, default, doc, **more))


def choice(name: str, default: str, doc: str, among: tuple[str, ...], **more: Any) -> Any:
    """A field holding one of a few words."""

    def parse(text: str) -> str:
        if text.lower() not in among:
            raise ValueError(f"{text!r} is not known here; write one of {', '.join(among)}")
        return text.lower()

    return _field(Key(name, Kind(f"one of {', '.join(among)}", parse), default, doc, **more))


def value(name: str, kind: Kind, default: str, doc: str, **more: Any) -> Any:
    """A field of any other kind."""
    return _field(Key(name, kind, default, doc, **more))


def family(name: str, doc: str, **more: Any) -> Any:
    """A field holding every ``<name>.<member> = text`` as a mapping from member to text."""
    key = Key(name, TEXT, "", doc, family=True, **more)
    return dataclasses.field(default_factory=lambda: NOTHING, metadata={"key": key})


def _field(key: Key) -> Any:
    return dataclasses.field(
        default=unset(key) if key.default == "" else key.parse(key.default),
        repr=not key.secret,
        metadata={"key": key},
    )


def unset(key: Key) -> Any:
    """What a key without a default is when nobody sets it: empty, in its type."""
    return () if key.kind in {ADDRESSES, HTTP_ADDRESSES, IPS} else ""


def _list(text: str, parse: Callable[[str], str]) -> tuple[str, ...]:
    members = tuple(parse(member.strip()) for member in text.split(",") if member.strip())
    if not members:
        raise ValueError(f"{text!r} names nothing; write one or more, separated by commas")
    return members
