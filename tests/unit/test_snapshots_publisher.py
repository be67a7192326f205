from __future__ import annotations

import sys
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from publisher_parts import Desk, desk_in

from chunter_nsq.errors import ToolFailed
from chunter_nsq.messages.events import SIZE_LIMIT_BYTES, Event, Note, compact
from chunter_nsq.smartos.lines import HELD_BYTES
from chunter_nsq.smartos.zfs_rows import Snapshot
from publishers.snapshotlisting import Listing, owner
from publishers.snapshots import Snapshots
from publishers.snapshotview import SPACE, entries, told

ZFS = "usr/sbin/zfs"
ZPOOL = "usr/sbin/zpool"
VM = "dc5cbce7-798a-4bc9-bdc5-61b4be00a22e"
KVM = "7970c690-1738-4e58-a04f-8ce4ea8ebfca"
ONLINE = "zones\t10\t1\t9\t10\t1.00\tONLINE\n"
AT = 1_775_217_600
SINCE = "2026-04-03T12:00:00.000Z"


def row(name: str, size: int) -> str:
    """As zfs lists a snapshot."""
    return f"{name}\t{AT}\t{size}\t12345\n"


def prints(desk: Desk, *snapshots: tuple[str, int], pools: str = ONLINE) -> None:
    """A host with two machines and these snapshots."""
    machines = "".join(
        f"-:{uuid}:installed:/zones/{uuid}:{uuid}:joyent:excl:{number}\n" for number, uuid in enumerate((VM, KVM))
    )
    desk.zones(machines)
    desk.prints(ZPOOL, pools)
    desk.prints(ZFS, "".join(row(name, size) for name, size in snapshots))


def said(events: list) -> list[tuple[str, dict, list]]:
    """Machine, sizes and what is gone of each event."""
    found = [event.data["data"] for event in events if isinstance(event, Event)]
    return [
        (data["uuid"], {name: entry["size"] for name, entry in data["data"].items()}, data["removed"]) for data in found
    ]


@pytest.mark.parametrize(
    ("expected", "dataset"),
    [
        (VM, f"zones/{VM}"),
        (VM, f"zones/{VM}/data"),
        (VM, f"zones/{VM}/disk0"),
        (VM, f"zones/{VM}-disk1"),
        (VM, f"data/{VM}-disk12"),
        (f"{VM}-diskette", f"zones/{VM}-diskette"),
        ("cores", f"zones/cores/{VM}"),
        ("", "zones"),
    ],
)
def test_whose_a_dataset_is(expected: str, dataset: str) -> None:
    """Roots, delegated datasets and disks are the machine's; its core dumps are not."""
    assert expected == owner(dataset)


def test_sizes_are_summed_over_the_datasets() -> None:
    """A snapshot of a machine is one thing, however many datasets it has."""
    listing = Listing("zones", {VM: VM})
    for dataset, size in ((f"zones/{KVM}", 100), (f"zones/{VM}", 5), (f"zones/{VM}-disk0", 7)):
        listing.feed(Snapshot("s1", dataset, AT, size, 0))
    assert {"s1": {"size": 12, "timestamp": SINCE}} == entries(dict(listing.finish())[VM])


def test_a_machine_is_complete_with_the_first_name_that_begins_otherwise() -> None:
    """Whatever lies among its datasets; only the machines whose names go on are kept open."""
    listing = Listing("zones", {name: name for name in ("web", "web-1", "wet", "x", "none")})
    names = ("web-1@a", "web-1/data@a", "web-disk0@a", "web-diskette@a", "web/data@a", "web@a", "wet@a", "x@a")
    course = []
    for name in names:
        dataset, _, short = f"zones/{name}".partition("@")
        course.append([uuid for uuid, _ in listing.feed(Snapshot(short, dataset, AT, 1, 0))])
    assert [[], [], ["web-1"], [], [], [], ["web"], ["wet"]] == course
    assert {"x": 1, "none": 0} == {uuid: text.count("\n") for uuid, text in listing.finish()}


def test_a_listing_that_is_not_sorted_is_a_fault() -> None:
    """A machine that was complete has no more snapshots."""
    listing = Listing("zones", {VM: VM, KVM: KVM})
    listing.feed(Snapshot("s1", f"zones/{VM}", AT, 1, 0))
    listing.feed(Snapshot("s1", f"zones/{KVM}", AT, 1, 0))
    with pytest.raises(ToolFailed, match="not sorted"):
        listing.feed(Snapshot("s2", f"zones/{VM}", AT, 1, 0))


@pytest.mark.parametrize(
    ("expected", "names"),
    [
        ({"x": True}, ["vmsnap-x"]),
        ({"x": False}, ["x"]),
        ({"x": False, "vmsnap-x": True}, ["x", "vmsnap-x"]),
    ],
)
def test_snapshots_of_vmadm_have_plain_names(expected: dict[str, bool], names: list[str]) -> None:
    """And a member that says so; two of one name are kept apart."""
    found = entries("".join(f"zones\t{name}\t1\t{AT}\n" for name in names))
    assert expected == {name: entry.get("vmadm", False) for name, entry in found.items()}


