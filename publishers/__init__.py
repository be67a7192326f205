"""One module per thing the host tells; ``schedule`` makes all of them."""

from __future__ import annotations

from chunter_nsq.ticker import Publisher
from chunter_nsq.tools import Tools
from publishers.announce import Announce
from publishers.arc import Arc
from publishers.caphits import CapRecord
from publishers.heartbeat import Heartbeat
from publishers.memory import Memory
from publishers.metrics import Metrics
from publishers.nsqd import Nsqd
from publishers.services import Services
from publishers.snapshots import Snapshots
from publishers.stops import Stops
from publishers.strangers import Strangers
from publishers.updates import Updates
from publishers.zoneinfo import ZoneInfo
from publishers.zones import Zones
from publishers.zpools import Zpools


def schedule(tools: Tools) -> tuple[Publisher, ...]:
    """The publishers of a host; each says how often it wants to be asked."""
    info, caps = ZoneInfo(tools), CapRecord()
    zones = Zones(tools, info)
    return (
        Announce(tools),
        Heartbeat(tools, zones.counts),
        zones,
        info,
        Memory(tools),
        Services(tools),
        Zpools(tools),
        Arc(tools),
        Snapshots(tools),
        Metrics(tools, caps),
        Stops(tools, caps),
        Updates(tools),
        Strangers(tools),
        Nsqd(tools),
    )
