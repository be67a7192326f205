from __future__ import annotations

from pathlib import Path

import pytest
from tool_scripts import shell_tool

from chunter_nsq.errors import (
    AlreadyExists,
    Fault,
    InsufficientResources,
    InvalidMessage,
    InvalidState,
    NotFound,
    ToolFailed,
    Unsupported,
)
from chunter_nsq.smartos import zfs_stream_argv as argv
from chunter_nsq.smartos.invocation import Completed
from chunter_nsq.smartos.refusal import Busy, UnreadableOutput
from chunter_nsq.smartos.runner import Runner
from chunter_nsq.smartos.zfs_datasets import Quotas, ZfsDatasets
from chunter_nsq.smartos.zfs_features import Features, parse_features
from chunter_nsq.smartos.zfs_refusal import (
    BaseMismatch,
    BaseMissing,
    DestinationExists,
    DestinationModified,
    DoubtfulStream,
    InvalidStream,
    check_received,
    check_sent,
    stream_refusal,
)
from chunter_nsq.smartos.zfs_rows import Bookmark, parse_bookmarks, parse_estimate
from chunter_nsq.smartos.zfs_streams import Estimate, SendFlags, ZfsStreams

Z = "usr/sbin/zfs"
USAGES = Path(__file__).parent / "zfs_usage"
ALL = dict.fromkeys(Features.__dataclass_fields__, True)


@pytest.mark.parametrize(
    ("typed", "built"),
    [
        ((Z, "send", "z/a@s"), argv.send_argv("z/a@s")),
        ((Z, "send", "-i", "z/a@r", "z/a@s"), argv.send_argv("z/a@s", "z/a@r")),
        ((Z, "send", "-cLewp", "-i", "z/a#r", "z/a@s"), argv.send_argv("z/a@s", "z/a#r", SendFlags(*[True] * 5))),
        ((Z, "send", "-nvP", "-c", "z/a@s"), argv.estimate_argv("z/a@s", None, SendFlags(compressed=True))),
        ((Z, "receive", "-u", "z/a"), argv.receive_argv("z/a")),
        (
            (Z, "receive", "-u", "-F", "-o", "canmount=noauto", "z/a@s"),
            argv.receive_argv("z/a@s", overwrite=True, properties={"canmount": "noauto"}),
        ),
        ((Z, "bookmark", "z/a@s", "z/a#s"), argv.bookmark_argv("z/a@s", "z/a#s")),
        (
            (Z, "list", "-Hp", "-t", "bookmark", "-o", "name,guid,creation", "-s", "creation", "-d", "1", "z/a"),
            argv.bookmarks_argv("z/a"),
        ),
        ((Z, "destroy", "z/a#s"), argv.destroy_bookmark_argv("z/a#s")),
        ((Z, "destroy", "z/a"), argv.destroy_dataset_argv("z/a")),
        ((Z, "destroy", "-r", "z/a"), argv.destroy_dataset_argv("z/a", recursive=True)),
        ((Z, "rename", "z/a", "z/b"), argv.rename_argv("z/a", "z/b")),
        ((Z, "create", "-o", "quota=1", "z/a"), argv.create_argv("z/a", {"quota": "1"})),
        ((Z, "clone", "-o", "quota=1", "z/a@s", "z/b"), argv.clone_argv("z/a@s", "z/b", {"quota": "1"})),
        ((Z, "promote", "z/b"), argv.promote_argv("z/b")),
        ((Z, "set", "a:b=c d=e", "z/a"), argv.set_argv("z/a", "a:b", "c d=e")),
        ((Z, "inherit", "quota", "z/a"), argv.inherit_argv("z/a", "quota")),
        ((Z, "mount", "z/a"), argv.mount_argv("z/a")),
        ((Z, "unmount", "-f", "z/a"), argv.unmount_argv("z/a", force=True)),
    ],
)
def test_argument_vectors(typed: tuple[str, ...], built: tuple[str, ...]):
    """What is typed for what is meant."""
    assert typed == built


@pytest.mark.parametrize(
    "build",
    [
        lambda: argv.send_argv("z/a"),
        lambda: argv.send_argv("z/a@s", "-R"),
        lambda: argv.send_argv("z/a@s", "@r"),
        lambda: argv.receive_argv("z"),
        lambda: argv.receive_argv("z@s", overwrite=True),
        lambda: argv.receive_argv("-F"),
        lambda: argv.receive_argv("z/a", properties={"-F": "x"}),
        lambda: argv.destroy_dataset_argv("z"),
        lambda: argv.destroy_dataset_argv("z/"),
        lambda: argv.destroy_dataset_argv("z/a@s"),
        lambda: argv.destroy_dataset_argv("-r"),
        lambda: argv.destroy_bookmark_argv("z/a"),
        lambda: argv.destroy_bookmark_argv("z/a@s"),
        lambda: argv.rename_argv("z/a", "z"),
        lambda: argv.clone_argv("z/a", "z/b"),
        lambda: argv.set_argv("z/a", "quota", "1\n2"),
        lambda: argv.set_argv("z/a", "quota=1", "2"),
        lambda: argv.unmount_argv("z"),
    ],
)
def test_refused_before_anything_starts(build):
    """A pool is never destroyed, overwritten or renamed, and no option or second line stands where a name is meant."""
    with pytest.raises(InvalidMessage):
        build()


