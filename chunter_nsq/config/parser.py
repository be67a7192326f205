"""The ``key = value`` form of the configuration file, read so that all faults of a file are found at once.

A line is a key, ``=`` and a value. ``#`` at the beginning of a line, or after a blank, begins a comment.
"""

from __future__ import annotations

import re
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from chunter_nsq.config.faults import Remark
from chunter_nsq.config.keys import Key
from chunter_nsq.mistyped import meant

LARGEST_FILE_BYTES = 2**20

# Keys of earlier agents that have nothing to do here any more. A file that still holds them is good.
RETIRED = {
    "nodename": "there is no Erlang node any more",
    "distributed_cookie": "there is no Erlang node any more",
    "kstat.arc": "see arc_interval",
    "dtrace": "the platform's own events tell of zones",
    "log.console": "see log.level and log.format; the log goes to the SMF log",
    "log.error": "see log.level and log.format; the log goes to the SMF log",
    "log.debug": "see log.level and log.format; the log goes to the SMF log",
    "log.syslog": "see log.level and log.format; the log goes to the SMF log",
    "log.crash": "see log.level and log.format; the log goes to the SMF log",
    "log.watchdog": "see sentry.dsn",
    "upload": "see parallel_uploads and max_parallel_uploads; a part is tried again by itself",
    "download": "see parallel_downloads, max_parallel_downloads and preload; a part is tried again by itself",
    "http_client": "there is one",
    "s3_scheme": "it is the beginning of s3.endpoint",
    **dict.fromkeys(
        (
            "nsq.discover_interval",
            "nsq.discover_jitter",
            "nsq.max_in_flight",
            "nsq.retry_inital",
            "nsq.max_retry_delay",
            "nsq.retry_algo",
        ),
        "connections to NSQ are looked after by themselves",
    ),
}

_MEMBER = re.compile(r"[A-Za-z0-9_.-]+")


@dataclass(frozen=True, slots=True)
class Setting:
    """One line of the file that sets something."""

    line: int
    name: str
    text: str


@dataclass(slots=True)
class Reading:
    """What was understood of a file: values by attribute name, the line of each, faults and notes."""

    values: dict[str, Any] = field(default_factory=dict)
    lines: dict[str, int] = field(default_factory=dict)
    faults: list[Remark] = field(default_factory=list)
    notes: list[Remark] = field(default_factory=list)

    def fault(self, line: int, text: str) -> None:
        """One more fault."""
        self.faults.append(Remark(line, text))

    def note(self, line: int, text: str) -> None:
        """One more note."""
        self.notes.append(Remark(line, text))


def secret_file(path: str) -> str:
    """The secret that a file holds, without white space around it; ValueError says what is wrong with the file."""
    if not path.startswith("/"):
        raise ValueError("after @ stands the absolute path of the file that holds the secret")
    try:
        if not stat.S_ISREG(Path(path).stat().st_mode):
            raise ValueError(f"{path} is not a plain file")
        with Path(path).open("rb") as file:
            content = file.read(LARGEST_FILE_BYTES).decode().strip()
    except OSError as broken:
        raise ValueError(f"{path} cannot be read: {broken.strerror}") from None
    except UnicodeDecodeError:
        raise ValueError(f"{path} is not UTF-8 text") from None
    if not content:
        raise ValueError(f"{path} is empty; write the secret into it")
    if "\n" in content and not content.startswith("-----BEGIN "):
        raise ValueError(f"{path} has several lines; leave the secret alone in it")
    return content


def read(content: bytes, keys: Mapping[str, Key], secret: Callable[[str], str] = secret_file) -> Reading:
    """Read a whole file; ``keys`` maps attribute names to keys, ``secret`` fetches the text behind ``@path``."""
    reading = Reading()
    names = _names(keys)
    for setting in _settings(content, reading):
        attribute = _attribute(setting, names, keys, reading)
        if attribute is not None:
            _set(setting, attribute, keys[attribute], reading, secret)
    for attribute, key in keys.items():
        if key.family and attribute in reading.values:
            reading.values[attribute] = MappingProxyType(reading.values[attribute])
    return reading


