"""Zone states: the platform's words, the public ones, and what is remembered of what was said last."""

from __future__ import annotations

from chunter_nsq.messages.events import Event, Note

SPACE = "zone"
_NOT_LISTED = "-"

PUBLIC = {
    "uninitialized": "stopped",
    "installed": "stopped",
    "stopped": "stopped",
    "initialized": "booting",
    "ready": "booting",
    "booting": "booting",
    "running": "running",
    "up": "running",
    "shutting_down": "shutting_down",
    "empty": "shutting_down",
    "dying": "shutting_down",
    # On its way down until it is installed again; a zone can stick here.
    "down": "shutting_down",
    "dead": "stopped",
}


def public(raw: str) -> str:
    """The public state of a raw one; ``unknown`` for what has no mapping."""
    return PUBLIC.get(raw, "unknown")


def state_event(
    uuid: str, state: str, previous: str | None, zone_state: str | None, *, is_listed: bool = True
) -> Event:
    """A chunter.zone.state event that remembers itself; ``is_listed`` says whether the platform lists the zone."""
    data = {"event": "state", "data": state, "previous": previous, "zone_state": zone_state}
    kept = state if is_listed else f"{_NOT_LISTED}{state}"
    return Event("zone", "chunter.zone.state", uuid, data, notes=(Note(SPACE, uuid, kept),))


def created_event(uuid: str) -> Event:
    """A chunter.zone.created event."""
    return Event("zone", "chunter.zone.created", uuid, {"event": "create"})


def deleted_event(uuid: str) -> Event:
    """A chunter.zone.deleted event that forgets the zone."""
    return Event("zone", "chunter.zone.deleted", uuid, {"event": "delete"}, notes=(Note(SPACE, uuid, None),))


def remembered(note: str) -> tuple[str, bool]:
    """The state of a note, and whether the platform listed the zone then."""
    return note.removeprefix(_NOT_LISTED), not note.startswith(_NOT_LISTED)
