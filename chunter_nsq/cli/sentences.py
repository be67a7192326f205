"""Events in words, one line each."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from chunter_nsq.cli.answer import step
from chunter_nsq.cli.outline import plain

Data = Mapping[str, Any]

_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_SHOWN = 4  # as many services or pools are named in a line


class Names:
    """What hosts and machines are called, learned from what they say of themselves."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {}

    def learn(self, event: Data) -> None:
        """Announcements and configurations have names."""
        told = _part(_part(event, "data"), "data")
        subject = str(event.get("subject"))
        config = told.get("config")
        alias = (config if isinstance(config, Mapping) else told).get("alias")
        if event.get("type") in _NAMING and isinstance(alias, str) and alias:
            self._names[subject] = alias

    def short(self, subject: Any) -> str:
        """A name, else the beginning of a uuid, else the whole."""
        text = plain(subject)
        return plain(self._names.get(text) or (text[:8] if _UUID.fullmatch(text) else text))


def sentence(event: Data, names: Names) -> str:
    """What happened."""
    data = _part(event, "data")
    tell = _TELL.get(str(event.get("type")))
    return tell(data, names) if tell is not None else _unknown(event, data)


def line(topic: str, event: Data, names: Names) -> str:
    """Time of day, topic, subject and what happened."""
    clock = str(event.get("time", "")).partition("T")[2].removesuffix("Z") or "-"
    return f"{plain(clock):<12}  {plain(topic):<9}  {names.short(event.get('subject')):<12}  {sentence(event, names)}"


def _state(data: Data, _names: Names) -> str:
    previous = f" (was {plain(data['previous'])})" if data.get("previous") else ""
    raw = f", the platform says {plain(data.get('zone_state'))}" if data.get("data") == "unknown" else ""
    return f"is {plain(data.get('data'))}{previous}{raw}"


def _update(data: Data, _names: Names) -> str:
    config = _part(_part(data, "data"), "config")
    known = [(name, config[name]) for name in ("alias", "state", "ram", "quota") if name in config]
    return "configuration: " + (", ".join(f"{name} {plain(one)}" for name, one in known) or "changed")


def _stopped(data: Data, _names: Names) -> str:
    return f"stopped by itself: {plain(_part(data, 'data').get('cause'))}"


def _services(data: Data, _names: Names) -> str:
    changes = _part(data, "changes")
    if changes:
        told = [f"{plain(fmri)} {_change(one)}" for fmri, one in changes.items()]
    else:
        told = [f"{plain(fmri)} {plain(one)}" for fmri, one in _part(data, "data").items()]
    return _some(told, "services")


def _change(change: Any) -> str:
    if not isinstance(change, Mapping):
        return plain(change)
    if change.get("old") == change.get("new"):
        return "restarted"
    return f"{plain(change.get('old'))} -> {plain(change.get('new'))}"


def _snapshot(data: Data, _names: Names) -> str:
    told = _part(data, "data")
    return f"snapshot {plain(told.get('uuid'))} {plain(told.get('action'))}{_message(told)}"


def _backup(data: Data, _names: Names) -> str:
    told = _part(data, "data")
    return f"backup {plain(told.get('uuid'))} {plain(told.get('action'))}{_message(told)}"


def _result(data: Data, names: Names) -> str:
    status = plain(data.get("status"))
    if status == "progress":
        status = step(_part(data, "progress"))
    told = f"{plain(data.get('action'))} {status} on {names.short(data.get('host'))}"
    return f"{told}{_message(_part(data, 'error'))}"


def _announce(data: Data, _names: Names) -> str:
    told = _part(data, "data")
    simulated = ", simulated" if told.get("simulated") else ""
    where = f"at {plain(told['ip'])}, " if told.get("ip") else ""
    return f"host {plain(told.get('alias'))} is here: {where}version {plain(told.get('version'))}{simulated}"


def _heartbeat(data: Data, _names: Names) -> str:
    told = _part(data, "data")
    running = told.get("running")
    count = len(running) if isinstance(running, list) else 0
    return f"lives: {count} running, {plain(told.get('queued'))} queued, {plain(told.get('outbox'))} to send"


def _leaving(data: Data, _names: Names) -> str:
    return f"host {plain((_part(data, 'data') or data).get('alias'))} leaves"


def _dropped(data: Data, _names: Names) -> str:
    told = _part(data, "data") or data
    named = ", ".join(f"{plain(name)} {plain(one)}" for name, one in told.items() if not isinstance(one, dict | list))
    return f"dropped unsent: {named}"


def _warning(data: Data, _names: Names) -> str:
    told = _part(data, "data")
    return f"warning: {plain(told.get('source'))} {plain(told.get('state'))}{_message(told)}"


def _zpool(data: Data, _names: Names) -> str:
    pools = _part(data, "data")
    told = [
        f"{plain(pool)} {plain(one.get('health'))}, {plain(one.get('used'))} of {plain(one.get('size'))} MB used"
        for pool, one in pools.items()
        if isinstance(one, Mapping)
    ]
    return _some(told, "pools")


def _dead(data: Data, _names: Names) -> str:
    told = _part(data, "data")
    return f"not understood, from {plain(told.get('topic'))}: {plain(told.get('reason'))}"


def _unknown(event: Data, data: Data) -> str:
    kind = plain(event.get("type")).removeprefix("chunter.")
    told = _part(data, "data")
    named = " ".join(f"{plain(name)}={plain(one)}" for name, one in told.items() if not isinstance(one, dict | list))
    return f"{kind} {named}".rstrip()


def _message(told: Data) -> str:
    text = told.get("message") or _part(told, "error").get("message")
    return f": {plain(text)}" if text else ""


def _some(told: list[str], what: str) -> str:
    more = f" and {len(told) - _SHOWN} more {what}" if len(told) > _SHOWN else ""
    return ", ".join(told[:_SHOWN]) + more or f"no {what}"


def _part(value: Any, name: str) -> Data:
    found = value.get(name) if isinstance(value, Mapping) else None
    return found if isinstance(found, Mapping) else {}


_NAMING = frozenset({"chunter.host.announce", "chunter.zone.update"})

_TELL: dict[str, Callable[[Data, Names], str]] = {
    "chunter.zone.state": _state,
    "chunter.zone.update": _update,
    "chunter.zone.created": lambda _data, _names: "is here",
    "chunter.zone.deleted": lambda _data, _names: "is gone",
    "chunter.zone.stored": lambda _data, _names: "is stored away",
    "chunter.zone.stopped": _stopped,
    "chunter.service.changed": _services,
    "chunter.zpool.status": _zpool,
    "chunter.result": _result,
    "chunter.deadletter": _dead,
    "chunter.host.announce": _announce,
    "chunter.host.heartbeat": _heartbeat,
    "chunter.host.leaving": _leaving,
    "chunter.host.dropped": _dropped,
    "chunter.host.warning": _warning,
    **{f"chunter.snapshot.{kind}": _snapshot for kind in ("completed", "deleted", "rollback", "error")},
    **{f"chunter.backup.{kind}": _backup for kind in ("update", "completed", "failed", "restored", "verified")},
}