@pytest.mark.parametrize(
    ("usage", "features"),
    [
        ("openzfs-2.1", Features(**ALL)),
        ("illumos", Features(**ALL | {"raw_send": False, "receive_properties": False})),
        ("zfs-fuse", Features(**dict.fromkeys(ALL, False))),
    ],
)
def test_features(usage: str, features: Features):
    """The usage texts of three ZFS say what each can do."""
    assert features == parse_features((USAGES / f"{usage}.txt").read_text())


@pytest.mark.parametrize("text", ["", "internal error: failed to initialize ZFS library\n", "usage: cat\n"])
def test_no_usage(text: str):
    """Anything else says nothing."""
    assert parse_features(text) is None


async def test_features_are_asked_once(tmp_path: Path):
    """The usage is read once; a zfs that does not print one is an error each time."""
    streams = ZfsStreams(Runner(tmp_path))
    shell_tool(tmp_path, "zfs", "echo internal error >&2; exit 1")
    with pytest.raises(UnreadableOutput):
        await streams.features()
    shell_tool(tmp_path, "zfs", f"echo >> {tmp_path}/log; cat {USAGES}/illumos.txt >&2; exit 2")

    assert (await streams.features()) is (await streams.features())
    assert "\n" == (tmp_path / "log").read_text()


def test_estimates():
    """The dry run's last word counts, else the sum of its parts; other words say nothing."""
    assert 1268895744 == parse_estimate("full\tz/a@s\t1268895000\nsize\t1268895744\n")
    assert 5 == parse_estimate("incremental\ts\tz/a@t\t5\n")
    assert 7 == parse_estimate("incremental\ts\tz/a@t\t5\nfull\tz/b@t\t2\n")
    assert parse_estimate("TIME        SENT   SNAPSHOT\n") is None


def test_bookmarks():
    """Rows of bookmarks are read; anything else is none."""
    rows = b"z/a#b1\t18446744073709551615\t1714554000\nz/a#b2\t7\t1714554001\n"
    first, second = parse_bookmarks(rows) or ()
    assert Bookmark("b1", "z/a", 2**64 - 1, 1714554000) == first
    assert "z/a#b2" == second.full_name
    assert () == parse_bookmarks(b"")
    assert parse_bookmarks(b"z/a@s\t1\t2\n") is None


@pytest.mark.parametrize(
    ("stderr", "kind"),
    [
        ("warning: cannot send 'z/a@s': incremental source (@r) does not exist", BaseMissing),
        ("warning: cannot send 'z/a@s': incremental source (z/a@r) does not exist", BaseMissing),
        ("cannot receive: local origin for clone z/a@s does not exist", BaseMissing),
        ("warning: cannot send 'z/a@s': not an earlier snapshot from the same fs", BaseMismatch),
        ("warning: cannot send 'z/a@s': incremental source (z/a@t) is not earlier than it", BaseMismatch),
        ("incremental source must be in same filesystem\nusage:\n", BaseMismatch),
        (
            "cannot receive incremental stream: most recent snapshot of z/a does not\nmatch incremental source",
            BaseMismatch,
        ),
        (
            "cannot receive incremental stream: destination z/a has been modified\nsince most recent snapshot",
            DestinationModified,
        ),
        (
            "cannot receive new filesystem stream: destination 'z/a' exists\nmust specify -F to overwrite it",
            DestinationExists,
        ),
        (
            "cannot receive new filesystem stream: destination has snapshots (eg. z/a@s)\nmust destroy them",
            DestinationExists,
        ),
        ('cannot receive: destination z/a contains partially-complete state from "zfs receive -s".', InvalidState),
        ("cannot receive new filesystem stream: invalid backup stream", InvalidStream),
        ("cannot receive new filesystem stream: incomplete stream", InvalidStream),
        ("cannot receive: failed to read from stream", InvalidStream),
        ("cannot receive: invalid stream (bad magic number)", InvalidStream),
        ("cannot receive: stream has unsupported feature, feature flags = 24", InvalidStream),
        ("cannot receive new filesystem stream: checksum mismatch or incomplete stream.", InvalidStream),
        ("cannot receive new filesystem stream: destination z/a space quota exceeded", InsufficientResources),
        ("cannot receive new filesystem stream: out of space", InsufficientResources),
        ("cannot open 'z/a': dataset does not exist", NotFound),
        ("WARNING: could not send z/a@s: does not exist", NotFound),
        ("cannot destroy 'z/a': dataset is busy", Busy),
        ("cannot unmount '/z/a': Device busy", Busy),
        ("something new", ToolFailed),
    ],
)
def test_what_refusals_mean(stderr: str, kind: type[Fault]):
    """Each known sentence has its error, with the tool's words in it."""
    fault = stream_refusal(Completed((Z, "receive"), 2 if "usage" in stderr else 1, b"", stderr, 0.1), "do it")

    assert kind is type(fault)
    assert stderr.split("\n", 1)[0].strip() in fault.message


