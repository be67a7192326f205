"""Our verdicts on corpora of payloads, zone documents and firewall rules, in the form the corpora have them.

Each judge takes a case and its corpus, and says what this simulator says under the same member names.
"""

from __future__ import annotations

import copy
import itertools
import math
import re

from chunter_nsq.smartos.simulator import zonexml
from chunter_nsq.smartos.simulator.firewall.fault import RuleFault
from chunter_nsq.smartos.simulator.firewall.rule import Rule
from chunter_nsq.smartos.simulator.payload.javascript import UNDEFINED, Crash
from chunter_nsq.smartos.simulator.payload.normalise import normalise
from chunter_nsq.smartos.simulator.payload.refusal import Rejected
from chunter_nsq.smartos.simulator.payload.surroundings import Surroundings
from chunter_nsq.smartos.simulator.payload.validate import validate
from chunter_nsq.smartos.simulator.values import whole
from chunter_nsq.smartos.simulator.xmltree import Malformed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    Case = dict[str, Any]

# A MAC address as vmadm makes them up: no two programs make the same.
MASKED = re.compile(r"\b[0-9a-f]2(?::[0-9a-f]{2}){5}\b")
LATER = ["AssertionError: idx should be equal to ndone"]
# The host that payloads were judged on where a corpus does not bring its own.
IMAGES: dict[str, Any] = {
    "zones/01b2c898-945f-11e1-a523-af1afbe22822": {"type": "zone-dataset"},
    "tank/01b2c898-945f-11e1-a523-af1afbe22822": {"type": "zone-dataset"},
    "zones/63d6e664-3f1f-11e8-aef6-a3120cf8dd9d": {"type": "lx-dataset", "tags": {"kernel_version": "4.3.0"}},
    "zones/0e1c6f8e-50f3-6bcc-e4fa-44d03f9d5b51": {"type": "docker"},
    "zones/84cb7edc-3f22-11e2-8a2a-3f2a7b148699": {"type": "zvol", "image_size": 10240},
    "zones/221aff84-a149-11e3-9d5e-8b8a1a2ae3ba": {
        "type": "zvol",
        "image_size": 20480,
        "requirements": {"bootrom": "uefi"},
    },
    "zones/33c3c1c0-4a6e-4a2d-8f7c-1d1f2a3b4c5d": {"type": "zvol"},
    "zones/44d4d2d1-5b7f-4b3e-9a8d-2e2a3b4c5d6e": {
        "type": "zvol",
        "image_size": 10240,
        "requirements": {"min_platform": {"7.0": "20210225T124034Z"}},
        "tags": {"org.smartos:cloudinit_datasource": "nocloud"},
    },
}


def surroundings(world: dict[str, Any]) -> Surroundings:
    """The host that a corpus describes, with UUIDs counted from one."""
    counter = itertools.count(1)
    return Surroundings(
        zpools=world.get("zpools", ("zones", "tank")),
        images=world.get("images", IMAGES),
        nic_tags=[(name, facts[2]) for name, facts in world.get("nic_tags", {}).items()],
        overlay_rules=world.get("overlay_rules", ()),
        vms=lambda: world.get("vms", []),
        fresh_uuid=lambda: f"fffffff0-0000-4000-8000-{next(counter):012x}",
    )


def _validated(case: Case, world: dict[str, Any], brand: Any) -> Case:
    try:
        errors = validate(copy.deepcopy(case["payload"]), case["op"], brand, surroundings(world))
    except Crash as crash:
        return {"verdict": "invalid", "errors": {"uncaught_exception": f"TypeError: {crash}"}}
    return {"verdict": "valid" if errors is None else "invalid", "errors": errors}


def verdict_of_value(case: Case, corpus: dict[str, Any]) -> Case:
    """Of a case of the matrix: verdict and errors."""
    found = _validated(case, corpus.get("world", {}), case["brand"])
    if found["errors"] and "uncaught_exception" in found["errors"]:
        found["errors"] = {"uncaught_exception": "TypeError"}
    return found


def verdict_of_payload(case: Case, corpus: dict[str, Any]) -> Case:
    """Of a payload: verdict and errors of validate, what create or update would do, and the payload it works with."""
    world = corpus.get("world", {})
    brand = case["payload"].get("brand") if case["op"] == "create" else case["brand"]
    found = _validated(case, world, brand)
    vm = copy.deepcopy(corpus.get("existing_vms", {}).get(case.get("existing"))) if case["op"] == "update" else None
    if case["op"] == "update" and vm is None:
        return found
    payload, dropped = copy.deepcopy(case["payload"]), list[str]()
    apply: dict[str, Any] = {"verdict": "rejected"}
    around = surroundings(world)
    try:
        if vm is None and "uuid" not in payload:
            payload["uuid"] = around.fresh_uuid()
        _check_taken(payload, vm, world)
        normalised = normalise(payload, vm, around, dropped)
        apply = {"verdict": "accepted"}
        found["normalised"] = plain(normalised)
    except Rejected as refusal:
        apply |= {"error": refusal.text} | ({"later": LATER} if refusal.twice else {})
    except Crash as crash:
        apply |= {"crash": True, "error": f"TypeError: {crash}"}
    return found | {"apply": apply | ({"dropped": dropped} if dropped else {})}


def _check_taken(payload: dict[str, Any], vm: dict[str, Any] | None, world: dict[str, Any]) -> None:
    if vm is None and any(other["uuid"] == payload["uuid"] for other in world.get("vms", ())):
        raise Rejected(f"VM with UUID {payload['uuid']} already exists")


def plain(value: Any) -> Any:
    """A value as a corpus writes it: what is unset or no number by name."""
    if isinstance(value, dict):
        return {key: plain(one) for key, one in value.items()}
    if isinstance(value, list):
        return [plain(one) for one in value]
    if value is UNDEFINED:
        return "__undefined__"
    if isinstance(value, float):
        return "__NaN__" if math.isnan(value) else whole(value) if math.isfinite(value) else None
    return value


def verdict_of_document(case: Case, _corpus: dict[str, Any]) -> Case:
    """Of a zone's XML: the object made of it, or the error."""
    try:
        return {"xml_vm": zonexml.load(case["xml"].encode())}
    except Malformed as fault:
        return {"error": {"stage": "vmload-xml", "code": "PARSE_ERROR", "message": str(fault)}}
    except zonexml.Unusable as fault:
        stage = "vmload-xml (throws: vminfod/vmadm would abort)"
        code = {"code": fault.code} if fault.code else {}
        return {"error": {"stage": stage, **code, "message": str(fault)}}


def verdict_of_rule(case: Case, _corpus: dict[str, Any]) -> Case:
    """Of a firewall rule: its text as the platform keeps it, or the error."""
    try:
        return {"verdict": "valid", "normalised": Rule(case["rule"]).text}
    except RuleFault as fault:
        return {"verdict": "invalid", "error": {"name": "VError", "field": "rule", "message": str(fault)}}


# By the kind of corpus: what we say to one of its cases.
KINDS: dict[str, Callable[[Case, dict[str, Any]], Case]] = {
    "vmadm-verdicts": verdict_of_payload,
    "vmadm-matrix": verdict_of_value,
    "zone-xml": verdict_of_document,
    "fwrules": verdict_of_rule,
}
