"""The generated regions, each a pure function from the code's own tables and the examples to Markdown."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any

import handlers
from chunter_nsq import errors
from chunter_nsq.actions import Action, Lane, Recovery, Subject
from chunter_nsq.config import example
from chunter_nsq.config.example import sections
from chunter_nsq.config.keys import Key
from chunter_nsq.endings import EVERY
from chunter_nsq.messages import catalogue
from chunter_nsq.messages.fields import Document, Flag, Text, Texts, Whole
from chunter_nsq.messages.params import schema_of
from tools.reference.examples import pretty

Examples = Mapping[str, Mapping[str, Any]]
_UUID = {Subject.NONE: "", Subject.OPTIONAL: "optional", Subject.REQUIRED: "required"}


def actions(_examples: Examples) -> str:
    """One row for each action."""
    rows = ["| action | uuid | params | lane | what |", "| --- | --- | --- | --- | --- |"]
    for name, action in sorted(handlers.actions().items()):
        params = ", ".join(f"`{member}`{'' if field.required else '?'}" for member, field in _members(action))
        link = f"[{name}](#{name.replace('.', '')})"
        rows.append(f"| {link} | {_UUID[action.subject]} | {params} | {action.lane} | {_says(action)} |")
    return "\n".join(rows)


def action_sections(examples: Examples) -> str:
    """One section for each action, with what was sent and answered in a real run."""
    return "\n\n".join(_action(action, examples) for _, action in sorted(handlers.actions().items()))


def events(_examples: Examples) -> str:
    """One row for each type of event."""
    rows = ["| type | topic | says |", "| --- | --- | --- |"]
    rows += [f"| [{kind.type}](#{_anchor(kind.type)}) | {kind.topic} | {kind.says} |" for kind in catalogue.KINDS]
    return "\n".join(rows)


def event_sections(examples: Examples) -> str:
    """One section for each type of event, with one that was published in a real run, or else the form of its data."""
    found = []
    for kind in catalogue.KINDS:
        shown = examples["events"].get(kind.type)
        remark = "" if shown else "None came up in the run that made this page; its `data` as JSON Schema:\n\n"
        block = f"{remark}```json\n{pretty(shown or kind.data)}\n```"
        found.append(f"### {kind.type}\n\nTopic `chunter.{kind.topic}`: {kind.says}.\n\n{block}")
    return "\n\n".join(found)


def codes(_examples: Examples) -> str:
    """One row for each error code."""
    rows = ["| code | when |", "| --- | --- |"]
    rows += [f"| `{fault.code}` | {_first(fault)} |" for fault in faults()]
    return "\n".join(rows)


def faults() -> list[type[errors.Fault]]:
    """Every error that has a code of its own, in the order of the module."""
    found = [one for one in vars(errors).values() if inspect.isclass(one) and issubclass(one, errors.Fault)]
    return [one for one in found if one is not errors.Fault]


def configuration(_examples: Examples) -> str:
    """A table for each section of chunter.conf."""
    found = []
    for title, remark, keys in sections():
        heading = f"### {title}\n\n{f'{remark[0].upper()}{remark[1:]}.' if remark else ''}".strip()
        rows = ["| key | default | what |", "| --- | --- | --- |", *map(_key, keys)]
        found.append(f"{heading}\n\n" + "\n".join(rows))
    return "\n\n".join(found)


def errors_of(action: Action) -> str:
    """One line for each error that an action declares."""
    return "\n".join(f"- `{fault.code}`: {words}" for fault, words in action.errors.items()) or "- none of its own"


def every_error(_examples: Examples) -> str:
    """One line for each error that any command may end with."""
    return "\n".join(f"- `{fault.code}`: {words}" for fault, words in EVERY.items())


def _errors_region(action: Action) -> Callable[[Examples], str]:
    return lambda _examples: errors_of(action)


REGIONS: Mapping[str, Callable[[Examples], str]] = {
    "actions": actions,
    "action sections": action_sections,
    "events": events,
    "event sections": event_sections,
    "codes": codes,
    "every error": every_error,
    "configuration": configuration,
    **{f"errors of {name}": _errors_region(action) for name, action in handlers.actions().items()},
}
__all__ = ["REGIONS", "example", "faults"]


def _action(action: Action, examples: Examples) -> str:
    about = [f"### {action.name}", _says(action), _facts(action)]
    if listed := [f"- `{name}` {_form(action, name, field)}" for name, field in _members(action)]:
        about.append("\n".join(listed))
    if ways := getattr(action.form, "WAYS", ()):
        forms = (" and ".join(f"`{member}`" for member in way.needed) for way in ways)
        about.append(f"Exactly one of these forms: {'; or '.join(forms)}.")
    if action.errors:
        about.append(f"Errors, beside [those of every command](#error-codes):\n\n{errors_of(action)}")
    shown = examples["actions"].get(action.name, {"command": "not played yet"})
    answer = {name: one for name, one in shown.items() if name != "command"}
    about.append(f"```json\n{pretty(shown['command'])}\n```")
    about.append(f"```json\n{pretty(answer)}\n```")
    return "\n\n".join(about)


def _facts(action: Action) -> str:
    facts = {
        Subject.NONE: "Takes no `uuid`.",
        Subject.OPTIONAL: "`uuid` may be left out.",
        Subject.REQUIRED: "Needs the `uuid` of a VM.",
    }[action.subject]
    if action.lane is Lane.QUERY:
        facts += " Waits for nothing, and is answered with one result."
    if not action.changes:
        facts += " Changes nothing."
    elif action.recovery is Recovery.RERUN:
        facts += " When the agent is cut off, the next one looks at the host and does what is missing."
    else:
        facts += " When the agent is cut off while it runs, it ends as `interrupted`."
    if action.exclusive:
        facts += " One at a time on each host."
    if action.cancellable:
        facts += " `command.cancel` can end it while it runs."
    return facts + (f" Switched by `{action.group}`." if action.group else "")


def _members(action: Action) -> list[tuple[str, Any]]:
    return [(field.data_key or name, field) for name, field in schema_of(action.form).fields.items()]


def _form(action: Action, name: str, field: Any) -> str:
    match field:
        case Flag():
            form = "true or false"
        case Whole() if field.most < 2**53 - 1:
            form = f"a whole number, {field.least} to {field.most}"
        case Whole():
            form = f"a whole number from {field.least} on"
        case Texts():
            form = f"a list of texts, each {field.item.form}"
        case Text():
            form = field.form
        case Document():
            form = "a JSON object"
        case _:
            form = _words(field)
    default = {one.name: one.default for one in fields(action.form)}.get(field.name or name)
    said = "" if default in (None, False, ()) or field.required else f", `{default}` when left out"
    return f"({'required' if field.required else 'optional'}): {form}{said}"


def _words(field: Any) -> str:
    """What the class of a field says of itself, within a sentence."""
    says = " ".join((inspect.getdoc(field) or "").split()).removesuffix(".").replace("``", "`").replace(". ", ": ")
    return says[0].lower() + says[1:]


def _key(key: Key) -> str:
    marks = [key.kind.name, *(word for word, marked in (("secret", key.secret), ("refresh", key.reloadable)) if marked)]
    name = f"`{key.name}.<name>`" if key.family else f"`{key.name}`"
    default = f"`{key.default}`" if key.default else ""
    return f"| {name} | {default} | {key.doc} ({'; '.join(marks)}) |"


def _says(action: Action) -> str:
    return " ".join((inspect.getdoc(action.run) or "").split("\n\n")[0].split())


def _first(fault: type[errors.Fault]) -> str:
    return " ".join((inspect.getdoc(fault) or "").split("\n\n")[0].split())


def _anchor(heading: str) -> str:
    return heading.replace(".", "")
