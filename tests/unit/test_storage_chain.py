from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from storage_parts import VM, manifest, relaxed

from chunter_nsq.errors import InvalidMessage, InvalidState, NoRestorePath
from chunter_nsq.storage.chain import children, deletion, may_follow, points, restore_path
from chunter_nsq.storage.manifest import Manifest, Snapshot
from chunter_nsq.storage.prune import Keep, prune

DATASET = f"zones/{VM}"
NEWEST = datetime(2026, 11, 22, 12, tzinfo=UTC)


def snapshot(name: str) -> Snapshot:
    """A snapshot of one dataset."""
    return Snapshot(name, {DATASET: f"guid-{name}"})


def backups(parents: dict[str, str | None], **more: Any) -> dict[str, Manifest]:
    """Name to parent's name; the first is the newest, each a day older than the one before."""
    found = [
        manifest(
            name=name,
            parent=snapshot(parent) if parent else None,
            created=(NEWEST - timedelta(days=number)).isoformat(),
            **more,
        )
        for number, (name, parent) in enumerate(parents.items())
    ]
    return points(found)


@st.composite
def forests(draw: st.DrawFn) -> dict[str, Manifest]:
    """Chains of backups: each is full, or based on an older one."""
    count = draw(st.integers(1, 12))
    parents: dict[str, str | None] = {}
    for number in range(count):
        older = [f"s{each}" for each in range(number + 1, count)]
        parents[f"s{number}"] = draw(st.sampled_from([None, *older]))
    return backups(parents)


@relaxed
@given(forests())
def test_every_backup_of_whole_chains_can_be_reached(found: dict[str, Manifest]) -> None:
    """The way begins with a full backup, each step is based on the one before, the last is the target."""
    for target in found:
        path = restore_path(found, target)

        assert target == path.names[-1]
        assert None is path.base
        assert [None, *path.names[:-1]] == [step.parent and step.parent.name for step in path.steps]
        assert path.names[:-1] == path.toss


@relaxed
@given(forests(), st.data())
def test_a_missing_backup_is_told_before_anything(found: dict[str, Manifest], data: st.DataObject) -> None:
    """With any one backup gone, those that need it have no way, and the others still have theirs."""
    gone = data.draw(st.sampled_from(sorted(found)))
    needing = {*children(found, gone), gone}
    rest = {name: one for name, one in found.items() if name != gone}

    for target in found:
        if target in needing:
            with pytest.raises(NoRestorePath) as told:
                restore_path(rest, target)
            assert gone == told.value.details["missing"]
        else:
            assert restore_path(found, target) == restore_path(rest, target)


def test_a_circle_is_told() -> None:
    """Two that are based on each other lead nowhere."""
    found = backups({"b": "a", "a": "b"})

    with pytest.raises(NoRestorePath, match="circle") as told:
        restore_path(found, "b")

    assert {"path": ["b", "a"], "missing": "b"} == told.value.details
    with pytest.raises(NoRestorePath, match="circle"):
        restore_path(backups({"a": "a"}), "a")


def test_a_snapshot_that_is_here_shortens_the_way() -> None:
    """Only with the right GUID: a name alone proves nothing."""
    found = backups({"c": "b", "b": "a", "a": None})

    here = restore_path(found, "c", {"b": {DATASET: "guid-b"}, "a": {DATASET: "guid-a"}})
    impostor = restore_path(found, "c", {"b": {DATASET: "another"}})
    other_dataset = restore_path(found, "c", {"b": {"zones/other": "guid-b"}})

    assert ("b", ("c",), ()) == (here.base, here.names, here.toss)
    assert (None, ("a", "b", "c")) == (impostor.base, impostor.names)
    assert None is other_dataset.base


def test_what_was_here_before_is_not_tossed() -> None:
    """The snapshots on the way that the host had stay."""
    found = backups({"c": "b", "b": "a", "a": None})

    assert ("b",) == restore_path(found, "c", {"a": {DATASET: "another"}}).toss


