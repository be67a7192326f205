"""The documents made from the message contract."""

from __future__ import annotations

import json

from jsonschema import Draft202012Validator

import handlers
from chunter_nsq.actions import Subject
from chunter_nsq.messages.command import Addressee, Origin, Refused, read
from chunter_nsq.messages.schema import asyncapi, command_shape, json_schemas

UUID = "11111111-2222-4333-8444-555555555555"


def test_every_schema_is_a_schema() -> None:
    """Each JSON Schema of a command and an event is valid itself."""
    for group in json_schemas(handlers.actions()).values():
        for shape in group.values():
            Draft202012Validator.check_schema(shape)


def test_schema_and_door_agree() -> None:
    """What the schema of an action takes the door takes too, and what it refuses the door refuses."""
    actions = handlers.actions()
    addressee = Addressee("host", "alias", "chunter")
    for name, action in actions.items():
        validator = Draft202012Validator(command_shape(action))
        candidates = [
            {"action": name},
            {"action": name, "uuid": UUID},
            {"action": name, "params": {"snapshot": "s1"}},
            {"action": name, "uuid": UUID, "params": {"snapshot": "s1", "dry_run": True}},
            {"action": name, "uuid": UUID, "params": {"payload": {"alias": "a"}}},
            {"action": name, "params": {"command": "c"}},
            {"action": name, "params": {"topic": "chunter.zone", "from": 1}},
            {"action": name, "uuid": UUID, "params": {"force": 1}},
            {"action": name, "unknown": 1},
        ]
        for candidate in candidates:
            try:
                taken = read(
                    Origin("chunter.command.host", "n", "i", 1, json.dumps(candidate).encode()), actions, addressee
                )
            except Refused:
                taken = None
            assert validator.is_valid(candidate) == (taken is not None), (name, candidate)
        assert ("uuid" in validator.schema["required"]) == (action.subject is Subject.REQUIRED)


def test_the_asyncapi_document_points_at_what_it_has() -> None:
    """Every reference of the AsyncAPI document leads to something in it."""
    document = asyncapi(handlers.actions(), "chunter")
    text = json.dumps(document)

    references = {part.partition('"')[0] for part in text.split('"$ref": "#/')[1:]}
    for reference in references:
        place = document
        for step in reference.split("/"):
            place = place[step]
        assert place
    assert "chunter.command.{hostid}" == document["channels"]["host-command"]["address"]
