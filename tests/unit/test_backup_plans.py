"""The pure parts of backups: ground, keys withheld, names, ways, streams."""

from __future__ import annotations

import io
import struct

import pytest

from chunter_nsq.backup.disks import Moved, suffix, tops
from chunter_nsq.backup.route import by_keys, by_manifests, check_space
from chunter_nsq.backup.streamcheck import MAGIC, StreamCheck
from chunter_nsq.backup.swap import exchange
from chunter_nsq.errors import ChecksumMismatch, InsufficientResources, NoRestorePath
from chunter_nsq.ground import Ground, is_pulled_away
from chunter_nsq.messages.backup_params import BackupCreate, BackupDelete, BackupRestore
from chunter_nsq.messages.params import Change, SnapshotNamed
from chunter_nsq.messages.withheld import without_keys
from chunter_nsq.storage.manifest import File, Manifest, Snapshot

VM = "0e56fe34-39a3-42d5-86c7-d719487f892b"
ROOT = f"zones/{VM}"
GROUND = Ground("two", "one", frozenset({"zero"}))


@pytest.mark.parametrize(
    ("action", "params", "waits"),
    [
        ("machine.delete", Change(), True),
        ("machine.delete", Change(dry_run=True), False),
        ("machine.stop", Change(), False),
        ("snapshot.delete", SnapshotNamed("two"), True),
        ("snapshot.delete", SnapshotNamed("one"), True),
        ("snapshot.delete", SnapshotNamed("zero"), False),
        ("snapshot.rollback", SnapshotNamed("zero"), True),
        ("snapshot.rollback", SnapshotNamed("two"), False),
        ("backup.restore", BackupRestore("zero"), True),
        ("backup.create", BackupCreate("three", parent="two"), True),
        ("backup.create", BackupCreate("three", parent="one"), False),
        ("backup.create", BackupCreate("three", parent="one", delete="parent"), True),
        ("backup.create", BackupCreate("three"), False),
        ("backup.delete", BackupDelete("two"), True),
    ],
)
def test_who_waits_for_an_upload(action, params, waits):
    """Only what would pull away what the upload reads, or builds on what it makes."""
    assert waits == is_pulled_away(GROUND, action, params)


def test_what_is_journalled_has_no_keys():
    """The three secrets are replaced, all else stays, and other documents are left alone."""
    store = {"endpoint": "http://s3", "access_key": "a", "secret_key": "b", "session_token": "c"}
    kept = without_keys({"id": "1", "params": {"snapshot": "s", "s3": store}})

    hidden = "(withheld)"
    wanted = {"endpoint": "http://s3", "access_key": hidden, "secret_key": hidden, "session_token": hidden}
    assert {"id": "1", "params": {"snapshot": "s", "s3": wanted}} == kept
    assert {"params": {"s3": 1}} == without_keys({"params": {"s3": 1}})


def test_names_of_datasets():
    """Keys end as the original's do; copies beside a machine keep the shape of its tree."""
    names = [ROOT, f"{ROOT}/data", f"{ROOT}/data/a", f"{ROOT}-disk0"]

    assert ["", "-data", "-data/a", "-disk0"] == [suffix(VM, name) for name in names]
    assert [ROOT, f"{ROOT}-disk0"] == tops(names)
    assert ["zones/x", "zones/x/data", "zones/x/data/a", "zones/x-disk0"] == [Moved(VM, "zones/x")(n) for n in names]


def test_what_the_backup_has_not_moves_over():
    """Trees are exchanged; a dataset that only the machine has goes along to the new tree."""
    there = [ROOT, f"{ROOT}/data", f"{ROOT}/data/a", f"{ROOT}-disk0"]
    live, received, old = Moved(VM, ROOT), Moved(VM, "zones/new"), Moved(VM, "zones/old")

    moves, kept = exchange([ROOT, f"{ROOT}-disk0"], there, live, received, old)
    assert [[ROOT, "zones/new", "zones/old"], [f"{ROOT}-disk0", "zones/new-disk0", "zones/old-disk0"]] == moves
    assert [["zones/old/data", f"{ROOT}/data"]] == kept