def _names(keys: Mapping[str, Key]) -> dict[str, str]:
    """The attribute behind every name that may stand in a file, families left out."""
    return {name: attribute for attribute, key in keys.items() if not key.family for name in (key.name, *key.aliases)}


def _settings(content: bytes, reading: Reading) -> Iterator[Setting]:
    for number, raw in enumerate(content.removeprefix(b"\xef\xbb\xbf").split(b"\n"), start=1):
        try:
            line = raw.decode().strip()
        except UnicodeDecodeError:
            reading.fault(number, "this line is not UTF-8 text; save the file as UTF-8")
            continue
        if not line or line.startswith("#"):
            continue
        name, separator, value = line.partition("=")
        if not separator:
            reading.fault(number, "there is no '=' in this line; write key = value, or # before a comment")
        elif not line.replace("\t", " ").isprintable():
            reading.fault(number, "this line holds an invisible character; remove it")
        else:
            yield Setting(number, name.strip(), _without_comment(value))


def _without_comment(value: str) -> str:
    return re.split(r"(?:^|\s)\s*#", value.strip(), maxsplit=1)[0].strip()


def _attribute(setting: Setting, names: Mapping[str, str], keys: Mapping[str, Key], reading: Reading) -> str | None:
    """The attribute that a line sets; None when it sets nothing, with the fault or the note made."""
    name = setting.name.replace("paralell", "parallel")
    if name in names:
        attribute = names[name]
        if name != keys[attribute].name:
            reading.note(setting.line, f"{setting.name} is the old name of {keys[attribute].name}; use the new one")
        return attribute
    for attribute, key in keys.items():
        if key.family and name.startswith(f"{key.name}."):
            return attribute
    for retired, reason in RETIRED.items():
        if name == retired or name.startswith(f"{retired}."):
            reading.note(setting.line, f"{setting.name} is no longer used: {reason}")
            return None
    reading.fault(setting.line, _unknown(setting.name, name, (*names, *_families(keys))))
    return None


def _families(keys: Mapping[str, Key]) -> Iterable[str]:
    return (f"{key.name}.<name>" for key in keys.values() if key.family)


def _unknown(written: str, name: str, known: Iterable[str]) -> str:
    if not written:
        return "there is no key before '='; write key = value"
    hint = meant(name.lower().replace("-", "_"), known) or "'chunter config example' shows all there are"
    return f"{written}: unknown key; {hint}"


def _set(setting: Setting, attribute: str, key: Key, reading: Reading, secret: Callable[[str], str]) -> None:
    member = setting.name[len(key.name) + 1 :] if key.family else ""
    place = f"{attribute}.{member}" if key.family else attribute
    if key.family and not _MEMBER.fullmatch(member):
        reading.fault(setting.line, f"{setting.name}: write {key.name}.<name> with a name of A-Z a-z 0-9 _ . -")
        return
    if place in reading.lines:
        reading.fault(
            setting.line, f"{setting.name}: set before in line {reading.lines[place]}; keep one of the two lines"
        )
        return
    reading.lines[place] = setting.line
    try:
        parsed = _value(setting.text, key, secret)
    except ValueError as wrong:
        reading.fault(setting.line, f"{setting.name}: {wrong}")
        return
    if key.family:
        reading.values.setdefault(attribute, {})[member] = parsed
    elif parsed is not None:
        reading.values[attribute] = parsed


def _value(text: str, key: Key, secret: Callable[[str], str]) -> Any:
    """The value of a line; None when an empty one leaves a key unset that has no default."""
    if not text:
        if key.default or key.family:
            effect = f" for {key.default}" if key.default else ""
            raise ValueError(f"it has no value; write one, or remove the line{effect}")
        return None
    if key.secret and text.startswith("@"):
        text = secret(text[1:])
    elif text[0] in "\"'" and len(text) > 1 and text[-1] == text[0]:
        raise ValueError("quotes would be part of the value; remove them")
    return key.parse(text)
