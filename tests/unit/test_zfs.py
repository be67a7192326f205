from __future__ import annotations

import tracemalloc
from pathlib import Path

import pytest
from tool_scripts import python_tool, shell_tool

from chunter_nsq.errors import InvalidMessage, NotFound
from chunter_nsq.smartos import zfs_argv
from chunter_nsq.smartos.refusal import UnreadableOutput
from chunter_nsq.smartos.runner import Runner
from chunter_nsq.smartos.zfs import Dataset, Snapshot, Zfs
from chunter_nsq.smartos.zfs_rows import parse_datasets, parse_holds, parse_properties, parse_snapshot

Z = "usr/sbin/zfs"


@pytest.fixture
def zfs(tmp_path: Path) -> Zfs:
    """The wrapper on a platform root whose zfs each test writes."""
    return Zfs(Runner(tmp_path))


@pytest.mark.parametrize(
    ("typed", "argv"),
    [
        (
            (Z, "list", "-Hp", "-t", "filesystem,volume", "-o", "name,type,used,refer,mountpoint", "-r", "zones/a"),
            zfs_argv.datasets_argv("zones/a"),
        ),
        ((Z, "list", "-H", "-t", "filesystem,volume", "-o", "name", "-r", "zones/a"), zfs_argv.names_argv("zones/a")),
        (
            (
                Z,
                "list",
                "-Hp",
                "-t",
                "snapshot",
                "-o",
                "name,creation,used,refer",
                "-s",
                "creation",
                "-d",
                "1",
                "zones/a",
            ),
            zfs_argv.snapshots_argv("zones/a"),
        ),
        (
            (Z, "list", "-Hp", "-t", "snapshot", "-o", "name,creation,used,refer", "-s", "name", "-r", "zones/a"),
            zfs_argv.snapshots_argv("zones/a", recursive=True),
        ),
        (
            (Z, "get", "-Hp", "-o", "name,property,value", "-d", "1", "creation,used,referenced", "zones/a"),
            zfs_argv.snapshots_by_get_argv("zones/a"),
        ),
        (
            (Z, "get", "-Hp", "-o", "name,property,value", "type,used", "zones/a", "zones/a@s"),
            zfs_argv.get_argv(["zones/a", "zones/a@s"], ["type", "used"]),
        ),
        ((Z, "get", "-H", "-o", "value", "type", "zones/a@s"), zfs_argv.exists_argv("zones/a@s")),
        ((Z, "snapshot", "zones/a@s", "zones/a/disk0@s"), zfs_argv.snapshot_argv(["zones/a@s", "zones/a/disk0@s"])),
        ((Z, "destroy", "zones/a@s"), zfs_argv.destroy_snapshot_argv("zones/a@s")),
        ((Z, "rollback", "-r", "zones/a@s"), zfs_argv.rollback_argv("zones/a@s")),
        ((Z, "hold", "chunter", "zones/a@s"), zfs_argv.hold_argv("zones/a@s", "chunter")),
        ((Z, "release", "chunter", "zones/a@s"), zfs_argv.release_argv("zones/a@s", "chunter")),
        ((Z, "holds", "-H", "zones/a@s"), zfs_argv.holds_argv("zones/a@s")),
    ],
)
def test_argument_vectors(typed: tuple[str, ...], argv: tuple[str, ...]):
    """What is typed for what is meant."""
    assert typed == argv


@pytest.mark.parametrize(
    "build",
    [
        lambda: zfs_argv.destroy_snapshot_argv("zones/a"),
        lambda: zfs_argv.destroy_snapshot_argv("zones/a@s,t"),
        lambda: zfs_argv.destroy_snapshot_argv("zones/a@%"),
        lambda: zfs_argv.snapshot_argv(["zones/a@s", "-r"]),
        lambda: zfs_argv.rollback_argv("zones/a"),
        lambda: zfs_argv.datasets_argv("zones/a@s"),
        lambda: zfs_argv.get_argv(["-r"], ["used"]),
        lambda: zfs_argv.get_argv(["zones"], ["used,-r"]),
        lambda: zfs_argv.hold_argv("zones/a@s", "-r"),
    ],
)
def test_refused_before_anything_starts(build):
    """A dataset's name never stands where a snapshot's is meant, nor an option where a name is."""
    with pytest.raises(InvalidMessage):
        build()


