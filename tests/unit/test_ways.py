"""Several ways to say the same: payloads and FiFo's forms, in the door and in the schema."""

from __future__ import annotations

from itertools import chain, combinations

import pytest
from jsonschema import Draft202012Validator
from marshmallow import ValidationError

from chunter_nsq.messages.params import MachineCreate, MachineUpdate, load
from chunter_nsq.messages.schema import params_shape
from chunter_nsq.messages.ways import Way, faults_of

PACKAGE = {"uuid": "p", "ram": 256, "quota": 5, "cpu_cap": 100}
DATASET = {"type": "zone", "uuid": "e44ed3e0-910b-11ed-a5d4-00151714048c"}
WHOLE = {"payload": {"alias": "a"}, "package": PACKAGE, "dataset": DATASET, "config": {"alias": "a"}}
WAYS = (Way(("a",)), Way(("b", "c"), ("d",)))


@pytest.mark.parametrize(
    ("given", "faults"),
    [
        ({"a"}, {}),
        ({"b", "c"}, {}),
        ({"b", "c", "d"}, {}),
        (set(), {"a": ["is required, or b and c instead"]}),
        ({"b"}, {"c": ["is required"]}),
        ({"d"}, {"b": ["is required"], "c": ["is required"]}),
        ({"a", "c"}, {"c": ["must not stand beside a"]}),
    ],
)
def test_exactly_one_way(given: set[str], faults: dict[str, list[str]]) -> None:
    """Members of one way, all that it needs, and none of another."""
    assert faults == faults_of(WAYS, given)


@pytest.mark.parametrize("form", [MachineCreate, MachineUpdate])
def test_door_and_schema_agree(form: type) -> None:
    """Of every set of members both take the same."""
    members = [member for way in form.WAYS for member in way.members]
    validator = Draft202012Validator(params_shape(form))
    for given in chain.from_iterable(combinations(members, size) for size in range(len(members) + 1)):
        document = {member: WHOLE[member] for member in given}
        try:
            load(form, document)
        except ValidationError:
            is_taken = False
        else:
            is_taken = True
        assert validator.is_valid(document) == is_taken, given


def test_all_faults_at_once() -> None:
    """Those of the members, of the mixture and inside the forms come together, each in its place."""
    document = {"package": {"uuid": "p"}, "dataset": 1, "config": {"uuid": "X", "metadata": 1}, "start": 1}
    with pytest.raises(ValidationError) as caught:
        load(MachineCreate, document)
    assert {"dataset", "start", "config"} == set(caught.value.messages)
    assert ["must be a lowercase uuid of the form 8-4-4-4-12"] == caught.value.messages["config"]["uuid"]
    with pytest.raises(ValidationError) as caught:
        load(MachineCreate, {**document, "dataset": {"type": "kvm"}, "start": True})
    assert {"ram", "quota", "cpu_cap"} == set(caught.value.messages["package"])
    assert {"uuid", "image_size"} == set(caught.value.messages["dataset"])
    assert {"uuid", "metadata"} == set(caught.value.messages["config"])


def test_a_payload_names_itself_properly() -> None:
    """A uuid in the payload is checked at the door."""
    with pytest.raises(ValidationError) as caught:
        load(MachineCreate, {"payload": {"uuid": "../x"}})
    assert {"payload": {"uuid": ["must be a lowercase uuid of the form 8-4-4-4-12"]}} == caught.value.messages
