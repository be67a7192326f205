"""Several ways to say the same: which members belong together, and what is wrong with a mixture of them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from chunter_nsq.errors import Fault, InvalidMessage
from chunter_nsq.fifo.create import to_vmadm
from chunter_nsq.fifo.docker import dataset_of
from chunter_nsq.fifo.facts import HostFacts
from chunter_nsq.fifo.update import create_update
from chunter_nsq.messages.shapes import Shape
from chunter_nsq.smartos.docker_names import FORM, is_docker_name
from chunter_nsq.smartos.names import is_uuid

Faults = dict[str, Any]
# The door knows nothing of the host; what is missing or of the wrong kind does not depend on it.
_ANYWHERE = HostFacts(total_memory_mib=0, now_ms=0)
_BESIDE_DOCKER = ("docker", "kernel_version")


@dataclass(frozen=True, slots=True)
class Way:
    """Members that must all be there, and those that may be beside them."""

    needed: tuple[str, ...]
    others: tuple[str, ...] = ()

    @property
    def members(self) -> tuple[str, ...]:
        """All of them."""
        return (*self.needed, *self.others)


def faults_of(ways: tuple[Way, ...], given: Collection[str]) -> Faults:
    """What is wrong unless the members given are of exactly one way, and whole."""
    chosen = [way for way in ways if any(member in given for member in way.members)]
    if not chosen:
        first, *rest = (" and ".join(way.needed) for way in ways)
        return {first: [f"is required, or {' or '.join(rest)} instead"]}
    (way, *mixed) = chosen
    found = {
        member: [f"must not stand beside {way.members[0]}"]
        for one in mixed
        for member in one.members
        if member in given
    }
    found |= {member: ["is required"] for member in way.needed if member not in given}
    return found


def shape_of(ways: tuple[Way, ...]) -> Shape:
    """The same as JSON Schema."""
    every = [member for way in ways for member in way.members]
    return {
        "oneOf": [
            {
                "required": list(way.needed),
                "not": {"anyOf": [{"required": [member]} for member in every if member not in way.members]},
            }
            for way in ways
        ]
    }


def create_faults(values: Mapping[str, Any]) -> Faults:
    """What is wrong with a machine as FiFo describes it."""
    package, dataset, config = (values.get(name) for name in ("package", "dataset", "config"))
    found = _uuid_faults(values, "config") | _uuid_faults(values, "payload") | _docker_faults(dataset)
    if package is None or dataset is None or config is None:
        return found
    if "docker" in dataset:
        dataset = dataset_of(dataset, "its registry knows")
    try:
        to_vmadm(package, dataset, config, _ANYWHERE)
    except Fault as fault:
        for form, faults in _placed(fault).items():
            is_nested = isinstance(faults, dict) and isinstance(found.get(form), dict)
            found[form] = {**found[form], **faults} if is_nested else faults
    return found


def update_faults(values: Mapping[str, Any]) -> Faults:
    """What is wrong with a change as FiFo describes it."""
    if values.get("config") is None:
        return {}
    try:
        create_update({}, values.get("package"), values["config"], _ANYWHERE)
    except Fault as fault:
        return _placed(fault)
    return {}


def _uuid_faults(values: Mapping[str, Any], name: str) -> Faults:
    uuid = (values.get(name) or {}).get("uuid")
    is_good = uuid is None or (isinstance(uuid, str) and is_uuid(uuid))
    return {} if is_good else {name: {"uuid": ["must be a lowercase uuid of the form 8-4-4-4-12"]}}


def _docker_faults(dataset: Mapping[str, Any] | None) -> Faults:
    """A name stands for the whole dataset."""
    if dataset is None or "docker" not in dataset:
        return {}
    faults = {name: ["must not stand beside docker"] for name in dataset if name not in _BESIDE_DOCKER}
    if not isinstance(dataset["docker"], str) or not is_docker_name(dataset["docker"]):
        faults["docker"] = [f"must be {FORM}"]
    return {"dataset": faults} if faults else {}


def _placed(fault: Fault) -> Faults:
    """The faults by their places; what this host cannot do it says when the command runs."""
    found: Faults = {}
    for one in fault.details.get("faults", ()) if isinstance(fault, InvalidMessage) else ():
        form, _, member = one["path"].partition(".")
        if member:
            found.setdefault(form, {})[member] = [one["message"]]
        else:
            found[form] = [one["message"]]
    return found
