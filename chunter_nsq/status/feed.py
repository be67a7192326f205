"""What happens, in short, for those who watch: one small object for each event, and the rate of each topic.

Nothing is read and nothing is counted while nobody watches. What an event holds is not handed on whole: a result may
carry what a machine's owner wrote into it, and a page may be open on a screen that others see.
"""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

log = logging.getLogger(__name__)

Data = Mapping[str, Any]

# Topics that say how things are; they are counted only.
STATISTICS = frozenset({"arc", "memory", "metric", "zpool"})
_LONGEST = 300


class Feed:
    """Hands short forms of events to ``tell`` and counts all of them; see ``Outbox.listener``."""

    def __init__(self, prefix: str, tell: Callable[[dict[str, Any]], None]) -> None:
        self._prefix = f"{prefix}."
        self._tell = tell
        self._counts: Counter[str] = Counter()

    def take(self, topic: str, body: bytes) -> None:
        """An event was written."""
        name = topic.removeprefix(self._prefix)
        self._counts[name] += 1
        if name in STATISTICS:
            return
        try:
            event = json.loads(body)
            if event["type"] != "chunter.host.heartbeat":
                self._tell(short(name, event))
        except Exception:  # the outbox calls, and must not stumble over what is only looked at
            log.exception("status.event_untold", extra={"topic": topic})

    def counted(self) -> dict[str, int]:
        """How many events there were of each topic since it was asked last."""
        counts, self._counts = dict(self._counts), Counter()
        return counts


def short(topic: str, event: Data) -> dict[str, Any]:
    """An event in short."""
    kind = str(event["type"]).removeprefix("chunter.")
    says = _SAYS.get(kind, _SAYS.get(kind.partition(".")[0], _nothing))(event["data"])
    return {
        "id": event["id"],
        "time": event["time"],
        "topic": topic,
        "type": kind,
        "subject": event["subject"],
        "says": says[:_LONGEST],
    }


def _result(data: Data) -> str:
    error = data.get("error")
    progress = data.get("progress")
    reason = f": {error['message']}" if isinstance(error, Mapping) else ""
    phase = f", {progress['phase']}" if isinstance(progress, Mapping) else ""
    return f"{data['action']} {data['status']}{phase}{reason}"


def _state(data: Data) -> str:
    return f"{data['data']}, was {data['previous']}" if data.get("previous") else str(data["data"])


def _services(data: Data) -> str:
    changes = data["changes"]
    told = [f"{fmri} {one['old']} -> {one['new']}" for fmri, one in changes.items() if one["old"] != one["new"]]
    return ", ".join(told) or f"{len(changes) or len(data['data'])} services"


def _deed(data: Data) -> str:
    told = data["data"]
    state = told["data"].get("state") if isinstance(told.get("data"), Mapping) else None
    words = dict.fromkeys((str(told["uuid"]), str(told["action"]), state and str(state), told.get("message")))
    return " ".join(filter(None, words))


def _warning(data: Data) -> str:
    told = data["data"]
    return f"{told['source']} {told['state']}: {told.get('message', '')}".rstrip(": ")


def _announce(data: Data) -> str:
    return f"{data['data']['alias']}, version {data['data']['version']}"


def _dead(data: Data) -> str:
    return str(data["data"]["reason"])


def _cause(data: Data) -> str:
    return str(data["data"]["cause"])


def _nothing(_data: Data) -> str:
    return ""


_SAYS: dict[str, Callable[[Data], str]] = {
    "result": _result,
    "zone.state": _state,
    "zone.stopped": _cause,
    "service.changed": _services,
    "snapshot": _deed,
    "backup": _deed,
    "host.warning": _warning,
    "host.announce": _announce,
    "deadletter": _dead,
}