SIZES = st.dictionaries(st.text("abc", min_size=1, max_size=3), st.integers(0, 9), max_size=6)


def listed(sizes: dict[str, int], pool: str = "zones") -> str:
    """The text of a machine."""
    return "".join(f"{pool}\t{name}\t{size}\t{AT}\n" for name, size in sizes.items())


class Machine:
    """A machine's note, and what was told of it."""

    def __init__(self) -> None:
        self.note = ""

    def look(self, text: str, pool: str = "zones", pools: tuple[str, ...] = ("zones",)) -> list[Event]:
        """What is told; the note is kept as it is written."""
        batch = told(VM, self.note, text, pool, pools)
        for one in batch:
            for note in (one,) if isinstance(one, Note) else one.notes:
                self.note = note.value or ""
        return [one for one in batch if isinstance(one, Event)]


@given(st.lists(SIZES, min_size=1, max_size=5))
def test_what_is_told_adds_up(course: list[dict[str, int]]) -> None:
    """Applying each event to what was known before gives what is there, and the totals agree."""
    machine = Machine()
    known: dict[str, int] = {}
    for sizes in course:
        events = machine.look(listed(sizes))
        assert bool(events) == (known != sizes)
        for _, changed, removed in said(events):
            known = {name: size for name, size in (known | changed).items() if name not in removed}
        assert sizes == known
        if events:
            totals = events[-1].data["data"]
            assert (len(sizes), sum(sizes.values())) == (totals["count"], totals["bytes"])


@given(SIZES, st.randoms())
def test_the_order_of_a_listing_means_nothing(sizes: dict[str, int], random: object) -> None:
    """The same snapshots in another order are the same, and that order is the one to compare with from then on."""
    names = list(sizes)
    machine = Machine()
    machine.look(listed(sizes))
    random.shuffle(names)
    text = listed({name: sizes[name] for name in names})
    assert [] == machine.look(text)
    assert text == machine.note


@given(st.lists(st.tuples(st.sampled_from(["data", "zones"]), SIZES), max_size=6))
def test_each_pool_is_told_apart(course: list[tuple[str, dict[str, int]]]) -> None:
    """A snapshot's size is the sum over the pools; those that were not listed, and are there, are as they were."""
    machine = Machine()
    there: dict[str, dict[str, int]] = {}
    known: dict[str, int] = {}
    for pool, sizes in course:
        there[pool] = sizes
        for _, changed, removed in said(machine.look(listed(sizes, pool), pool, ("data", "zones"))):
            known = {name: size for name, size in (known | changed).items() if name not in removed}
        names = {name for one in there.values() for name in one}
        assert {name: sum(one.get(name, 0) for one in there.values()) for name in names} == known
    for pool, sizes in there.items():
        assert [] == machine.look(listed(sizes, pool), pool, ("data", "zones"))


def test_a_machine_with_very_many_snapshots_is_told_in_parts() -> None:
    """No event comes near the limit; the last one remembers."""
    machine = Machine()
    events = machine.look(listed({f"automatic-{number:060}": number for number in range(20_000)}))
    assert all(len(compact(event.data)) < SIZE_LIMIT_BYTES / 2 for event in events)
    assert 20_000 == sum(len(sizes) for _, sizes, _ in said(events))
    assert [False] * (len(events) - 1) + [True] == [bool(event.notes) for event in events]
    assert 20_000 == sum(len(gone) for _, _, gone in said(machine.look("")))


async def test_sizes_are_told_when_they_changed(tmp_path: Path) -> None:
    """All of them at first, then those that changed, each machine apart; one listing a tick serves all."""
    async with desk_in(tmp_path) as desk:
        snapshots = Snapshots(desk.tools)
        image = ("zones/01b2c898-945f-11e1-a523-af1afbe22822@final", 9)
        prints(desk, (f"zones/{VM}@s1", 5), (f"zones/{VM}@vmsnap-s2", 6), (f"zones/{KVM}-disk0@b", 7), image)
        events = await desk.listen(snapshots)
        assert [(VM, {"s1": 5, "s2": 6}, []), (KVM, {"b": 7}, [])] == said(events)
        first = events[0]
        assert ("snapshot", "chunter.snapshot.sizes", VM) == (first.topic, first.type, first.subject)
        assert {
            "event": "snapshot",
            "data": {
                "action": "sizes",
                "uuid": VM,
                "data": {
                    "s1": {"size": 5, "timestamp": SINCE},
                    "s2": {"size": 6, "timestamp": SINCE, "vmadm": True},
                },
                "removed": [],
                "count": 2,
                "bytes": 11,
            },
        } == first.data
        assert [] == await desk.listen(snapshots)
        prints(desk, (f"zones/{VM}@s1", 5), (f"zones/{KVM}-disk0@b", 8))
        assert [(VM, {}, ["s2"]), (KVM, {"b": 8}, [])] == said(await desk.listen(snapshots))
        listings = [line for line in desk.typed(ZFS) if "-t snapshot" in line]
        assert 3 == len(listings)
        assert all(line.endswith("-r zones") for line in listings)


