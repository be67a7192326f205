"""The global zone's addresses, through ``ipadm``."""

from __future__ import annotations

from typing import NamedTuple

from chunter_nsq.smartos.documents import rows
from chunter_nsq.smartos.fields import records, split_fields
from chunter_nsq.smartos.refusal import check
from chunter_nsq.smartos.runner import Runner

IPADM = "usr/sbin/ipadm"
_FIELDS = 4


class Address(NamedTuple):
    """One address with its prefix length (``10.0.0.11/24``); ``interface`` is the first part of ``addrobj``."""

    addrobj: str
    type: str
    state: str
    addr: str

    @property
    def interface(self) -> str:
        """The interface that has it."""
        return self.addrobj.partition("/")[0]


def addresses_argv() -> tuple[str, ...]:
    """All addresses."""
    return (IPADM, "show-addr", "-p", "-o", "addrobj,type,state,addr")


def parse_addresses(stdout: bytes) -> tuple[Address, ...]:
    """The addresses; lines of another form are left out."""
    found = (split_fields(line) for line in records(stdout.decode(errors="replace")))
    return tuple(Address(*row) for row in found if len(row) == _FIELDS)


class Ipadm:
    """``ipadm``, for looking only."""

    def __init__(self, runner: Runner) -> None:
        self._runner = runner

    async def addresses(self) -> tuple[Address, ...]:
        """All addresses of the global zone, the loopback's too."""
        completed = check(await self._runner.run(addresses_argv()), "list the addresses")
        return rows(completed, "list the addresses", parse_addresses)
