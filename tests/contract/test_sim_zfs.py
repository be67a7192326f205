"""zfs and zpool against a simulated host."""

from __future__ import annotations

import pytest
from simhost import BASE, WEB, Host


def said(done) -> tuple[int, str, str]:
    """Status and both streams."""
    return done.returncode, done.stdout, done.stderr


def test_parsable_lists_are_tabs_and_bytes(host: Host):
    """-Hp gives one dataset a line with exact numbers."""
    host.create()
    name, used, refer, mountpoint = host.out(
        "zfs", "list", "-Hp", "-o", "name,used,refer,mountpoint", f"zones/{WEB}"
    ).strip("\n").split("\t")  # fmt: skip
    assert (f"zones/{WEB}", True, True, f"/zones/{WEB}") == (name, used.isdigit(), refer.isdigit(), mountpoint)


def test_recursion_depth_and_type(host: Host):
    """-r goes all the way down, -d so far, -t picks kinds."""
    host.run("zfs", "create", "-p", "zones/a/b/c")
    host.run("zfs", "create", "-V", "1G", "zones/a/v")
    host.run("zfs", "snapshot", "-r", "zones/a@s")
    names = lambda *words: host.out("zfs", "list", "-H", "-o", "name", *words).split()  # noqa: E731 - short
    assert ["zones/a"] == names("zones/a")
    assert ["zones/a", "zones/a/b", "zones/a/b/c", "zones/a/v"] == names("-r", "zones/a")
    assert ["zones/a", "zones/a/b", "zones/a/v"] == names("-d", "1", "zones/a")
    assert ["zones/a/v"] == names("-r", "-t", "volume", "zones/a")
    assert ["zones/a@s"] == names("-d", "1", "-t", "snapshot", "zones/a")
    assert {"zones/a@s", "zones/a/b@s", "zones/a/b/c@s", "zones/a/v@s"} == set(names("-r", "-t", "snapshot", "zones/a"))


def test_get_tells_sources(host: Host):
    """name, property, value, source; inherited values say from where."""
    host.run("zfs", "create", "zones/a")
    host.run("zfs", "set", "compression=lz4", "zones")
    text = host.out("zfs", "get", "-Hp", "-o", "name,property,value,source", "compression,quota,type", "zones/a")
    expected = (
        "zones/a\tcompression\tlz4\tinherited from zones\nzones/a\tquota\t0\tdefault\nzones/a\ttype\tfilesystem\t-\n"
    )
    assert expected == text


def test_several_snapshots_are_all_or_none(host: Host):
    """One that is there already keeps the others from being made."""
    host.run("zfs", "snapshot", "zones/opt@a")
    text = "cannot create snapshot 'zones/opt@a': dataset already exists\n"
    assert (1, "", text) == said(host.run("zfs", "snapshot", "zones/var@a", "zones/opt@a"))
    assert 1 == host.run("zfs", "list", "zones/var@a").returncode
    assert 0 == host.run("zfs", "snapshot", "zones/var@b", "zones/opt@b").returncode
    text = host.out("zfs", "get", "-Hp", "-o", "value", "createtxg", "zones/var@b", "zones/opt@b")
    assert 1 == len(set(text.split()))


def test_snapshots_are_listed_oldest_first(busy: Host):
    """-s creation keeps the order in which they were made."""
    text = busy.out("zfs", "list", "-Hp", "-t", "snapshot", "-o", "creation", "-s", "creation", "-r", "zones")
    moments = [int(line) for line in text.split()]
    assert sorted(moments) == moments


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("list", "zones/x"), "cannot open 'zones/x': dataset does not exist\n"),
        (("destroy", "zones/x"), "cannot open 'zones/x': dataset does not exist\n"),
        (("create", "zones/opt"), "cannot create 'zones/opt': dataset already exists\n"),
        (("create", "zones/x/y"), "cannot create 'zones/x/y': parent does not exist\n"),
        (("destroy", "zones/opt@x"), "could not find any snapshots to destroy; check snapshot names.\n"),
        (
            ("destroy", "zones/cores"),
            (
                "cannot destroy 'zones/cores': filesystem has children\n"
                "use '-r' to destroy the following datasets:\nzones/cores/global\n"
            ),
        ),
    ],
)
def test_refusals(host: Host, words, text):
    """The platform's texts, on stderr, with status 1."""
    assert (1, "", text) == said(host.run("zfs", *words))