def test_datasets():
    """Rows of datasets are read, numbers in bytes; anything else is none."""
    assert parse_datasets(b"zones/a\tfilesystem\t392\t126\t/zones/a\nzones/a/v\tvolume\t1\t-\t-\n") == (
        Dataset("zones/a", "filesystem", 392, 126, "/zones/a"),
        Dataset("zones/a/v", "volume", 1, 0, None),
    )
    assert parse_datasets(b"") == ()
    assert parse_datasets(b"no datasets available\n") is None
    assert parse_datasets(b"zones/a\tfilesystem\t392\t126\t/zo") is None


def test_snapshots():
    """A row of a snapshot is read, and its full name is as ZFS writes it."""
    snapshot = parse_snapshot(b"zones/a@vmsnap-s1\t1714554000\t73728\t1268871168")

    assert snapshot == Snapshot("vmsnap-s1", "zones/a", 1714554000, 73728, 1268871168)
    assert snapshot.full_name == "zones/a@vmsnap-s1"


@pytest.mark.parametrize("row", [b"", b"zones/a\t1\t2\t3", b"zones/a@s\tyesterday\t2\t3", b"zones/a@s\t1\t2"])
def test_odd_snapshots(row: bytes):
    """A row of another form is none."""
    assert parse_snapshot(row) is None


def test_properties_and_holds():
    """Properties may hold anything but a line feed; holds are their tags."""
    assert parse_properties(b"z\ta:b\tx\ty\nz\tused\t1\nodd\n") == {"z": {"a:b": "x\ty", "used": "1"}}
    assert parse_holds(b"z@s\tdo_not_destroy\tWed May  1  9:00 2024\nz@s\tb\t-\n") == ("do_not_destroy", "b")


async def test_new_zfs(zfs: Zfs, tmp_path: Path):
    """A ZFS that lists exact numbers is asked for lists."""
    shell_tool(
        tmp_path,
        "zfs",
        """case "$*" in
*snapshot*) printf 'zones/a@s2\\t20\\t1\\t2\\nzones/a@s1\\t10\\t1\\t2\\n';;
*) printf 'zones/a\\tfilesystem\\t5\\t4\\t/zones/a\\n';; esac""",
    )

    assert await zfs.datasets("zones/a") == (Dataset("zones/a", "filesystem", 5, 4, "/zones/a"),)
    assert await zfs.snapshots("zones/a") == (
        Snapshot("s1", "zones/a", 10, 1, 2),
        Snapshot("s2", "zones/a", 20, 1, 2),
    )


async def test_old_zfs(zfs: Zfs, tmp_path: Path):
    """A ZFS that refuses list -p is asked for properties instead, and its answers mean the same."""
    log = tmp_path / "log"
    shell_tool(
        tmp_path,
        "zfs",
        f"""echo "$*" >> {log}
case "$*" in
"list -Hp"*) echo "invalid option 'p'" >&2; echo usage: >&2; exit 2;;
"list -H"*) echo zones/a; echo zones/a/v;;
*creation*) for n in zones/a zones/a@s1 zones/a/v zones/a/v@s1; do
  printf "$n\\tcreation\\t10\\n$n\\tused\\t1\\n$n\\treferenced\\t2\\n"; done;;
*) for n in zones/a zones/a/v; do
  printf "$n\\ttype\\tfilesystem\\n$n\\tused\\t5\\n$n\\treferenced\\t4\\n$n\\tmountpoint\\t/$n\\n"; done;;
esac""",
    )

    assert await zfs.datasets("zones/a") == (
        Dataset("zones/a", "filesystem", 5, 4, "/zones/a"),
        Dataset("zones/a/v", "filesystem", 5, 4, "/zones/a/v"),
    )
    assert await zfs.snapshots("zones/a", recursive=True) == (
        Snapshot("s1", "zones/a", 10, 1, 2),
        Snapshot("s1", "zones/a/v", 10, 1, 2),
    )
    await zfs.datasets("zones/a")
    assert sum(line.startswith("list -Hp") for line in log.read_text().splitlines()) == 1


async def test_missing_dataset(zfs: Zfs, tmp_path: Path):
    """A dataset that is not there is not found, however it is asked for; existence alone is no error."""
    shell_tool(tmp_path, "zfs", "echo \"cannot open 'zones/x': dataset does not exist\" >&2; exit 1")

    for ask in (zfs.datasets, zfs.snapshots):
        with pytest.raises(NotFound):
            await ask("zones/x")
    assert not await zfs.exists("zones/x")
    assert not await zfs.exists("zones/x@s")


