"""Zone states: the platform's words, the public ones, and what is remembered of what was said last."""

from __future__ import annotations

from chunter_nsq.messages.events import Event, Note

SPACE = "zone"
STORED = "zone.stored"  # machines that are deleted here because they are in the store

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


def state_event(uuid: str, state: str, previous: str | None, zone_state: str) -> Event:
    """The chunter.zone.state event of a zone that the platform lists; it remembers itself."""
    data = {"event": "state", "data": state, "previous": previous, "zone_state": zone_state}
    return Event("zone", "chunter.zone.state", uuid, data, notes=(Note(SPACE, uuid, state),))


def announced(uuid: str, state: str) -> Event:
    """The chunter.zone.state event of a machine that is being made, or was not made after all."""
    return Event(
        "zone", "chunter.zone.state", uuid, {"event": "state", "data": state, "previous": None, "zone_state": None}
    )


def created_event(uuid: str) -> Event:
    """A chunter.zone.created event."""
    return Event("zone", "chunter.zone.created", uuid, {"event": "create"}, notes=(Note(STORED, uuid, None),))


def deleted_event(uuid: str) -> Event:
    """A chunter.zone.deleted event that forgets the zone."""
    return Event("zone", "chunter.zone.deleted", uuid, {"event": "delete"}, notes=(Note(SPACE, uuid, None),))


def stored_events(uuid: str, previous: str | None) -> list[Event]:
    """A machine is gone from here because it is in the store: its state, and an event that forgets the zone."""
    data = {"event": "state", "data": "stored", "previous": previous, "zone_state": None}
    notes = (Note(SPACE, uuid, None), Note(STORED, uuid, None))
    return [
        Event("zone", "chunter.zone.state", uuid, data),
        Event("zone", "chunter.zone.stored", uuid, {"event": "store"}, notes=notes),
    ]