def manifest(name: str, parent: str | None = None) -> Manifest:
    """A backup of a root, whose GUIDs are the names."""
    file = File(f"{VM}/{name}", ROOT, 10, 100, "0" * 64, "0" * 40, "0" * 64, "gzip", (), ())
    base = None if parent is None else Snapshot(parent, {ROOT: parent})
    ratio = {"datasets": {ROOT: {"compressratio": "2.00x"}}}
    return Manifest(VM, "h", Snapshot(name, {ROOT: name}), base, (file,), (), ratio, "t", "t", "0")


def test_ways():
    """From a full backup, from a snapshot that is here by GUID, or straight from the one that is wanted."""
    points = {"a": manifest("a"), "b": manifest("b", "a"), "c": manifest("c", "b")}

    def kinds(local):
        return [(leg.kind, leg.snapshot) for leg in by_manifests(points, "c", local).legs]

    assert [("full", "a"), ("increment", "b"), ("increment", "c")] == kinds({})
    assert [("local", "b"), ("increment", "c")] == kinds({"b": {ROOT: "b"}})
    assert [("full", "a"), ("increment", "b"), ("increment", "c")] == kinds({"b": {ROOT: "other"}})
    assert [("local", "c")] == kinds({"c": {ROOT: "c"}})
    with pytest.raises(NoRestorePath):
        by_manifests({"c": points["c"]}, "c", {})


def test_ways_by_keys():
    """Objects of the first chunter: a root and its disks, nothing that only begins alike."""
    sizes = {f"{VM}/a": 5, f"{VM}/a-disk0": 6, f"{VM}/ab": 7, f"{VM}/b": 8, f"{VM}/b.xml": 9}
    route = by_keys(VM, ["a", "b"], sizes, {}, 4)

    assert [f"{VM}/a", f"{VM}/a-disk0", f"{VM}/b", f"{VM}/b.xml"] == route.keys
    assert [True, True, False] == [one.is_full for leg in route.legs for one in leg.reaches]
    with pytest.raises(NoRestorePath):
        by_keys(VM, ["z"], sizes, {}, 4)


def test_space():
    """What the pool compresses needs less than the stream is long."""
    route = by_manifests({"a": manifest("a")}, "a", {})
    check_space(route, 50)
    with pytest.raises(InsufficientResources):
        check_space(route, 49)


def stream(to: int = 7, since: int = 0) -> bytes:
    """The shortest stream with a payload."""
    begin = struct.pack("<IIQQQIIQQ", 0, 0, MAGIC, 1, 1, 2, 0, to, since).ljust(312, b"\0")
    write = struct.pack("<IIQIIQQ", 3, 0, 1, 1, 0, 0, 1000).ljust(312, b"\0")
    return begin + write + bytes(1000) + struct.pack("<II", 5, 0).ljust(312, b"\0")


@pytest.mark.parametrize("step", [1, 311, 5000])
def test_a_stream_is_one(step):
    """However it comes in pieces, a whole stream between the right snapshots passes."""
    check, source = StreamCheck("k"), io.BytesIO(stream())
    while piece := source.read(step):
        check.write(memoryview(piece))
    check.finish("7", "0")


@pytest.mark.parametrize(
    ("content", "to"),
    [
        (stream()[:-1], "7"),
        (stream()[:-312], "7"),
        (stream() + b"x", "7"),
        (b"x" * 312, "7"),
        (stream(), "8"),
        (b"", "7"),
    ],
)
def test_a_broken_stream_is_none(content, to):
    """Cut off, prolonged, something else, or of another snapshot."""
    with pytest.raises(ChecksumMismatch):
        judge(content, to)


def judge(content: bytes, to: str) -> None:
    """A stream in one piece."""
    check = StreamCheck("k")
    check.write(memoryview(content))
    check.finish(to, "0")
