"""One list of actions: what was promised, what there is, and what is told of it."""

from __future__ import annotations

from ending_cases import CASES

import handlers
from chunter_nsq.config import KEYS
from chunter_nsq.messages.schema import asyncapi, json_schemas

PROMISED = [
    "host.ping",
    "host.info",
    "host.update",
    "host.replay",
    "machine.list",
    "machine.get",
    "machine.info",
    "machine.create",
    "machine.update",
    "machine.start",
    "machine.stop",
    "machine.reboot",
    "machine.delete",
    "machine.store",
    "machine.execute",
    "console.open",
    "console.close",
    "snapshot.create",
    "snapshot.delete",
    "snapshot.rollback",
    "snapshot.list",
    "snapshot.store",
    "backup.create",
    "backup.restore",
    "backup.list",
    "backup.verify",
    "backup.delete",
    "backup.prune",
    "image.list",
    "image.import",
    "image.delete",
    "service.enable",
    "service.disable",
    "service.refresh",
    "service.restart",
    "service.clear",
    "firewall.update",
    "lock.acquire",
    "lock.release",
    "command.status",
    "command.cancel",
]


def test_what_was_promised_is_there_and_nothing_else() -> None:
    """Handlers, schemas, the AsyncAPI document and the cases of the tests have the actions that controllers rely on."""
    actions = handlers.actions()
    document = asyncapi(actions, "chunter")
    messages = {name for name in document["components"]["messages"] if not name.startswith("chunter.")}

    assert sorted(PROMISED) == sorted(actions)
    assert sorted(PROMISED) == sorted(json_schemas(actions)["commands"])
    assert sorted(PROMISED) == sorted(messages)
    assert sorted(PROMISED) == sorted(CASES)


def test_a_switch_of_the_configuration_switches_something() -> None:
    """But for those that earlier files have, which say so; and whatever changes a machine can be switched off."""
    actions = handlers.actions().values()
    switches = {name for name in KEYS if name.endswith("_api")}
    idle = {name for name in switches if "without effect" in KEYS[name].doc}

    assert switches - idle == {one.group for one in actions if one.group is not None}
    assert {"metadata_api", "grouping_api"} == idle
    assert [] == [one.name for one in actions if one.name.startswith("machine.") and one.changes and not one.group]


def test_schemas_tell_the_errors() -> None:
    """The codes that an action declares stand in its schema."""
    for name, action in handlers.actions().items():
        told = json_schemas(handlers.actions())["commands"][name]["x-errors"]
        assert sorted(fault.code for fault in action.errors) == told, name
