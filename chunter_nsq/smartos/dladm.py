"""Network links, through ``dladm``."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import NamedTuple

from chunter_nsq.smartos.documents import Rows, rows
from chunter_nsq.smartos.fields import records, split_fields
from chunter_nsq.smartos.refusal import check
from chunter_nsq.smartos.runner import Runner

DLADM = "usr/sbin/dladm"
_OCTETS = 6
_LINK = re.compile(r"[A-Za-z0-9_.]{1,31}")


class Phys(NamedTuple):
    """A physical link; the speed is in Mbit/s, None when unknown."""

    link: str
    media: str
    state: str
    speed_mbit: int | None
    duplex: str
    device: str


def phys_argv() -> tuple[str, ...]:
    """The physical links."""
    return (DLADM, "show-phys", "-p", "-o", "link,media,state,speed,duplex,device")


def macs_argv() -> tuple[str, ...]:
    """The addresses of physical links."""
    return (DLADM, "show-phys", "-m", "-p", "-o", "link,address,inuse")


def etherstubs_argv() -> tuple[str, ...]:
    """The names of etherstubs."""
    return (DLADM, "show-etherstub", "-p", "-o", "link")


def normal_mac(mac: str) -> str:
    """A MAC address in lower case with two digits an octet, as sysinfo and vmadm write it; others unchanged."""
    octets = mac.lower().split(":")
    return ":".join(octet.zfill(2) for octet in octets) if len(octets) == _OCTETS else mac


def parse_phys(stdout: bytes) -> tuple[Phys, ...]:
    """The physical links; lines of another form are left out."""
    return tuple(
        Phys(link, media, state, int(speed) if speed.isdecimal() else None, duplex, device)
        for link, media, state, speed, duplex, device in _rows(stdout, 6)
    )


def parse_macs(stdout: bytes) -> dict[str, str]:
    """The first address of each physical link, normalised."""
    macs: dict[str, str] = {}
    for link, mac, _in_use in _rows(stdout, 3):
        if link and mac:
            macs.setdefault(link, normal_mac(mac))
    return macs


def parse_etherstubs(stdout: bytes) -> tuple[str, ...]:
    """The names, a single field that is not escaped; what cannot name a link is left out."""
    return tuple(name for name in records(stdout.decode(errors="replace")) if _LINK.fullmatch(name))


class Dladm:
    """``dladm``, for looking only."""

    def __init__(self, runner: Runner) -> None:
        self._runner = runner

    async def phys(self) -> tuple[Phys, ...]:
        """The physical links."""
        return await self._show(phys_argv(), parse_phys, "list the physical links")

    async def macs(self) -> dict[str, str]:
        """Link to MAC address (``00:25:90:c0:0d:f2``)."""
        return await self._show(macs_argv(), parse_macs, "list the addresses of links")

    async def etherstubs(self) -> tuple[str, ...]:
        """The etherstubs."""
        return await self._show(etherstubs_argv(), parse_etherstubs, "list the etherstubs")

    async def _show(self, argv: tuple[str, ...], parse: Callable[[bytes], Rows], attempted: str) -> Rows:
        return rows(check(await self._runner.run(argv), attempted), attempted, parse)


def _rows(stdout: bytes, width: int) -> Iterable[tuple[str, ...]]:
    found = (split_fields(line) for line in records(stdout.decode(errors="replace")))
    return (row for row in found if len(row) == width)