def test_a_parent_of_another_snapshot_is_no_way() -> None:
    """A backup that was made again under the old name cannot carry the increments of the old one."""
    found = backups({"b": "a", "a": None})
    found["a"] = replace(found["a"], snapshot=Snapshot("a", {DATASET: "made-again"}))

    with pytest.raises(NoRestorePath, match="another snapshot a"):
        restore_path(found, "b")


def test_an_increment_needs_the_very_parent_and_the_same_flags() -> None:
    """GUIDs and flags must agree, else only a full backup is safe."""
    parent = manifest(name="a", send_flags=("-c",))

    may_follow(parent, {DATASET: "guid-a"}, ("-c",))

    with pytest.raises(InvalidState, match="not the snapshot"):
        may_follow(parent, {DATASET: "another"}, ("-c",))
    with pytest.raises(InvalidState, match="no flags"):
        may_follow(parent, {DATASET: "guid-a"}, ())


@relaxed
@given(forests(), st.data())
def test_deleting_never_leaves_an_orphan(found: dict[str, Manifest], data: st.DataObject) -> None:
    """After each step of the deletion every backup that is left can be restored."""
    name = data.draw(st.sampled_from(sorted(found)))

    if children(found, name):
        with pytest.raises(InvalidState) as told:
            deletion(found, name)
        assert list(children(found, name)) == told.value.details["children"]
    rest = dict(found)
    for each in deletion(found, name, force=True):
        del rest[each]
        for target in rest:
            restore_path(rest, target)
    assert name not in rest


KEEPS = st.builds(
    Keep, last=st.integers(0, 5), daily=st.integers(0, 5), weekly=st.integers(0, 3), monthly=st.integers(0, 3)
)


@relaxed
@given(forests(), KEEPS)
def test_pruning_never_breaks_a_chain(found: dict[str, Manifest], keep: Keep) -> None:
    """Whatever the rule: what is kept can be restored, at every step, and each backup is either kept or deleted."""
    pruning = prune(found, keep)

    rest = dict(found)
    for each in pruning.deleted:
        del rest[each]
        for target in rest:
            restore_path(rest, target)
    assert set(pruning.kept) == set(rest)
    assert all(pruning.kept.values())
    assert len(pruning.kept) >= min(keep.last, len(found))


@relaxed
@given(forests(), KEEPS)
def test_pruning_twice_deletes_nothing_more(found: dict[str, Manifest], keep: Keep) -> None:
    """The rule agrees with its own result."""
    kept = {name: found[name] for name in prune(found, keep).kept}

    assert () == prune(kept, keep).deleted


def test_a_rule_keeps_the_newest_of_each_period() -> None:
    """Full backups of 60 days: the newest two, the newest of three days, of two weeks, of three months."""
    found = backups({f"d{day}": None for day in range(60)})

    kept = prune(found, Keep(last=2, daily=3, weekly=2, monthly=3)).kept

    expected = {
        "d0": ("last", "daily", "weekly", "monthly"),  # Sunday 22 November
        "d1": ("last", "daily"),
        "d2": ("daily",),
        "d7": ("weekly",),
        "d22": ("monthly",),  # 31 October
        "d53": ("monthly",),  # 30 September
    }
    assert expected == dict(kept)


def test_a_full_backup_is_kept_for_its_increments() -> None:
    """The reason says for which."""
    found = backups({"c": "b", "b": "a", "a": None})

    assert {"c": ("last",), "b": ("needed by c",), "a": ("needed by c",)} == dict(prune(found, Keep(last=1)).kept)


@pytest.mark.parametrize(
    ("given_rule", "said"),
    [
        ({}, "keeps nothing"),
        ({"last": 0}, "keeps nothing"),
        ({"last": -1}, "keep.last"),
        ({"last": True}, "keep.last"),
        ({"daily": "7"}, "keep.daily"),
        ({"yearly": 1}, "keep.yearly"),
    ],
)
def test_a_rule_is_checked(given_rule: dict[str, Any], said: str) -> None:
    """A mistyped rule deletes nothing."""
    with pytest.raises(InvalidMessage, match=said):
        Keep.from_dict(given_rule)
