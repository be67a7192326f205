"""Reading a package, dataset or configuration: every fault is collected, then all are refused at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from chunter_nsq.errors import InvalidMessage
from chunter_nsq.fifo.sizing import Number, is_number

MISSING = "missing"
INVALID = "invalid"


class Inspection:
    """Reads members by their place, such as ``package.ram``, and remembers what is wrong with them.

    A reading with a fault gives an empty value of its type, so that the next one can be made; :meth:`refuse`
    must be called before any reading is used.
    """

    def __init__(self, purpose: str) -> None:
        self._purpose = purpose
        self.faults: list[dict[str, str]] = []

    def note(self, path: str, problem: str, remedy: str) -> None:
        """Remember one fault; ``problem`` is ``missing`` or ``invalid``."""
        self.faults.append({"path": path, "problem": problem, "message": f"is {problem}: {remedy}"})

    def refuse(self) -> None:
        """Raise InvalidMessage naming every fault found so far, each with its remedy; nothing without a fault."""
        if not self.faults:
            return
        told = "; ".join(f"{fault['path']} {fault['message']}" for fault in self.faults)
        raise InvalidMessage(f"cannot {self._purpose}: {told}", {"faults": self.faults})

    def form(self, value: Any, place: str) -> Mapping[str, Any]:
        """A whole form, which must be there and be an object."""
        if isinstance(value, Mapping):
            return value
        self.note(place, MISSING if value is None else INVALID, "give a JSON object")
        return {}

    def number(self, form: Mapping[str, Any], place: str) -> Number:
        """A number of 0 or more that must be there."""
        value = self.optional_number(form, place)
        if value is None:
            self._note_absent(form, place, "give a number of 0 or more")
        return value or 0

    def optional_number(self, form: Mapping[str, Any], place: str) -> Number | None:
        """A number of 0 or more, or None where the form has none."""
        value = form.get(_key(place))
        if value is None:
            return None
        if is_number(value) and value >= 0:
            return value
        self.note(place, INVALID, "give a number of 0 or more")
        return 0

    def present(self, form: Mapping[str, Any], place: str, remedy: str) -> Any:
        """A value that must be there and is handed on as it is."""
        value = form.get(_key(place))
        if value is None:
            self._note_absent(form, place, remedy)
        return value

    def optional_object(self, form: Mapping[str, Any], place: str) -> Mapping[str, Any] | None:
        """An object, or None where the form has none."""
        value = form.get(_key(place))
        if value is None or isinstance(value, Mapping):
            return value
        self.note(place, INVALID, "give a JSON object")
        return None

    def optional_objects(self, form: Mapping[str, Any], place: str) -> Sequence[Mapping[str, Any]] | None:
        """A list of objects, or None where the form has none."""
        value = form.get(_key(place))
        if value is None:
            return None
        if isinstance(value, list | tuple) and all(isinstance(entry, Mapping) for entry in value):
            return value
        self.note(place, INVALID, "give a list of JSON objects")
        return None

    def _note_absent(self, form: Mapping[str, Any], place: str, remedy: str) -> None:
        owner = place.partition(".")[0]
        if form or all(fault["path"] != owner for fault in self.faults):
            self.note(place, MISSING, remedy)


def _key(place: str) -> str:
    return place.partition(".")[2]
