from __future__ import annotations

from datetime import UTC, datetime

import pytest
from command_parts import ACTIONS, ME, VM, decoded, faults, origin, refused, unreadable

import handlers
from chunter_nsq.messages.command import Command, Refused, read
from chunter_nsq.messages.events import SIZE_LIMIT_BYTES
from chunter_nsq.messages.params import MachineStop, Nothing

TRACE = f"00-{'ab' * 16}-{'cd' * 8}-01"


def test_whole_command_is_decoded():
    """Each member has its type, parameters are the frozen form of the action, the message itself is kept."""
    message = {
        "id": "c-1", "action": "machine.stop", "uuid": VM, "params": {"force": True, "timeout": 5}, "host": "gz-1",
        "reply_to": "mine#ephemeral", "expires": "2026-11-22T10:00:00Z", "traceparent": TRACE,
    }  # fmt: skip
    expected = Command(
        "c-1", ACTIONS["machine.stop"], VM, MachineStop(force=True, timeout=5), "mine#ephemeral",
        datetime(2026, 11, 22, 10, tzinfo=UTC), TRACE, message,
    )  # fmt: skip
    assert expected == decoded(message)


def test_action_alone_is_enough():
    """Where nothing else is needed the action is a whole command."""
    assert (None, Nothing()) == (decoded({"action": "host.ping"}).uuid, decoded({"action": "host.ping"}).params)


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"", "not JSON"), (b"\x00", "not JSON"), (b"{", "not JSON"), (b"\xff{}", "not UTF-8 at byte 0"),
        (b"[]", "not an object"), (b'"x"', "not an object"), (b"5", "not an object"), (b"null", "not an object"),
        (b'{"a":NaN}', "NaN"), (b'{"a":-Infinity}', "-Infinity"), (b'\xef\xbb\xbf{"action":"host.ping"}', "BOM"),
        (b'{"action":"host.ping","action":"machine.stop"}', "'action' stands twice"),
        (b'{"action":"machine.stop","params":{"force":false,"force":true}}', "'force' stands twice"),
        (b'{"action":"host.ping","id":"\\ud800"}', "surrogate"), (b'{"action":"host.ping","\\uDFFF":1}', "surrogate"),
        (b'{"a":' + b"[" * 64 + b"]" * 64 + b"}", "64 deep"), (b"[" * 500_000, "too deep"),
        (b'{"a":' * 100_000, "too deep"), (b'{"a":' + b"9" * 5000 + b"}", "digits"),
        (b"{'action':'host.ping'}", "not JSON"), (b'{"action":"host.ping"}{}', "not JSON"),
    ],
    ids=lambda value: str(value)[:24],
)  # fmt: skip
def test_what_is_no_json_object_is_unreadable(body, why):
    """Each kind of nonsense is refused for its own reason."""
    assert why in unreadable(body)


def test_depth_below_the_limit_and_a_mebibyte_are_read():
    """What is deep but not too deep, and as large as NSQ carries, is read."""
    deep = b'{"action":"host.ping","auth":{"x":' + b"[" * 60 + b"]" * 60 + b"}}"
    large = {"action": "machine.stop", "uuid": VM, "auth": {"pad": "x" * (SIZE_LIMIT_BYTES - 200)}}
    assert ("host.ping", "machine.stop") == (decoded(deep).action.name, decoded(large).action.name)


def test_surrogate_pairs_are_text():
    """An escaped pair is one character, not two broken ones."""
    assert {"k": "\U0001f600"} == decoded(b'{"action":"host.ping","auth":{"k":"\\ud83d\\ude00"}}').document["auth"]


def test_all_faults_are_told_at_once_with_their_places():
    """One answer names every fault with its JSON path."""
    body = {
        "action": "snapshot.create", "uuid": "nope", "id": "with blank", "host": [], "reply_to": "a b",
        "expires": "soon", "urgent": True, "params": {"snapshot": "-rf", "comment": 5, "dry_run": "yes", "forse": 1},
    }  # fmt: skip
    expected = {
        "$.uuid", "$.id", "$.host", "$.reply_to", "$.expires", "$.urgent",
        "$.params.snapshot", "$.params.comment", "$.params.dry_run", "$.params.forse",
    }  # fmt: skip
    assert expected == set(faults(body))


def test_list_items_have_their_index():
    """A fault inside a list has the place of the item."""
    actions = handlers.actions()
    body = {"action": "machine.list", "params": {"fields": ["uuid", 5, "alias", "a-b"]}}
    with pytest.raises(Refused) as caught:
        read(origin(body), actions, ME)
    paths = [fault["path"] for fault in caught.value.fault.details["faults"]]
    assert ["$.params.fields[1]", "$.params.fields[3]"] == paths


@pytest.mark.parametrize(
    ("body", "path", "hint"),
    [
        ({"action": "machine.stop", "uuid": VM, "params": {"forse": True}}, "$.params.forse", "did you mean force?"),
        ({"action": "machine.stop", "uuid": VM, "params": {"Timeout": 5}}, "$.params.Timeout", "did you mean timeout?"),
        ({"action": "host.ping", "reply-to": "x"}, "$.reply-to", "did you mean reply_to?"),
        ({"action": "host.ping", "xyz": "x"}, "$.xyz", "known: action, id, uuid"),
        ({"action": "backup.prune", "params": {"keep": {"lst": 3}}}, "$.params.keep.lst", "did you mean last?"),
        (
            {"action": "backup.list", "params": {"s3": {"endpont": "http://s3"}}},
            "$.params.s3.endpont",
            "did you mean endpoint?",
        ),
    ],
)
def test_mistyped_members_are_refused_with_the_right_name(body, path, hint):
    """A mistyped member must not be overlooked; the likely one is named."""
    assert hint in faults(body)[path]