async def test_a_restarted_agent_notices_what_went_meanwhile(tmp_path: Path) -> None:
    """A snapshot destroyed by hand while it was away is told as gone, and nothing else."""
    async with desk_in(tmp_path) as desk:
        prints(desk, (f"zones/{VM}@s1", 5), (f"zones/{VM}@s2", 6))
        await desk.listen(Snapshots(desk.tools))
    async with desk_in(tmp_path) as desk:
        prints(desk, (f"zones/{VM}@s2", 6))
        assert [(VM, {}, ["s1"])] == said(await desk.listen(Snapshots(desk.tools)))


async def test_a_pool_that_cannot_be_read_has_lost_nothing(tmp_path: Path) -> None:
    """What is on a faulted pool stays as it was; the other pools are told of."""
    async with desk_in(tmp_path) as desk:
        snapshots = Snapshots(desk.tools)
        await desk.outbox.put([Note(SPACE, VM, listed({"s1": 5, "s2": 6}, "data") + listed({"s1": 5}))])
        prints(desk, (f"zones/{VM}@s1", 7), pools=ONLINE + "data\t-\t-\t-\t-\t-\tFAULTED\n")
        assert [(VM, {"s1": 12}, [])] == said(await desk.listen(snapshots))


async def test_a_pool_that_is_gone_took_its_snapshots_along(tmp_path: Path) -> None:
    """What was on a pool that is there no more is told as gone."""
    async with desk_in(tmp_path) as desk:
        await desk.outbox.put([Note(SPACE, VM, listed({"s2": 6}, "data") + listed({"s1": 5}))])
        prints(desk, (f"zones/{VM}@s1", 5))
        assert [(VM, {}, ["s2"])] == said(await desk.listen(Snapshots(desk.tools)))


async def test_a_machine_that_is_gone_is_forgotten_without_a_word(tmp_path: Path) -> None:
    """That it is gone is told elsewhere."""
    async with desk_in(tmp_path) as desk:
        snapshots = Snapshots(desk.tools)
        prints(desk, (f"zones/{VM}@s1", 5))
        await desk.listen(snapshots)
        desk.zones()
        assert [Note(SPACE, VM, None)] == await desk.listen(snapshots)
        assert {} == await desk.outbox.recall(SPACE)


def prints_many(desk: Desk, numbers: range, size: int) -> None:
    """A host with a hundred machines, each with snapshots of these numbers, as zfs would write them."""
    machines = [VM[:-3] + f"{number:03}" for number in range(100)]
    desk.zones("".join(f"-:{uuid}:installed:/zones/{uuid}:{uuid}:joyent:excl:1\n" for uuid in machines))
    desk.prints(ZPOOL, ONLINE)
    (desk.root / ZFS).write_text(
        f"#!{sys.executable} -IS\n"
        "import sys\n"
        f"for machine in {machines!r} if 'snapshot' in sys.argv else []:\n"
        f"    for number in {numbers!r}:\n"
        f"        print(f'zones/{{machine}}@automatic-{{number:09}}\\t{AT}\\t{size}\\t12345')\n"
    )
    (desk.root / ZFS).chmod(0o755)


async def look(desk: Desk, publisher: Snapshots) -> int:
    """How many snapshots one tick tells."""
    count = 0
    async for batch in publisher.tick():
        await desk.outbox.put([note for one in batch for note in ((one,) if isinstance(one, Note) else one.notes)])
        count += sum(len(sizes) + len(gone) for _, sizes, gone in said(batch))
    return count


@pytest.mark.thorough
async def test_fifty_thousand_snapshots_are_not_held(tmp_path: Path) -> None:
    """Ten times as many are told with no more memory than the lines read ahead, and then told as gone and grown."""
    most_bytes: dict[int, int] = {}
    for each in (50, 500):
        async with desk_in(tmp_path / str(each)) as desk:
            snapshots = Snapshots(desk.tools)
            prints_many(desk, range(each), 5)
            tracemalloc.start()
            assert 100 * each == await look(desk, snapshots)
            most_bytes[each] = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
            prints_many(desk, range(each // 2, each), 6)
            assert 100 * each == await look(desk, snapshots)
    # A line takes half as much again as an object; the listing itself has four times HELD_BYTES.
    assert most_bytes[500] < most_bytes[50] + 2 * HELD_BYTES


@pytest.mark.parametrize("text", ["garbage\n", row(f"zones/{VM}@s1", 5)[:-1]])
async def test_a_listing_that_cannot_be_read_is_a_fault(tmp_path: Path, text: str) -> None:
    """And no snapshot is taken to be gone because of it."""
    async with desk_in(tmp_path) as desk:
        snapshots = Snapshots(desk.tools)
        prints(desk, (f"zones/{VM}@s1", 5))
        await desk.listen(snapshots)
        desk.prints(ZFS, text)
        with pytest.raises(ToolFailed):
            await desk.listen(snapshots)
        prints(desk, (f"zones/{VM}@s1", 5))
        assert [] == await desk.listen(snapshots)
