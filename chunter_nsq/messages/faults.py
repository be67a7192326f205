"""What is wrong with a command, in words: each fault with its place and its remedy."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from chunter_nsq.actions import Action
from chunter_nsq.errors import Fault, InvalidMessage, UnknownAction
from chunter_nsq.mistyped import meant

SHOWN = 50
_IN_A_SENTENCE = 5
_PLAIN = re.compile(r"[A-Za-z0-9_-]{1,64}")


def fault_of(name: Any, faults: list[dict[str, str]], actions: Mapping[str, Action]) -> Fault:
    """The refusal of a command with these faults, or one whose action is not there."""
    if isinstance(name, str) and name and name not in actions and not faults:
        hint = meant(name, actions) or "host.info lists what there is"
        return UnknownAction(f"There is no action {name[:128]!r} here; {hint}", {"action": name[:128]})
    sentence = "; ".join(f"{fault['path']}: {fault['message']}" for fault in faults[:_IN_A_SENTENCE])
    more = len(faults) - _IN_A_SENTENCE
    ending = f" (and {more} or more others)" if more > 0 else ""
    return InvalidMessage(f"The command was not run: {sentence}{ending}", {"faults": faults[:SHOWN]})


def told(messages: Any, path: str, known: Mapping[str, Any]) -> Iterator[dict[str, str]]:
    """The faults that a schema found, ``{"path", "message"}`` each, in the order of their paths.

    ``known`` are the members that there may be; a field that has some of its own names them in ``members``. What is
    wrong with all members together stands under None.
    Made one by one, so that of a thousand only those that are shown cost the search for what was meant.
    """
    if isinstance(messages, dict):
        for key, inner in sorted(messages.items(), key=lambda item: str(item[0])):
            yield from told(inner, f"{path}{_step(key)}", getattr(known.get(key), "members", known))
        return
    for message in messages if isinstance(messages, list) else [messages]:
        text = str(message)
        member = path.rpartition(".")[2]
        if text == "Unknown field.":
            members = [getattr(one, "data_key", None) or name for name, one in known.items()]
            hint = meant(member, members) or f"known: {', '.join(members)}"
            text = f"unknown member; {hint}"
        elif text == "Missing data for required field.":
            text = "is required"
        elif text == "Field may not be null.":
            text = "must not be null; leave it out instead"
        yield {"path": path[:256], "message": text}


def _step(key: Any) -> str:
    if key is None:
        return ""
    if isinstance(key, int):
        return f"[{key}]"
    return f".{key}" if _PLAIN.fullmatch(key) else f"[{json.dumps(key[:64])}]"