def test_a_send_that_complains():
    """A send that ended well and said anything is not trusted; a receive that did is."""
    completed = Completed((Z, "send"), 0, b"", "warning: something\n", 0.1)

    with pytest.raises(DoubtfulStream, match="something"):
        check_sent(completed, "send z/a@s")
    check_received(completed, "receive z/a")


async def test_estimate_without_the_option(tmp_path: Path):
    """A ZFS that cannot estimate is asked what the snapshot refers to, uncompressed."""
    shell_tool(
        tmp_path,
        "zfs",
        f"""case "$*" in
"") cat {USAGES}/zfs-fuse.txt >&2; exit 2;;
get*) printf 'z/a@s\\treferenced\\t1000\\nz/a@s\\tcompressratio\\t1.50x\\n';;
*) exit 2;; esac""",
    )

    assert Estimate(1500, "referenced") == await ZfsStreams(Runner(tmp_path)).estimate("z/a@s", "z/a@r")


@pytest.mark.parametrize("descriptor", ["1", "2"])
async def test_estimate_on_either_output(tmp_path: Path, descriptor: str):
    """The estimate is read wherever this ZFS prints it."""
    shell_tool(
        tmp_path,
        "zfs",
        f"""case "$*" in
"") cat {USAGES}/illumos.txt >&2; exit 2;;
"send -nvP -i z/a@r z/a@s") printf 'incremental\\tz/a@r\\tz/a@s\\t7\\nsize\\t7\\n' >&{descriptor};;
*) exit 2;; esac""",
    )

    assert Estimate(7, "send") == await ZfsStreams(Runner(tmp_path)).estimate("z/a@s", "z/a@r")


async def test_bookmarks_where_there_are_none(tmp_path: Path):
    """An old ZFS has no bookmarks to list, and cannot make one."""
    shell_tool(tmp_path, "zfs", f"cat {USAGES}/zfs-fuse.txt >&2; exit 2")
    streams = ZfsStreams(Runner(tmp_path))

    assert () == await streams.bookmarks("z/a")
    with pytest.raises(Unsupported):
        await streams.bookmark("z/a@s", "z/a#s")


async def test_discard_waits_for_the_busy(tmp_path: Path):
    """A dataset that is busy for a while is destroyed when it no longer is."""
    shell_tool(
        tmp_path,
        "zfs",
        f"""echo >> {tmp_path}/log; [ $(wc -l < {tmp_path}/log) -gt 2 ] && exit 0
echo "cannot destroy 'z/a': dataset is busy" >&2; exit 1""",
    )

    await ZfsDatasets(Runner(tmp_path)).discard("z/a")
    assert "\n\n\n" == (tmp_path / "log").read_text()


async def test_quotas(tmp_path: Path):
    """Quotas are read in bytes, none and not applicable as 0; a missing property is an error."""
    rows = "z/a\\tquota\\t5\\nz/a\\trefquota\\t0\\nz/a\\treservation\\tnone\\nz/a\\trefreservation\\t-\\n"
    shell_tool(tmp_path, "zfs", f"printf '{rows}'")
    datasets = ZfsDatasets(Runner(tmp_path))

    assert Quotas(5, 0, 0, 0) == await datasets.quotas("z/a")
    with pytest.raises(UnreadableOutput):
        await datasets.guid("z/a")


async def test_mounted_already(tmp_path: Path):
    """What is mounted is mounted, and what is not mounted is unmounted; another refusal is one."""
    shell_tool(
        tmp_path,
        "zfs",
        """case $1 in mount) echo "cannot mount 'z/a': filesystem already mounted" >&2;;
*) echo "cannot unmount 'z/a': not currently mounted" >&2;; esac; exit 1""",
    )
    datasets = ZfsDatasets(Runner(tmp_path))
    await datasets.mount("z/a")
    await datasets.unmount("z/a")

    shell_tool(tmp_path, "zfs", "echo \"cannot rename 'z/a': dataset already exists\" >&2; exit 1")
    with pytest.raises(AlreadyExists):
        await datasets.mount("z/a")