async def test_many_snapshots(zfs: Zfs, tmp_path: Path):
    """Fifty thousand snapshots pass through without being held."""
    python_tool(
        tmp_path,
        "zfs",
        "for n in range(50000): print(f'zones/dc5cbce7-798a-4bc9-bdc5-61b4be00a22e@snapshot-{n}\\t{n}\\t1\\t{n}')",
    )

    tracemalloc.start()
    used = count = 0
    async for snapshot in zfs.snapshots_stream("zones", recursive=True):
        used += snapshot.used_bytes
        count += 1
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert (50_000, 50_000) == (used, count)
    assert peak_bytes < 8 * 2**20


async def test_listing_that_is_cut_off(zfs: Zfs, tmp_path: Path):
    """A listing that ends within a line, or has an odd line, is an error and not a shorter listing."""
    probe = '[ "$4" = name ] && exit 0\n'
    shell_tool(tmp_path, "zfs", probe + "printf 'zones/a@s2\\t20\\t1\\t2\\nzones/a@s1\\t10\\t1\\t2'")
    with pytest.raises(UnreadableOutput, match="cut off"):
        await zfs.snapshots("zones/a")

    shell_tool(tmp_path, "zfs", probe + "echo odd")
    with pytest.raises(UnreadableOutput, match="odd"):
        await zfs.snapshots("zones/a")


async def test_leaving_a_stream(zfs: Zfs, tmp_path: Path):
    """A stream that is left early ends its tool."""
    shell_tool(tmp_path, "zfs", "[ \"$4\" = name ] && exit 0\nprintf 'zones/a@s2\\t20\\t1\\t2\\n'; sleep 60")

    stream = zfs.snapshots_stream("zones/a")
    first = await anext(stream)
    await stream.aclose()

    assert first.name == "s2"
    assert zfs._runner.active() == ()


async def test_many_names(zfs: Zfs, tmp_path: Path):
    """Properties of many names are asked for in several command lines."""
    log = tmp_path / "log"
    shell_tool(
        tmp_path,
        "zfs",
        f'echo $# >> {log}; shift 5; for n in "$@"; do printf "$n\\tused\\t7\\n"; done',
    )
    names = [f"zones/{n}" for n in range(1100)]

    found = await zfs.get(names, ["used"])

    assert {name: {"used": "7"} for name in names} == found
    assert log.read_text().split() == ["505", "505", "105"]


async def test_changes(zfs: Zfs, tmp_path: Path):
    """Each change is one command."""
    log = tmp_path / "log"
    shell_tool(tmp_path, "zfs", f'echo "$*" >> {log}; [ $1 = holds ] && printf "zones/a@s\\tkeep\\tnow\\n" || exit 0')

    await zfs.snapshot(["zones/a@s", "zones/a/v@s"])
    await zfs.hold("zones/a@s", "keep")
    assert await zfs.holds("zones/a@s") == ("keep",)
    await zfs.release("zones/a@s", "keep")
    await zfs.rollback("zones/a@s")
    await zfs.destroy_snapshot("zones/a@s")

    assert log.read_text().splitlines() == [
        "snapshot zones/a@s zones/a/v@s",
        "hold keep zones/a@s",
        "holds -H zones/a@s",
        "release keep zones/a@s",
        "rollback -r zones/a@s",
        "destroy zones/a@s",
    ]


async def test_zfs_that_makes_one_snapshot_at_a_time(zfs: Zfs, tmp_path: Path):
    """Several snapshots are made one by one where they must be, and taken back when one fails."""
    log = tmp_path / "log"
    shell_tool(
        tmp_path,
        "zfs",
        f"""[ $1 = snapshot ] && [ $# -gt 2 ] && echo "too many arguments" >&2 && exit 2
echo "$*" >> {log}
[ "$2" != zones/c@s ] || {{ echo "cannot open 'zones/c': dataset does not exist" >&2; exit 1; }}""",
    )

    await zfs.snapshot(["zones/a@s", "zones/b@s"])
    with pytest.raises(NotFound):
        await zfs.snapshot(["zones/a@s", "zones/c@s"])

    made = ["snapshot zones/a@s", "snapshot zones/b@s"]
    assert [*made, "snapshot zones/a@s", "snapshot zones/c@s", "destroy zones/a@s"] == log.read_text().splitlines()
