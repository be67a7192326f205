from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from storage_parts import VM, manifest, relaxed

from chunter_nsq.errors import ChecksumMismatch, StorageFailed
from chunter_nsq.storage.manifest import (
    File,
    Manifest,
    Snapshot,
    StoredPart,
    StoredSegment,
    _digest,
    decoded,
    manifest_key,
)

SIZES = st.integers(0, 2**50)
TEXT = st.text(max_size=20)
NAMES = st.from_regex(r"\A[A-Za-z0-9_.:][A-Za-z0-9_.:-]{0,20}\Z")


def hexes(length: int) -> st.SearchStrategy[str]:
    """Hashes."""
    return st.text("0123456789abcdef", min_size=length, max_size=length)


@st.composite
def files(draw: st.DrawFn) -> File:
    """Files whose parts add up."""
    parts = tuple(draw(st.lists(st.builds(StoredPart, SIZES, hexes(32), hexes(64)), max_size=4)))
    size = sum(part.size for part in parts)
    segments = (StoredSegment("key", size, draw(TEXT), len(parts)),)
    made: File = draw(
        st.builds(
            File,
            key=st.just("key"),
            dataset=st.none() | TEXT,
            size=st.just(size),
            raw_size=SIZES,
            raw_sha256=hexes(64),
            sha1=hexes(40),
            sha256=hexes(64),
            codec=st.sampled_from(["gzip", "zstd", "none"]),
            segments=st.just(segments),
            parts=st.just(parts),
        )
    )
    return made


SNAPSHOTS = st.builds(Snapshot, NAMES, st.dictionaries(TEXT, TEXT, max_size=3))
MANIFESTS = st.builds(
    Manifest,
    vm=st.just(VM),
    host=TEXT.filter(len),
    snapshot=SNAPSHOTS,
    parent=st.none() | SNAPSHOTS,
    files=st.lists(files(), max_size=3).map(tuple),
    send_flags=st.lists(TEXT, max_size=2).map(tuple),
    config=st.dictionaries(TEXT, st.recursive(st.none() | st.booleans() | st.integers() | TEXT, st.lists), max_size=3),
    created=st.just("2026-11-22T10:00:00Z"),
    finished=st.just("2026-11-22T10:00:00Z"),
    agent_version=TEXT.filter(len),
)


@relaxed
@given(MANIFESTS)
def test_a_manifest_is_read_as_it_was_written(one: Manifest) -> None:
    """Whatever is in it."""
    assert one == decoded(one.encoded(), one.key)


ONE = manifest(
    files=(
        File(
            key=f"{VM}/one",
            dataset=f"zones/{VM}",
            size=3,
            raw_size=9,
            raw_sha256="0" * 64,
            sha1="0" * 40,
            sha256="0" * 64,
            codec="gzip",
            segments=(StoredSegment(f"{VM}/one", 3, "e", 1),),
            parts=(StoredPart(3, "0" * 32, "0" * 64),),
        ),
    ),
    parent=Snapshot("zero", {f"zones/{VM}": "guid-zero"}),
)


def changed(**members: Any) -> bytes:
    """The document with other members, and a hash that agrees with them; None takes a member away."""
    document = json.loads(ONE.encoded()) | members
    document = {name: value for name, value in document.items() if value is not ...}
    document["sha256"] = _digest(document)
    return json.dumps(document).encode()


def test_the_members_are_those_that_are_documented() -> None:
    """Their names are what other programs rely on."""
    document = json.loads(ONE.encoded())

    assert {
        "version", "vm", "host", "snapshot", "parent", "files", "send_flags", "config", "created", "finished",
        "agent_version", "sha256",
    } == set(document)  # fmt: skip
    assert {
        "key", "dataset", "size", "raw_size", "raw_sha256", "sha1", "sha256", "codec", "segments", "parts",
    } == set(document["files"][0])  # fmt: skip
    assert 1 == document["version"]
    assert f"{VM}/one.manifest.json" == ONE.key == manifest_key(VM, "one")
    assert (f"{VM}/one",) == ONE.keys


def test_members_of_later_versions_are_left_alone() -> None:
    """An older agent reads what a newer one added to."""
    assert ONE == decoded(changed(more={"a": 1}), ONE.key)


@relaxed
@given(st.integers(0, len(ONE.encoded()) - 1), st.integers(0, 7))
def test_a_turned_bit_is_noticed(place: int, bit: int) -> None:
    """No document with a bit turned is taken for what was written."""
    content = bytearray(ONE.encoded())
    content[place] ^= 1 << bit

    with pytest.raises((ChecksumMismatch, StorageFailed)):
        decoded(bytes(content), ONE.key)


@pytest.mark.parametrize("name", sorted(set(json.loads(ONE.encoded())) - {"sha256"}))
def test_every_member_is_required(name: str) -> None:
    """A manifest without one of them is none."""
    with pytest.raises(StorageFailed, match=r"cannot read the manifest"):
        decoded(changed(**{name: ...}), ONE.key)


@pytest.mark.parametrize(
    ("members", "said"),
    [
        ({"version": 2}, "a newer agent"),
        ({"vm": "../etc"}, "vm"),
        ({"snapshot": {"name": "a/b", "guids": {}}}, "snapshot"),
        ({"snapshot": {"name": "two", "guids": {}}}, "it is about"),
        ({"files": [{}]}, "files"),
    ],
)
def test_odd_members_are_named(members: dict[str, Any], said: str) -> None:
    """The fault says which."""
    with pytest.raises(StorageFailed, match=said):
        decoded(changed(**members), ONE.key)


def test_parts_that_do_not_add_up_are_refused() -> None:
    """A file is as long as its parts and as its objects."""
    file = json.loads(ONE.encoded())["files"][0]

    with pytest.raises(StorageFailed, match="add up"):
        decoded(changed(files=[file | {"size": 4}]), ONE.key)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"null", b"\xff", b"[" * 100_000])
def test_what_is_no_manifest_is_refused(content: bytes) -> None:
    """Whatever somebody stored under that name."""
    with pytest.raises(StorageFailed, match="cannot read the manifest"):
        decoded(content, ONE.key)
