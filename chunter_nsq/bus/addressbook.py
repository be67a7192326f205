"""The nsqd that nsqlookupd named last, in a file: who starts while every nsqlookupd is down still finds them."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from pathlib import Path

from chunter_nsq.bus.address import Address

log = logging.getLogger(__name__)


class AddressBook:
    """One file, an address a line. What cannot be read or written is logged: it is help, and no reason to fail."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def read(self) -> frozenset[Address]:
        """What was written last; empty before that."""
        try:
            return frozenset(map(Address.parse, self._file.read_text("ascii").split()))
        except FileNotFoundError:
            return frozenset()
        except (OSError, ValueError) as error:
            log.warning("nsq.addressbook_unreadable", extra={"file": str(self._file), "reason": str(error)})
            return frozenset()

    def write(self, addresses: Iterable[Address]) -> None:
        """Whole, or as it was."""
        draft = self._file.with_name(f".{self._file.name}")
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            draft.write_text("".join(f"{address}\n" for address in sorted(addresses)), "ascii")
            draft.replace(self._file)
        except OSError as error:
            log.warning("nsq.addressbook_unwritten", extra={"file": str(self._file), "reason": str(error)})
