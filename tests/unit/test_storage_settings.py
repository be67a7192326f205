from __future__ import annotations

import hashlib
import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from storage_parts import relaxed

from chunter_nsq.backup.stores import Stores
from chunter_nsq.config import Config
from chunter_nsq.errors import InvalidMessage, StorageFailed
from chunter_nsq.messages.backup_params import Given
from chunter_nsq.storage.account import Account
from chunter_nsq.storage.faults import StorageMissing, StorageUnavailable, refused
from chunter_nsq.storage.profiles import MIB, PROFILES
from chunter_nsq.storage.s3 import Line
from chunter_nsq.storage.sizing import Reads, resumed, sizes
from chunter_nsq.storage.state import Part, Segment, UploadState


@relaxed
@given(
    st.sampled_from(sorted(PROFILES)),
    st.integers(32 * MIB, 2**36),
    st.none() | st.integers(0, 2**50),
    st.none() | st.integers(1, 2**33),
)
def test_sizes_fit_the_store(name: str, budget: int, estimate: int | None, part: int | None) -> None:
    """Parts are of a size that the store takes, and never more than it takes of them."""
    profile = PROFILES[name]

    found = sizes(profile, budget, estimate_bytes=estimate, part_bytes=part)

    assert 5 * MIB <= found.part_bytes <= profile.most_part_bytes
    assert 1 <= found.segment_parts < profile.max_parts
    assert 1 <= found.uploads <= 8
    if part is None:
        assert found.floor_bytes <= max(budget, 8 * MIB)


def test_transfers_are_as_wide_as_the_configuration_says() -> None:
    """Parts of one stream that go and come at a time, parts ahead, and pieces of what has no parts that are known."""
    chosen = {"parallel_uploads": 3, "parallel_downloads": 4, "preload": 7, "s3_download_chunk_size_bytes": 6 * MIB}
    stores = Stores(lambda: Config(**chosen))

    assert (3, Reads(4, 7), 6 * MIB) == (stores.sizes(PROFILES["aws"]).uploads, stores.reads, stores.piece_bytes)
    wide = Stores(lambda: Config(parallel_uploads=10, s3_download_chunk_size_bytes=2**30, backup_memory_bytes=64 * MIB))
    assert (2, 16 * MIB) == (wide.sizes(PROFILES["aws"]).uploads, wide.piece_bytes)


def test_sizes_follow_the_estimate() -> None:
    """Small streams have the smallest parts; 1 TiB goes into one row of parts of a size that memory allows."""
    aws = PROFILES["aws"]

    assert 16 * MIB == sizes(aws, 256 * MIB).part_bytes
    assert 64 * MIB == sizes(aws, 256 * MIB, estimate_bytes=2**42).part_bytes
    assert 16 * MIB == sizes(aws, 256 * MIB, estimate_bytes=100 * 2**30).part_bytes
    assert 5 * MIB == sizes(PROFILES["leofs"], 256 * MIB).part_bytes
    assert 900 == sizes(PROFILES["leofs"], 256 * MIB).segment_parts


HEX = st.text("0123456789abcdef", min_size=32, max_size=32)
STATES = st.builds(
    UploadState,
    st.text(),
    st.text(),
    st.text(),
    st.integers(1),
    st.integers(1),
    st.integers(1),
    st.lists(
        st.builds(
            Segment,
            st.text(),
            st.text(),
            st.dictionaries(st.integers(1, 9999), st.builds(Part, st.integers(0), HEX, st.text(), st.text())),
            st.text(),
        ),
        max_size=3,
    ).map(tuple),
)


@relaxed
@given(STATES)
def test_a_state_survives_a_journal(state: UploadState) -> None:
    """Through JSON and back it is the same, and the sizes of a resumed upload are its own."""
    again = UploadState.from_dict(json.loads(json.dumps(state.as_dict())))

    assert state == again
    now = sizes(PROFILES["aws"], 256 * MIB)
    assert state.part_bytes == resumed(again, now).part_bytes


def test_the_etag_of_the_whole_is_made_of_those_of_its_parts() -> None:
    """As AWS computes it."""
    first, second = (hashlib.md5(each, usedforsecurity=False) for each in (b"0", b"1"))
    parts = {2: Part(1, second.hexdigest(), ""), 1: Part(1, first.hexdigest(), "")}
    joined = hashlib.md5(first.digest() + second.digest(), usedforsecurity=False).hexdigest()

    assert f"{joined}-2" == Segment("k", "u", parts).multipart_etag()