def test_a_held_snapshot_stays(host: Host):
    """hold, holds, release and what they refuse."""
    host.run("zfs", "snapshot", "zones/opt@a")
    host.out("zfs", "hold", "keep", "zones/opt@a")
    text = "cannot hold snapshot 'zones/opt@a': tag already exists on this dataset\n"
    assert (1, "", text) == said(host.run("zfs", "hold", "keep", "zones/opt@a"))
    assert "zones/opt@a\tkeep\t" in host.out("zfs", "holds", "-H", "zones/opt@a")
    assert "1" == host.out("zfs", "get", "-Hp", "-o", "value", "userrefs", "zones/opt@a").strip()
    assert (1, "", "cannot destroy snapshot zones/opt@a: dataset is busy\n") == said(
        host.run("zfs", "destroy", "zones/opt@a")
    )
    host.out("zfs", "release", "keep", "zones/opt@a")
    text = "cannot release hold from snapshot 'zones/opt@a': no such tag on this dataset\n"
    assert (1, "", text) == said(host.run("zfs", "release", "keep", "zones/opt@a"))
    assert (0, "", "") == said(host.run("zfs", "destroy", "zones/opt@a"))


def test_rollback_past_newer_snapshots_needs_force(host: Host):
    """Without -r it names them, with -r they go."""
    for name in ("a", "b", "c"):
        host.run("zfs", "snapshot", f"zones/opt@{name}")
    text = (
        "cannot rollback to 'zones/opt@a': more recent snapshots or bookmarks exist\n"
        "use '-r' to force deletion of the following snapshots and bookmarks:\nzones/opt@b\nzones/opt@c\n"
    )
    assert (1, "", text) == said(host.run("zfs", "rollback", "zones/opt@a"))
    assert (0, "", "") == said(host.run("zfs", "rollback", "-r", "zones/opt@a"))
    assert "zones/opt@a\n" == host.out("zfs", "list", "-H", "-t", "snapshot", "-o", "name", "zones/opt")


def test_rollback_past_newer_bookmarks_needs_force(host: Host):
    """They are in the way without their snapshots too, and go as those would; older ones and its own stay."""
    for name in ("a", "b", "c"):
        host.run("zfs", "snapshot", f"zones/opt@{name}")
        host.out("zfs", "bookmark", f"zones/opt@{name}", f"#{name}")
    host.out("zfs", "destroy", "zones/opt@c")
    text = (
        "cannot rollback to 'zones/opt@b': more recent snapshots or bookmarks exist\n"
        "use '-r' to force deletion of the following snapshots and bookmarks:\nzones/opt#c\n"
    )
    assert (1, "", text) == said(host.run("zfs", "rollback", "zones/opt@b"))
    assert (0, "", "") == said(host.run("zfs", "rollback", "-r", "zones/opt@b"))
    marks = host.out("zfs", "list", "-H", "-t", "bookmark", "-o", "name", "zones/opt").split()
    assert ["zones/opt#a", "zones/opt#b"] == marks


def test_clones_keep_their_image(host: Host):
    """An image with clones cannot be destroyed, and says which they are."""
    host.create()
    done = host.run("zfs", "destroy", "-r", f"zones/{BASE}")
    text = (
        f"cannot destroy 'zones/{BASE}': filesystem has dependent clones\n"
        f"use '-R' to destroy the following datasets:\nzones/{WEB}\n"
    )
    assert (1, "", text) == said(done)
    assert f"zones/{BASE}@final\n" == host.out("zfs", "get", "-Hp", "-o", "value", "origin", f"zones/{WEB}")


def test_a_bad_property_is_a_usage_error(host: Host):
    """It is named and exits 2."""
    done = host.run("zfs", "list", "-o", "name,colour")
    assert (2, True) == (done.returncode, "bad property list: invalid property 'colour'" in done.stderr)


def test_pools(host: Host):
    """List is exact under -p, status -x is one sentence."""
    name, size, alloc, free, health = host.out("zpool", "list", "-Hp", "-o", "name,size,alloc,free,health").split()
    assert ("zones", "ONLINE", int(size)) == (name, health, int(alloc) + int(free))
    assert "all pools are healthy\n" == host.out("zpool", "status", "-x")
    assert " state: ONLINE\n" in host.out("zpool", "status", "zones")
