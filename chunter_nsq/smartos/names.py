"""The grammars of names that reach a tool's command line; a name that does not match starts nothing."""

from __future__ import annotations

import re
from collections.abc import Callable

from chunter_nsq.errors import InvalidMessage

_SHOWN_CHARACTERS = 80

_HEX = "[0-9a-f]"
_UUID = re.compile(rf"{_HEX}{{8}}-{_HEX}{{4}}-{_HEX}{{4}}-{_HEX}{{4}}-{_HEX}{{12}}")
_SNAPSHOT = re.compile(r"(?!-)[A-Za-z0-9_.:-]{1,128}")
_COMPONENT = r"(?!\.\.?(?:/|@|\Z))[A-Za-z0-9_.:][A-Za-z0-9_.:-]*"
_DATASET = re.compile(rf"[A-Za-z][A-Za-z0-9_.:-]*(?:/{_COMPONENT})*")
_SERVICE_WORD = r"[A-Za-z0-9_][A-Za-z0-9_.,-]*"
_FMRI = re.compile(rf"(?:svc:/|lrc:/)?{_SERVICE_WORD}(?:/{_SERVICE_WORD})*(?::{_SERVICE_WORD})?")
_ZONENAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}")
_PROPERTY = re.compile(r"[A-Za-z][A-Za-z0-9_.:-]{0,254}")
_HOST_PATH = re.compile(r"(?!.*/\.\.(?:/|\Z))/[A-Za-z0-9_./-]{1,1023}")
_LONGEST_DATASET_NAME = 255


def is_uuid(value: str) -> bool:
    """Whether it is a lower-case UUID, 8-4-4-4-12."""
    return _UUID.fullmatch(value) is not None


def is_snapshot(value: str) -> bool:
    """Whether it is a snapshot's own name, the part after ``@``."""
    return _SNAPSHOT.fullmatch(value) is not None


def is_dataset(value: str) -> bool:
    """Whether it names a pool, file system or volume (no ``@``)."""
    return len(value) <= _LONGEST_DATASET_NAME and _DATASET.fullmatch(value) is not None


def is_dataset_snapshot(value: str) -> bool:
    """Whether it is ``dataset@snapshot``."""
    dataset, at, snapshot = value.partition("@")
    return bool(at) and len(value) <= _LONGEST_DATASET_NAME and is_dataset(dataset) and is_snapshot(snapshot)


def is_dataset_bookmark(value: str) -> bool:
    """Whether it is ``dataset#bookmark``."""
    dataset, hash_sign, bookmark = value.partition("#")
    return bool(hash_sign) and len(value) <= _LONGEST_DATASET_NAME and is_dataset(dataset) and is_snapshot(bookmark)


def is_below_pool(value: str) -> bool:
    """Whether it names a dataset that is not the pool itself."""
    return "/" in value and is_dataset(value)


def is_fmri(value: str) -> bool:
    """Whether it names a service or an instance, in full or shortened (``network/ssh:default``)."""
    return _FMRI.fullmatch(value) is not None


def is_zonename(value: str) -> bool:
    """Whether it may be a zone's name; ``global`` may."""
    return _ZONENAME.fullmatch(value) is not None


def is_property(value: str) -> bool:
    """Whether it may be a ZFS property or a hold's tag."""
    return _PROPERTY.fullmatch(value) is not None


def is_host_path(value: str) -> bool:
    """Whether it is an absolute path of plain characters that does not climb."""
    return _HOST_PATH.fullmatch(value) is not None


def checked(value: str, grammar: Callable[[str], bool], noun: str) -> str:
    """The value itself when it matches; ``noun`` says in the fault what it should have been.

    Raises:
        InvalidMessage: it does not match; nothing has been started.
    """
    if isinstance(value, str) and grammar(value):
        return value
    shown = repr(value)[:_SHOWN_CHARACTERS]
    raise InvalidMessage(f"{shown} is not {noun}; nothing was started", {"value": shown, "expected": noun})


def checked_uuid(value: str) -> str:
    """The value itself when it is a UUID, else InvalidMessage."""
    return checked(value, is_uuid, "a lower-case UUID")


def checked_dataset(value: str) -> str:
    """The value itself when it names a dataset, else InvalidMessage."""
    return checked(value, is_dataset, "a dataset's name")


def checked_dataset_snapshot(value: str) -> str:
    """The value itself when it is ``dataset@snapshot``, else InvalidMessage."""
    return checked(value, is_dataset_snapshot, "dataset@snapshot")