def test_members_of_members_have_places_of_their_own():
    """All that is wrong in a store and in a rule, each where it stands; what is wrong together at the whole."""
    store = {"bucket": "", "profile": "azure", "access_key": "k", "x": 1}
    assert {
        "$.params.s3.bucket": "must be text",
        "$.params.s3.profile": "must be one of generic, aws, minio, ceph, leofs",
        "$.params.s3.x": "unknown member; known: bucket, access_key, secret_key, session_token, region, ca_file, "
        "endpoint, profile, path_style",
        "$.params.keep.daily": "must be a whole number, 0 to 100000",
    } == faults({"action": "backup.prune", "params": {"keep": {"last": 1, "daily": -1}, "s3": store}})
    assert {"$.params.s3": "access_key and secret_key go together"} == faults(
        {"action": "backup.list", "params": {"s3": {"access_key": "k"}}}
    )


def test_a_range_that_runs_backwards_is_refused():
    """Before anything is accepted."""
    params = {"topic": "chunter.zone", "from": 5, "to": 2}
    assert {"$.params.to": "must not lie before from (5)"} == faults({"action": "host.replay", "params": params})


def test_mistyped_action_is_refused_with_the_right_name():
    """An action that is not there is an unknown action, with the likely one."""
    fault = refused({"action": "machine.stopp", "uuid": VM}).fault
    assert ("unknown_action", True) == (fault.code, "did you mean machine.stop?" in fault.message)


@pytest.mark.parametrize(
    ("params", "path"),
    [
        ({"force": 1}, "$.params.force"), ({"force": "true"}, "$.params.force"), ({"force": None}, "$.params.force"),
        ({"timeout": True}, "$.params.timeout"), ({"timeout": 5.0}, "$.params.timeout"),
        ({"timeout": "5"}, "$.params.timeout"),
        ({"timeout": 0}, "$.params.timeout"), ({"timeout": 86401}, "$.params.timeout"),
        ({"timeout": 10**30}, "$.params.timeout"),
    ],
    ids=str,
)  # fmt: skip
def test_types_are_not_guessed_at(params, path):
    """True is no number, 1 is no truth, null is not nothing, and numbers have bounds."""
    assert [path] == list(faults({"action": "machine.stop", "uuid": VM, "params": params}))


@pytest.mark.parametrize("params", [None, [], "x", 5, True])
def test_params_must_be_an_object(params):
    """Anything else beside an object is refused."""
    assert ["$.params"] == list(faults({"action": "host.ping", "params": params}))


BAD_UUIDS = [
    f"{VM}\n", f"\n{VM}", f" {VM}", VM.upper(), f"{{{VM}}}", VM.replace("-", ""), f"-{VM}", f"../{VM}", f"{VM};reboot",
    f"{VM}\x00", "", "\u0660a1b2c3d-0000-4000-8000-000000000001", VM[:-1], f"{VM}0", 5, None, True, [VM], {"uuid": VM},
]  # fmt: skip


@pytest.mark.parametrize("uuid", BAD_UUIDS, ids=repr)
def test_uuids_that_are_none_are_refused(uuid):
    """Only the lower-case 8-4-4-4-12 form passes, with nothing before or behind it."""
    assert ["$.uuid"] == list(faults({"action": "machine.stop", "uuid": uuid}))


@pytest.mark.parametrize(
    "name",
    ["-r", "", "a b", "a/b", "../x", "a;b", "a@b", "a\n", "a\x00", "$(x)", "ü", "x" * 129, 5, None],
    ids=repr,
)
def test_snapshot_names_that_are_none_are_refused(name):
    """A snapshot's name is made of its plain characters and cannot be taken for an option."""
    assert ["$.params.snapshot"] == list(
        faults({"action": "snapshot.create", "uuid": VM, "params": {"snapshot": name}})
    )


@pytest.mark.parametrize("name", ["a", "A-1_.:z", "x" * 128, ".", "_-"])
def test_plain_snapshot_names_are_taken(name):
    """All that the grammar allows is taken."""
    assert name == decoded({"action": "snapshot.create", "uuid": VM, "params": {"snapshot": name}}).params.snapshot


@pytest.mark.parametrize("given_id", ["", "a b", "a\n", "ü", "x" * 129, 5, True, None, ["a"]], ids=repr)
def test_ids_that_are_none_are_refused_under_a_derived_one(given_id):
    """A bad id is refused, and the refusal has an id that its sender can compute nothing from but find in the log."""
    body = {"action": "host.ping", "id": given_id}
    one = refused(body)
    assert (origin(body).derived_id(), ["$.id"]) == (one.id, [f["path"] for f in one.fault.details["faults"]])


@pytest.mark.parametrize(
    "expires",
    ["soon", "2026-11-22T10:00:00", "2026-11-22", "", 5, None, True, "9" * 500, "2026-13-01T00:00:00Z"],
    ids=repr,
)
def test_times_that_are_none_are_refused(expires):
    """A time has its date, its clock and its zone."""
    assert ["$.expires"] == list(faults({"action": "host.ping", "expires": expires}))


@pytest.mark.parametrize("expires", ["0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59"])
def test_times_at_the_edge_can_be_compared(expires):
    """The earliest and the latest time are times."""
    assert isinstance(decoded({"action": "host.ping", "expires": expires}).expires <= datetime.now(UTC), bool)


def test_uuid_where_it_is_needed_and_only_there():
    """A missing uuid is named, and so is one that the action takes no notice of."""
    assert ("needs the uuid" in faults({"action": "machine.stop"})["$.uuid"],
            "takes no uuid" in faults({"action": "host.ping", "uuid": VM})["$.uuid"]) == (True, True)  # fmt: skip
