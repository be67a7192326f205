from __future__ import annotations

import hashlib
import hmac
import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chunter_nsq.authority import SKEW_SECONDS, Authority, Key, KeysInvalid, read_keys, signature
from chunter_nsq.errors import NotAuthorized

VM = "0a1b2c3d-0000-4000-8000-000000000001"
OTHER = "0a1b2c3d-0000-4000-8000-000000000002"
SECRET = "sixteen letters!"
OPS = Key("ops", SECRET.encode())


def signed(document=None, *, secret=SECRET, **auth):
    """A command with its signature; ``auth`` replaces members of it before it is signed."""
    given_auth = {"key": "ops", "ts": time.time(), "nonce": "n-12345678", **auth}
    whole = {"action": "machine.stop", "uuid": VM, **(document or {}), "auth": given_auth}
    text = json.dumps(whole, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    given_auth["hmac"] = hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()
    return whole


def refusal(document, key=OPS, action="machine.stop", uuid=VM):
    """Why a command is refused."""
    with pytest.raises(NotAuthorized) as refused:
        Authority({"ops": key}).check(document, action, uuid)
    return refused.value.message


def test_without_keys_every_command_may():
    """A host without keys asks for no signature and uses up no nonce."""
    assert Authority(None).check({"action": "machine.stop"}, "machine.stop", VM) is None


def test_valid_signature_gives_the_nonce_of_its_key():
    """A signed command may run, and its nonce is told together with its key."""
    document = signed({"params": {"comment": "größer", "n": [1, 2.5, None, True]}})
    assert "ops n-12345678" == Authority({"ops": OPS}).check(document, "machine.stop", VM)


def test_canonical_form_is_sorted_compact_utf8():
    """The signature covers the text that a client in another language makes as well."""
    document = {"b": "ü", "action": "host.ping", "auth": {"ts": 1, "nonce": "x", "key": "ops", "hmac": "gone"}}
    text = '{"action":"host.ping","auth":{"key":"ops","nonce":"x","ts":1},"b":"ü"}'
    expected = hmac.new(SECRET.encode(), text.encode("utf-8"), hashlib.sha256).hexdigest()
    assert expected == signature(document, SECRET.encode())


def test_hmac_may_be_in_upper_case():
    """Hex is hex."""
    document = signed()
    document["auth"]["hmac"] = document["auth"]["hmac"].upper()
    assert "ops n-12345678" == Authority({"ops": OPS}).check(document, "machine.stop", VM)


@pytest.mark.parametrize(
    "change",
    [
        {"uuid": OTHER}, {"action": "machine.delete"}, {"params": {"force": True}}, {"host": "*"}, {"reply_to": "me"},
        {"expires": "2030-01-01T00:00:00Z"}, {"id": "another"},
    ],
    ids=str,
)  # fmt: skip
def test_any_changed_member_breaks_the_signature(change):
    """Whatever member is changed or added after signing is found out."""
    assert "does not match" in refusal({**signed(), **change})


@pytest.mark.parametrize("member", ["ts", "nonce", "key"])
def test_changed_auth_breaks_the_signature(member):
    """The members of auth are signed too."""
    document = signed()
    document["auth"][member] = {"ts": time.time() + 1, "nonce": "m-12345678", "key": "more"}[member]
    keys = {"ops": OPS, "more": Key("more", SECRET.encode())}
    with pytest.raises(NotAuthorized, match="does not match"):
        Authority(keys).check(document, "machine.stop", VM)


@pytest.mark.parametrize(
    "auth",
    [None, [], "ops", {}, {"key": "ops"}, {"key": "nobody", "hmac": "00"}, {"key": ["ops"], "hmac": "00"},
     {"key": "ops", "hmac": 5}, {"key": "ops", "hmac": "nicht hex ü"}],
    ids=str,
)  # fmt: skip
def test_incomplete_auth_is_refused(auth):
    """What is no signature is refused as such, whatever its shape."""
    assert refusal({"action": "machine.stop", "uuid": VM, "auth": auth})


@pytest.mark.parametrize("shift", [-SKEW_SECONDS - 2, SKEW_SECONDS + 2, -1e9, 10**400, -(10**400)], ids=str)
def test_old_and_future_stamps_are_refused(shift):
    """A time more than 300 s off is refused, however far off it is."""
    stamp = int(time.time()) + shift if isinstance(shift, int) else time.time() + shift
    assert "auth.ts" in refusal(signed(ts=stamp))


@pytest.mark.parametrize("stamp", [None, "1795332694", True, [], float("inf"), float("nan")], ids=str)
def test_stamps_that_are_no_time_are_refused(stamp):
    """Only a number is a time."""
    assert "auth.ts" in refusal(signed(ts=stamp))


@pytest.mark.parametrize("shift", [-SKEW_SECONDS + 5, SKEW_SECONDS - 5])
def test_small_skew_is_borne(shift):
    """Clocks may differ by up to 300 s."""
    assert Authority({"ops": OPS}).check(signed(ts=int(time.time() + shift)), "machine.stop", VM)


@pytest.mark.parametrize("nonce", [None, 12345678, "", "short", "x" * 129], ids=str)
def test_weak_nonces_are_refused(nonce):
    """A nonce is a text of 8 to 128 characters."""
    assert "auth.nonce" in refusal(signed(nonce=nonce))


@pytest.mark.parametrize(
    ("allow", "action", "may"),
    [
        (("machine.*",), "machine.stop", True), (("machine.*",), "host.ping", False),
        (("host.ping",), "host.pingx", False),
        (("*",), "host.update", True), ((), "host.ping", False), (("host.*", "machine.get"), "machine.get", True),
        (("MACHINE.*",), "machine.stop", False),
    ],
)  # fmt: skip
def test_allow_limits_a_key_to_actions(allow, action, may):
    """Glob patterns name the actions of a key; an empty list names none."""
    key, document = Key("ops", SECRET.encode(), allow=allow), signed({"action": action})
    if may:
        assert Authority({"ops": key}).check(document, action, VM)
    else:
        assert f"may not do {action}" in refusal(document, key, action)


@pytest.mark.parametrize(
    ("action", "uuid", "may"),
    [("machine.stop", VM, True), ("machine.stop", OTHER, False), ("machine.create", None, False),
     ("machine.list", None, False), ("command.cancel", None, False), ("host.ping", None, True)],
)  # fmt: skip
def test_uuids_limit_a_key_to_machines(action, uuid, may):
    """A key of some VMs may not touch others, nor what concerns all of them."""
    key, document = Key("ops", SECRET.encode(), uuids=frozenset({VM})), signed({"action": action, "uuid": uuid})
    if may:
        assert Authority({"ops": key}).check(document, action, uuid)
    else:
        assert refusal(document, key, action, uuid)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "cannot be read"), ("{", "cannot be read"), ("[]", "JSON object"), ("{}", "JSON object"),
        ("[" * 100_000, "cannot be read"),
        ('{"ops": "secret secret secret"}', "needs a secret"), ('{"ops": {}}', "needs a secret"),
        ('{"ops": {"secret": "short"}}', "16 characters"), ('{"ops": {"secret": 1234567890123456}}', "needs a secret"),
        (f'{{"ops": {{"secret": "{SECRET}", "alow": []}}}}', "'alow'"),
        (f'{{"ops": {{"secret": "{SECRET}", "allow": "machine.*"}}}}', "allow must be a list"),
        (f'{{"ops": {{"secret": "{SECRET}", "uuids": [7]}}}}', "uuids must be a list"),
        (f'{{"ops": {{"secret": "{SECRET}", "uuids": ["{VM.upper()}"]}}}}', "lower-case uuid"),
    ],
    ids=lambda value: str(value)[:30],
)  # fmt: skip
def test_faults_of_the_key_file_are_named(tmp_path, text, why):
    """A key file that cannot be used is refused with its path and the place, and without a secret."""
    path = tmp_path / "keys.json"
    path.write_text(text)
    with pytest.raises(KeysInvalid) as refused:
        read_keys(path)
    told = str(refused.value)
    assert [True, True, False] == [str(path) in told, why in told, SECRET in told]


def test_key_file_that_is_missing_is_named(tmp_path):
    """No file is a fault, not a host without keys."""
    with pytest.raises(KeysInvalid, match=r"keys\.json"):
        read_keys(tmp_path / "keys.json")


def test_key_file_is_read(tmp_path):
    """Limits that are not given do not limit; those that are given do."""
    path = tmp_path / "keys.json"
    path.write_text(json.dumps({"a": {"secret": SECRET}, "b": {"secret": SECRET, "allow": ["x.*"], "uuids": [VM]}}))
    expected = {
        "a": Key("a", SECRET.encode()),
        "b": Key("b", SECRET.encode(), allow=("x.*",), uuids=frozenset({VM})),
    }
    assert expected == read_keys(path)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(st.characters(codec="utf-8")),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(st.characters(codec="utf-8")), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(JSON)
def test_no_auth_whatsoever_gets_in_or_breaks_in(auth):
    """Whatever stands in auth, a command without a signature is refused and nothing else happens."""
    assert refusal({"action": "machine.stop", "uuid": VM, "auth": auth})
