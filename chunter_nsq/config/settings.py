"""The configuration as the agent sees it: one frozen value, loaded whole or refused whole."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from chunter_nsq.config import parser
from chunter_nsq.config.faults import ConfigInvalid, Remark
from chunter_nsq.config.keys import Key
from chunter_nsq.config.rules import check
from chunter_nsq.config.sections import Backup, Features, General, Intervals, Nsq, Operation, Storage, Work

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Change:
    """One key whose value differs between two configurations; secrets are starred."""

    key: str
    attribute: str
    old: str
    new: str
    reloadable: bool


@dataclass(frozen=True, kw_only=True)
class Config(Operation, Work, Features, Intervals, Backup, Storage, Nsq, General):
    """Every setting, typed, with its unit in its name; ``Config()`` holds the defaults."""

    @classmethod
    def load(cls, path: Path) -> Config:
        """The configuration in a file; the defaults when there is none. Raises ConfigInvalid with all faults."""
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            log.warning("config.missing", extra={"file": str(path), "effect": "defaults are used"})
            return cls()
        except OSError as broken:
            fault = Remark(0, f"this file cannot be read: {broken.strerror}")
            raise ConfigInvalid((fault,), str(path)) from None
        config, notes = cls.read(content, str(path))
        for note in notes:
            log.warning("config.note", extra={"file": str(path), "line": note.line, "note": note.text})
        return config

    @classmethod
    def read(
        cls, content: bytes, file: str = "chunter.conf", secret: Callable[[str], str] = parser.secret_file
    ) -> tuple[Config, tuple[Remark, ...]]:
        """The configuration that ``content`` holds, and notes on it. Raises ConfigInvalid with all faults."""
        reading = parser.read(content, KEYS, secret)
        config = cls(**reading.values)
        faults = (*reading.faults, *check(config, reading.lines))
        if faults:
            raise ConfigInvalid(tuple(sorted(faults)), file)
        return config, tuple(sorted(reading.notes))

    @classmethod
    def reloadable(cls) -> frozenset[str]:
        """The attributes that SIGHUP may change in a running agent."""
        return frozenset(attribute for attribute, key in KEYS.items() if key.reloadable)

    def reloaded(self, newer: Config) -> Config:
        """This configuration with everything reloadable taken from a newer one."""
        return dataclasses.replace(self, **{attribute: getattr(newer, attribute) for attribute in self.reloadable()})

    def secrets(self) -> tuple[str, ...]:
        """The values that may stand in no log and no report."""
        return tuple(
            value for attribute, key in KEYS.items() if key.secret and (value := getattr(self, attribute)) != ""
        )

    def allows(self, switch: str) -> bool:
        """Whether a group of commands is switched on; ``switch`` is the name of its key, such as ``snapshot_api``."""
        return bool(getattr(self, switch))


def _keys() -> Mapping[str, Key]:
    # Fields of the last base come first in a dataclass, which is the order of the sections.
    return MappingProxyType({made.name: made.metadata["key"] for made in dataclasses.fields(Config)})


KEYS = _keys()


DEFAULTS = Config()


def written(config: Config, attribute: str) -> str:
    """A value as it would stand in the file; empty when it is not set, starred when it is secret."""
    key, value = KEYS[attribute], getattr(config, attribute)
    if value == getattr(DEFAULTS, attribute):
        return key.default
    if key.secret:
        return "***"
    if key.family:
        return ", ".join(f"{member} = {text}" for member, text in sorted(value.items()))
    return key.write(value)


def changed(old: Config, new: Config) -> tuple[Change, ...]:
    """What differs between two configurations, in the order of the file."""
    return tuple(
        Change(key.name, attribute, written(old, attribute), written(new, attribute), key.reloadable)
        for attribute, key in KEYS.items()
        if getattr(old, attribute) != getattr(new, attribute)
    )
