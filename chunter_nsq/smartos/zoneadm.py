"""Zones as ``zoneadm list`` shows them."""

from __future__ import annotations

import logging
from typing import NamedTuple

from chunter_nsq.errors import NotFound
from chunter_nsq.smartos.documents import whole_lines
from chunter_nsq.smartos.fields import records, split_fields
from chunter_nsq.smartos.names import checked, is_zonename
from chunter_nsq.smartos.refusal import check, unreadable
from chunter_nsq.smartos.runner import Runner

log = logging.getLogger(__name__)

ZONEADM = "usr/sbin/zoneadm"
_FIELDS = 8
_FIELDS_WITHOUT_DEBUG_ID = 7
_NO_ID = "-"


class Zone(NamedTuple):
    """One zone; a tuple, for a host may have a thousand and is looked at every second.

    ``zoneid`` is None unless it is active; ``uuid`` is empty when it has none; ``zonedid`` stays over reboots.
    """

    zoneid: int | None
    name: str
    state: str
    zonepath: str
    uuid: str
    brand: str
    ip_type: str
    zonedid: int | None


class ZoneListing(NamedTuple):
    """The zones besides the global one, the lines that could not be read, and whether the global zone was among them.

    The global zone is in every listing of the host: one without it is not whole.
    """

    zones: tuple[Zone, ...]
    odd: tuple[str, ...]
    has_global: bool


def list_argv() -> tuple[str, ...]:
    """Every zone from installed upwards."""
    return (ZONEADM, "list", "-ip")


def find_argv(zonename: str) -> tuple[str, ...]:
    """One zone in whatever state."""
    return (ZONEADM, "-z", checked(zonename, is_zonename, "a zone's name"), "list", "-p")


def parse_zone(line: str) -> Zone | None:
    """One line of a parsable listing; None when it is not one."""
    fields = split_fields(line, escaped=":")
    if len(fields) == _FIELDS_WITHOUT_DEBUG_ID:
        fields = (*fields, "")
    if len(fields) != _FIELDS or not fields[1]:
        return None
    zoneid, name, state, zonepath, uuid, brand, ip_type, zonedid = fields
    if not (zoneid == _NO_ID or zoneid.isdecimal()) or not (zonedid.isdecimal() or zonedid in {"", "-1", _NO_ID}):
        return None
    return Zone(
        int(zoneid) if zoneid != _NO_ID else None,
        name,
        state,
        zonepath,
        uuid,
        brand,
        ip_type,
        int(zonedid) if zonedid.isdecimal() else None,
    )


def parse_zones(stdout: bytes) -> ZoneListing:
    """A parsable listing, in its own order."""
    zones: list[Zone] = []
    odd: list[str] = []
    has_global = False
    for line in records(stdout.decode(errors="replace")):
        zone = parse_zone(line)
        if zone is None:
            odd.append(line)
        elif zone.name == "global":
            has_global = True
        else:
            zones.append(zone)
    return ZoneListing(tuple(zones), tuple(odd), has_global)


class Zoneadm:
    """``zoneadm``, for looking only; a listing takes 10-30 ms and may be asked for every second."""

    def __init__(self, runner: Runner) -> None:
        self._runner = runner
        self._last: tuple[bytes | None, tuple[Zone, ...]] = (None, ())

    async def list(self) -> tuple[Zone, ...]:
        """Every zone from installed upwards; the very same tuple as before when nothing has changed."""
        attempted = "list the zones"
        completed = check(await self._runner.run(list_argv()), attempted)
        before, zones = self._last
        if completed.stdout != before:
            listing = parse_zones(whole_lines(completed, attempted))
            if not listing.has_global:
                raise unreadable(completed, attempted, "the global zone is not in its list")
            if listing.odd:
                log.warning("zoneadm.odd_lines", extra={"count": len(listing.odd), "first": listing.odd[0][:200]})
            zones = listing.zones
            self._last = (completed.stdout, zones)
        return zones

    async def find(self, zonename: str) -> Zone | None:
        """One zone in whatever state; None when there is none of that name."""
        attempted = f"look for zone {zonename}"
        try:
            completed = check(await self._runner.run(find_argv(zonename)), attempted)
        except NotFound:
            return None
        zones = parse_zones(whole_lines(completed, attempted)).zones
        if len(zones) != 1:
            raise unreadable(completed, attempted, "what it printed is not a line about that zone")
        return zones[0]
