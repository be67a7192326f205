from __future__ import annotations

import dataclasses

import pytest
from marshmallow import ValidationError

import handlers
from chunter_nsq.errors import InvalidMessage
from chunter_nsq.messages import params
from chunter_nsq.messages.console_params import typed
from chunter_nsq.messages.params import load, schema_of

FORMS = [
    one
    for one in vars(params).values()
    if isinstance(one, type) and dataclasses.is_dataclass(one) and one.__module__ == params.__name__
]


def faults(form, document):
    """What is wrong with a document, by member."""
    with pytest.raises(ValidationError) as caught:
        load(form, document)
    return caught.value.messages


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.__name__)
def test_members_without_default_are_required_and_null_is_refused(form):
    """A form asks for exactly what has no default, takes nothing unknown, and null is never a value."""
    members = {field.data_key or name: field for name, field in schema_of(form).fields.items()}
    needed = {one.name for one in dataclasses.fields(form) if one.default is dataclasses.MISSING}
    assert needed == {name for name, field in schema_of(form).fields.items() if field.required}
    found = faults(form, {"no such member": 1, **dict.fromkeys(members)})
    expected = {name: ["Field may not be null."] for name in members}
    assert {**expected, "no such member": ["Unknown field."]} == found


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.__name__)
def test_forms_are_frozen(form):
    """After the door nothing changes."""
    assert form.__dataclass_params__.frozen


def test_every_changing_action_takes_a_dry_run():
    """Whatever changes something can be looked at first."""
    changing = [one for one in handlers.actions().values() if one.changes]
    assert [] == [one.name for one in changing if "dry_run" not in {f.name for f in dataclasses.fields(one.form)}]


def test_queries_take_no_dry_run():
    """A member that would mean nothing is not taken."""
    queries = [one for one in handlers.actions().values() if not one.changes]
    assert [] == [one.name for one in queries if "dry_run" in {f.name for f in dataclasses.fields(one.form)}]


def test_member_called_from_is_written_as_in_the_message():
    """A word that Python keeps for itself has its own name in the message."""
    expected = params.Replay(topic="chunter.zone", from_=3, to=9)
    assert expected == load(params.Replay, {"topic": "chunter.zone", "from": 3, "to": 9})
    assert {"from_": ["Unknown field."], "from": ["Missing data for required field."]} == faults(
        params.Replay, {"topic": "chunter.zone", "from_": 3}
    )


@pytest.mark.parametrize("payload", [{}, [], None, "x", 5, True], ids=repr)
def test_payload_is_an_object_with_something_in_it(payload):
    """A payload goes to the platform whole; what is none does not."""
    assert ["payload"] == list(faults(params.MachineCreate, {"payload": payload}))


@pytest.mark.parametrize(
    ("cdrom", "is_taken"),
    [
        ("/zones/isos/a.iso", True), ("relative.iso", False), ("/zones/../etc/shadow", False), ("/zones/..", False),
        ("/zones/a b.iso", False), ("/zones/a,b.iso", False), ("/zones/a\n", False), ("/", False), ("", False),
        ("/zones/..a.iso", True),
    ],
    ids=repr,
)  # fmt: skip
def test_paths_are_absolute_plain_and_do_not_climb(cdrom, is_taken):
    """What could lead elsewhere, or be more than a path to vmadm, is refused."""
    assert is_taken == (not schema_of(params.MachineStart).validate({"cdrom": cdrom}))


@pytest.mark.parametrize(("once", "is_taken"), [("c", True), ("dcn", True), ("x", False), ("cdnc", False), ("", False)])
def test_boot_order_is_made_of_its_letters(once, is_taken):
    """One to three of c, d and n."""
    assert is_taken == (not schema_of(params.MachineStart).validate({"once": once}))


@pytest.mark.parametrize("types", [["vnc"], ["vnc", "block"]])
def test_info_types_are_words(types):
    """Plain words reach the tool."""
    assert tuple(types) == load(params.MachineInfo, {"types": types}).types


@pytest.mark.parametrize(
    "types", [[], ["-x"], ["a b"], ["a,b"], [""], [5], "vnc", ["x"] * 1001], ids=lambda one: str(one)[:20]
)
def test_info_types_that_are_none_are_refused(types):
    """Anything that is no plain word is refused."""
    assert ["types"] == list(faults(params.MachineInfo, {"types": types}))


@pytest.mark.parametrize(("form", "member"), [(params.MachineInfo, "types"), (params.MachineList, "fields")])
def test_words_are_of_ascii(form, member):
    """Letters of other scripts are no part of a tool's words."""
    assert [member] == list(faults(form, {member: ["caf\u00e9"]}))


def test_what_cannot_be_typed_is_told_as_faults_of_commands_are():
    """Each with its place, and what was meant."""
    with pytest.raises(InvalidMessage) as refused:
        typed({"imput": "ls", "resize": {"cols": 0, "rows": 50}})
    assert [
        {"path": "$.imput", "message": "unknown member; did you mean input?"},
        {"path": "$.resize.cols", "message": "must be between 1 and 1000"},
    ] == refused.value.details["faults"]
