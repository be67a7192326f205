"""What svccfg reads of a manifest: one service with its default instance and its methods."""

from __future__ import annotations

from chunter_nsq.smartos.simulator.xmltree import Element, Malformed, parse

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

DURATIONS = ("child", "wait", "transient")
CRITICAL_STARTS, CRITICAL_SECONDS = 10, 1


class Unfit(ValueError):
    """The document is no manifest, or one that this platform does not play."""


def read(document: bytes) -> dict[str, Any]:
    """``fmri``, ``enabled``, ``duration``, ``ignore_error``, ``critical``, ``folder``, ``environment`` and ``methods``.

    A method is its command line and its time limit in seconds, 0 for none. ``critical`` is how many starts are too
    many, and how many seconds lie between them on the average when they are.

    Raises:
        Unfit: it cannot be imported.
    """
    try:
        bundle = parse(document)
    except Malformed as fault:
        raise Unfit("couldn't parse document") from fault
    services = bundle.all("service")
    if bundle.tag != "service_bundle" or len(services) != 1 or not document.rstrip().endswith(b"</service_bundle>"):
        raise Unfit("couldn't parse document")
    service = services[0]
    instance = service.all("create_default_instance")
    if not instance:
        raise Unfit(f"service {service.attributes.get('name')} has no default instance")
    startd = _properties(service, "startd")
    duration = startd.get("duration", "contract")
    if duration not in DURATIONS:
        raise Unfit(f"services of duration {duration} are not simulated; there are {', '.join(DURATIONS)}")
    contexts = service.all("method_context")
    context = contexts[0] if contexts else Element("method_context")
    return {
        "fmri": f"svc:/{service.attributes['name']}:default",
        "enabled": instance[0].attributes.get("enabled") == "true",
        "duration": duration,
        "ignore_error": startd.get("ignore_error", "").split(","),
        "critical": [
            int(startd.get("critical_failure_count", CRITICAL_STARTS)),
            int(startd.get("critical_failure_period", CRITICAL_SECONDS)),
        ],
        "folder": context.attributes.get("working_directory", "/"),
        "environment": {
            one.attributes["name"]: one.attributes["value"]
            for block in context.all("method_environment")
            for one in block.all("envvar")
        },
        "methods": {
            one.attributes["name"]: [one.attributes["exec"], int(one.attributes["timeout_seconds"])]
            for one in service.all("exec_method")
        },
    }


def _properties(service: Element, group: str) -> dict[str, str]:
    found = service.named("property_group", group)
    return {one.attributes["name"]: one.attributes["value"] for one in found.all("propval")} if found else {}
