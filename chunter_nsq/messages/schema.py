"""JSON Schema and AsyncAPI of all messages, made from what checks the commands and from the catalogue of events."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from chunter_nsq import __version__
from chunter_nsq.actions import Action, Subject
from chunter_nsq.messages import ways
from chunter_nsq.messages.catalogue import CONSOLE, KINDS, envelope
from chunter_nsq.messages.command import Envelope
from chunter_nsq.messages.console_params import TYPED_SHAPE
from chunter_nsq.messages.params import schema_of
from chunter_nsq.messages.shapes import Shape, constant, record

_DRAFT = "https://json-schema.org/draft/2020-12/schema"


def shape_of(field: Any) -> Shape:
    """The JSON Schema of what a field of :mod:`chunter_nsq.messages.fields` takes."""
    shape: Shape = field.shape
    return shape


def params_shape(form: type[Any]) -> Shape:
    """The JSON Schema of a form of parameters."""
    schema = schema_of(form)
    members = {one.name: schema.fields[one.name] for one in fields(form)}
    named = {field.data_key or name: (shape_of(field), field.required) for name, field in members.items()}
    required = {name: shape for name, (shape, is_required) in named.items() if is_required}
    optional = {name: shape for name, (shape, is_required) in named.items() if not is_required}
    shape = record(required, optional=optional)
    return shape | ways.shape_of(form.WAYS) if hasattr(form, "WAYS") else shape


def command_shape(action: Action) -> Shape:
    """The JSON Schema of a command."""
    envelope_fields = schema_of(Envelope).fields
    taken = {name: shape_of(field) for name, field in envelope_fields.items() if name not in ("action", "params")}
    uuid = taken.pop("uuid")
    params = params_shape(action.form)
    required: dict[str, Shape] = {"action": constant(action.name)}
    optional: dict[str, Shape] = taken
    (required if action.subject is Subject.REQUIRED else optional)["uuid"] = uuid
    if action.subject is Subject.NONE:
        optional.pop("uuid")
    (required if params["required"] or "oneOf" in params else optional)["params"] = params
    says = (action.run.__doc__ or "").partition("\n")[0]
    shape = record(required, optional=optional)
    return {"$schema": _DRAFT, "title": action.name, "description": says, **shape, "x-errors": _codes(action)}


def _codes(action: Action) -> list[str]:
    """The codes of its ``error``; those open to every command are not among them."""
    return sorted(fault.code for fault in action.errors)


def json_schemas(actions: Mapping[str, Action]) -> dict[str, dict[str, Shape]]:
    """``{"commands": {action: schema}, "events": {type: schema}}``."""
    return {
        "commands": {name: command_shape(one) for name, one in sorted(actions.items())},
        "events": {kind.type: envelope(kind) for kind in KINDS},
    }


def asyncapi(actions: Mapping[str, Action], prefix: str) -> dict[str, Any]:
    """An AsyncAPI 3.0 document of the agent: it receives commands and sends events."""
    schemas = json_schemas(actions)
    messages = {
        name: {"name": name, "contentType": "application/json", "payload": _plain(shape)}
        for group in schemas.values()
        for name, shape in group.items()
    }
    topics = sorted({kind.topic for kind in KINDS})
    channels = {topic: _channel(f"{prefix}.{topic}", [k.type for k in KINDS if k.topic == topic]) for topic in topics}
    channels["command"] = _channel(f"{prefix}.command", sorted(actions))
    channels["host-command"] = {
        **_channel(f"{prefix}.command.{{hostid}}", sorted(actions)),
        "parameters": {"hostid": {"description": "The host's id, as it announces it."}},
    }
    session = {"session": {"description": "The session's name, as console.open gave it."}}
    channels[CONSOLE]["parameters"] = session
    channels["console.{session}.in"] = {
        **_channel(f"{prefix}.console.{{session}}.in", ["chunter.console.input"]),
        "parameters": session,
    }
    messages["chunter.console.input"] = {
        "name": "chunter.console.input", "contentType": "application/json", "payload": TYPED_SHAPE,
    }  # fmt: skip
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "chunter-nsq",
            "version": __version__,
            "description": "Commands to a SmartOS hypervisor and what it tells, over NSQ.",
        },
        "defaultContentType": "application/json",
        "channels": channels,
        "operations": {name: _operation(name) for name in channels},
        "components": {"messages": messages},
    }


def _channel(address: str, names: list[str]) -> dict[str, Any]:
    return {"address": address, "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in names}}


def _operation(channel: str) -> dict[str, Any]:
    verb = "receive" if channel in ("command", "host-command", "console.{session}.in") else "send"
    return {"action": verb, "channel": {"$ref": f"#/channels/{channel}"}}


def _plain(shape: Shape) -> Shape:
    return {name: value for name, value in shape.items() if name != "$schema"}