ACCOUNT = Account(endpoint="https://s3.example.org", bucket="b", access_key="ours", secret_key="our-secret")


def test_a_command_brings_its_own_account() -> None:
    """What it says replaces what is configured."""
    given_account = {"endpoint": "https://other.example.org", "access_key": "a", "secret_key": "s", "bucket": "c"}

    one = ACCOUNT.instead(given_account)

    assert ("https://other.example.org", "c", "a", "s") == (one.endpoint, one.bucket, one.access_key, one.secret_key)
    assert ACCOUNT == ACCOUNT.instead({})


@pytest.mark.parametrize(
    ("given_account", "said"),
    [
        ({"endpoint": "https://evil.example.org"}, "keys of its own"),
        ({"access_key": "a"}, "go together"),
        ({"token": "t"}, "s3.token"),
        ({"bucket": 5}, "s3.bucket"),
        ({"endpoint": "file:///etc/passwd"}, "http"),
        ({"profile": "tape"}, "s3.profile"),
        ({"path_style": "yes"}, "path_style"),
        ({"secret_key": "to-be-hidden\n", "access_key": "a"}, "s3.secret_key"),
    ],
)
def test_an_odd_account_is_refused(given_account: dict[str, object], said: str) -> None:
    """Our keys never go to an endpoint that a command names; values are not repeated."""
    with pytest.raises(InvalidMessage, match=said) as told:
        ACCOUNT.instead(given_account)

    assert "to-be-hidden" not in repr(told.value.as_dict())


def test_keys_of_the_environment_stay_with_the_configured_endpoint() -> None:
    """Without keys in the configuration those of the agent's environment are used, and no command leads them away."""
    bare = Account(endpoint="https://s3.example.org", bucket="b")
    with pytest.raises(InvalidMessage, match="keys of its own"):
        bare.instead({"endpoint": "https://evil.example.org"})
    for configured in (Config(), Config(s3_endpoint="https://s3.example.org")):
        with pytest.raises(InvalidMessage, match="keys of its own"):
            Stores(lambda kept=configured: kept).account(Given({"endpoint": "https://evil.example.org", "bucket": "c"}))


@pytest.mark.parametrize(("chosen", "style"), [("auto", None), ("on", True), ("off", False)])
def test_the_account_is_that_of_the_configuration(chosen: str, *, style: bool | None) -> None:
    """Path style and authorities reach the store's client; the path style says where the bucket's name stands."""
    config = Config(
        s3_endpoint="https://s3.example.org",
        s3_bucket="backups",
        s3_access_key="a",
        s3_secret_key="s",
        s3_profile="aws",
        s3_path_style=chosen,
        s3_ca_file="/etc/ca.pem",
    )
    account = Stores(lambda: config).account(None)

    assert (style, "/etc/ca.pem", "aws") == (account.path_style, account.ca_file, account.profile)
    line = Line(replace(account, ca_file=""), 1)
    where = line.client.generate_presigned_url("get_object", {"Bucket": "backups", "Key": "k"})
    line.close()
    expected = "https://s3.example.org/backups/k?" if style else "https://backups.s3.example.org/k?"
    assert where.startswith(expected), where


def test_secrets_are_not_shown() -> None:
    """Neither key of an account stands in its repr."""
    assert "our-secret" not in repr(ACCOUNT)
    assert "ours" not in repr(ACCOUNT)


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (500, "InternalError", StorageUnavailable),
        (503, "SlowDown", StorageUnavailable),
        (429, "", StorageUnavailable),
        (400, "BadDigest", StorageUnavailable),
        (403, "RequestTimeTooSkewed", StorageUnavailable),
        (404, "NoSuchUpload", StorageMissing),
        (404, "NoSuchBucket", StorageFailed),
        (403, "AccessDenied", StorageFailed),
    ],
)
def test_answers_are_told_apart(status: int, code: str, kind: type[StorageFailed]) -> None:
    """By whether trying again can help."""
    fault = refused("store a part", status, code, "words")

    assert kind is type(fault)
    assert "storage_failed" == fault.as_dict()["code"]
