"""What is published, in few words: a line for a command, one for its answer, one for an event."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

MB = 10**6
_FEW = 3
_WHOLE = 10 * MB
_KNOWN = frozenset({"uuid", "snapshot", "parent"})  # members that say again what was commanded
_ANSWERED = {
    "accepted": "dim", "progress": "dim", "succeeded": "green", "failed": "red", "rejected": "yellow",
    "expired": "yellow", "cancelled": "yellow", "interrupted": "yellow",
}  # fmt: skip
_FAMILIES = {"zone": "cyan", "host": "blue", "deadletter": "red"}
_ATTENTION = "bold red"


def command(document: Mapping[str, Any]) -> str:
    """A command as it was published."""
    members = {name: one for name, one in document.items() if name not in ("id", "host", "action", "uuid")}
    parameters = members.pop("params", {})
    words = [str(document.get("action", "")), str(document.get("uuid", ""))]
    words += [f"{name}={_short(one)}" for name, one in {**parameters, **members}.items()]
    return " ".join(word for word in words if word)


def answer(data: Mapping[str, Any]) -> tuple[str, str]:
    """A result and its style."""
    status = f"{data['status']}{' (duplicate)' if data.get('duplicate') else ''}"
    style = _ANSWERED.get(data["status"], "")
    brought = data.get("result") or {}
    if data.get("error"):
        return f"{status}: {data['error']['code']}. {data['error']['message']}", style
    if data["status"] == "progress":
        return data["progress"]["phase"], style
    if brought.get("dry_run"):
        return f"{status}: would run {' '.join(brought['argv'][0])}", style
    told = [part for name, one in brought.items() if name not in _KNOWN and (part := _part(name, one))]
    return f"{status}: {', '.join(told)}" if told else status, style


def event(document: Mapping[str, Any]) -> tuple[str, str]:
    """An event, its type first, and its style."""
    kind, subject, data = document["type"].removeprefix("chunter."), document["subject"], document["data"]
    family = kind.partition(".")[0]
    style = _FAMILIES.get(family, "magenta")
    match kind:
        case "zone.state":
            told = f"{subject} {data['data']}"
        case "zone.update":
            told, style = subject, "dim cyan"
        case "host.announce":
            used = data["data"]["resources"].get("provisioned-memory")
            told = f"{subject} {used} MB used" if used else subject
        case "host.warning":
            about = data["data"]
            told = about.get("message") or f"{about['source']} {about['state']}"
            style = "green" if about["state"] == "recovered" else _ATTENTION
        case "service.changed":
            told, style = f"{subject} {_services(data['changes'])}", _ATTENTION if data.get("attention") else "green"
        case "zpool.status":
            pools = data["data"]
            told = ", ".join(f"{name} {one['health']} {one['used'] >> 10} GB" for name, one in pools.items())
            style = "green" if {one["health"] for one in pools.values()} <= {"ONLINE"} else _ATTENTION
        case "deadletter":
            told = data["data"]["reason"]
        case _ if family in ("snapshot", "backup") and kind != "snapshot.sizes":
            what = _copy(data["data"])
            told = f"{subject}@{data['data']['uuid']} {'' if kind.endswith(what) else what}".rstrip()
        case _:
            told = subject
    return f"{kind} {told}", style


def _copy(inner: Mapping[str, Any]) -> str:
    """What is told about a snapshot or backup."""
    about = inner.get("data") or {}
    if "size" in about:
        return size(about["size"])
    if about.get("xml"):
        return "xml"
    stored = [size(one["size"]) for one in about.get("files", {}).values()]
    return ", ".join(stored) or str(about.get("state", ""))


def size(count: float) -> str:
    """Bytes for people."""
    return f"{count / MB:.{0 if count >= _WHOLE else 1}f} MB"


def _short(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{...}"
    return json.dumps(value) if not isinstance(value, str) or " " in value else value


def _part(name: str, value: Any) -> str:
    """A member of a result; nothing for what takes more than a few words."""
    match value:
        case bool() | str():
            return f"{name} {_short(value)}"
        case int() | float():
            return size(value) if name == "size" else f"{value:.1f} s" if name == "seconds" else f"{name} {value}"
        case list() if name == "path":
            return f"path {', '.join(one['snapshot'] for one in value)}"
        case list() if value:
            return f"{len(value)} {name.removesuffix('s') if len(value) == 1 else name}"
    return ""


def _services(changes: Mapping[str, Mapping[str, Any]]) -> str:
    if len(changes) > _FEW:
        return f"{len(changes)} services"
    told = (f"{fmri.removeprefix('svc:/').removesuffix(':default')} {one['new']}" for fmri, one in changes.items())
    return ", ".join(told) or "gone"
